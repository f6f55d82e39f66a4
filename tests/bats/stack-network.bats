#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154 # what stands in single quotes is expanded elsewhere; output and lines are set by run
#
# Stacks and their networks: the one that nobody names, named ones, names of services, published ports; made, changed, gone.
load helpers
load network-helpers
load stack-helpers

# net_file JQ - a stack file; server(NETWORK) answers on port 80
net_file()
{
	jq -n --arg rootfs "$ROOTFS" --arg s "$S" '
		def server(more): { layers: [$rootfs], args: ["answer", "80"], stop_timeout: 0, update: { watch: "200ms" } } + more;
		{ name: $s } + ('"$1"')' >"$STACK"
}

# bats test_tags=smoke
@test "services are in a network of the stack, know each other by name, and publish ports; all goes with down" {
	net_file '{ services: { web: server({ ports: ["8080:80"] }), db: server({ replicas: 2 }) } }'
	run -0 nacelle up "$STACK"
	[ "${lines[0]}" = "make network ${S}_default" ]
	run -0 nacelle network ls -q
	is "${S}_default"
	for name in web db "$S-db-2"; do
		until_true 10 nacelle exec "$S-db-1" sh -c "echo x | nc $name 80 | grep -q ."
	done
	until_true 10 ask_host 127.0.0.1 8080 hello
	run -0 nacelle ps "$S" web
	has "8080:80"
	run -0 nacelle up "$STACK"
	is ""
	run -0 nacelle down "$STACK"
	has "remove network ${S}_default"
	run -0 nacelle network ls -q
	is ""
}

@test "named networks keep services apart; none and host are what they are for run" {
	net_file '{ networks: { front: null, back: { internal: true, subnets: ["10.77.3.0/24"] } }, services: {
		web: server({ network: ["front", "back"] }), db: server({ network: "back" }), other: server({ network: { name: "front", alias: "also" } }),
		alone: server({ network: "none" }) } }'
	nacelle up "$STACK"
	run -0 nacelle network inspect "${S}_back"
	jq -e --arg s "$S" '.[0] | .internal and .subnets[0].subnet == "10.77.3.0/24" and .labels["io.nacelle.stack"] == $s and
		(.containers | length) == 2' <<<"$output"
	until_true 10 nacelle exec "$S-web-1" sh -c 'echo x | nc db 80 | grep -q .'
	until_true 10 nacelle exec "$S-web-1" sh -c 'echo x | nc also 80 | grep -q .'
	not nacelle exec "$S-other-1" grep -q db /etc/hosts
	run -0 nacelle exec "$S-alone-1" ls /sys/class/net
	is lo
}

@test "a network that changes is made anew, and who is in it; one that is no longer named goes" {
	net_file '{ networks: { n: { subnets: ["10.77.4.0/24"] } }, services: { a: server({ network: "n" }), b: server({ network: "none" }) } }'
	nacelle up "$STACK"
	b=$(nacelle state "$S-b-1" | jq .pid)
	net_file '{ networks: { n: { subnets: ["10.77.5.0/24"] } }, services: { a: server({ network: "n" }), b: server({ network: "none" }) } }'
	run -0 nacelle up "$STACK"
	is "remove $S-a-1 (its network has changed)
remove network ${S}_n (it has changed)
make network ${S}_n
create $S-a-1"
	[ "$(nacelle state "$S-b-1" | jq .pid)" = "$b" ]
	[ "$(address "$S-a-1" "${S}_n")" = 10.77.5.2 ]
	net_file '{ services: { a: server({ network: "none" }), b: server({ network: "none" }) } }'
	run -0 nacelle up "$STACK"
	is "replace $S-a-1 (its spec has changed)
remove network ${S}_n (nothing is in it)"
}

@test "an external network is used and left; one in the way is refused" {
	network shared
	net_file '{ networks: { n: { external: true, name: "shared" } }, services: { a: server({ network: "n" }) } }'
	run -0 nacelle up "$STACK"
	is "create $S-a-1"
	[ "$(address "$S-a-1" shared)" ]
	nacelle down "$STACK"
	run -0 nacelle network ls -q
	is shared
	net_file '{ networks: { n: { name: "shared" } }, services: { a: server({ network: "n" }) } }'
	run -125 nacelle up "$STACK"
	one_line
	has "make network 'shared': "
	nacelle network rm shared
}

@test "a port moves with its service, from one that is gone to a new one" {
	net_file '{ services: { a: server({ ports: ["8080:80"] }) } }'
	nacelle up "$STACK"
	net_file '{ services: { b: server({ ports: ["8080:80"] }) } }'
	run -0 nacelle up "$STACK"
	is "remove $S-a-1 (its service is no longer there)
create $S-b-1"
	until_true 10 ask_host 127.0.0.1 8080 hello
}
