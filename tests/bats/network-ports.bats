#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# Published ports, asked from the host, from outside, from containers; and those that cannot be had.
load helpers
load network-helpers

# bats test_tags=smoke
@test "a published port is the container's: from outside, from the host's addresses and its loopback, by TCP and UDP" {
	network web --subnet 10.77.1.0/24 --subnet fd77::/64
	serve "$ID" '{ network: "web", ports: ["8080:80", "8080:80/udp"] }'
	host nft list map inet nacelle any4 | grep -F 'tcp . 8080 : 10.77.1.2 . 80'
	run -0 ask_outside 192.0.2.1 8080 hello
	is "192.0.2.2 hello"
	run -0 udp_outside 192.0.2.1 8080 hello
	is "192.0.2.2 hello"
	run -0 ask_outside 2001:db8::1 8080 hello
	is "2001:db8::2 hello"
	run -0 ask_host 192.0.2.1 8080 hello
	has " hello"
	run -0 ask_host 127.0.0.1 8080 hello
	is "10.77.1.1 hello"
	run -0 udp_host 127.0.0.1 8080 hello
	is "10.77.1.1 hello"
	run -0 ask_host 127.0.0.9 8080 hello
	is "10.77.1.1 hello"
	run -0 ask_host 2001:db8::1 8080 hello
	has " hello"
	run -1 ask_outside 192.0.2.1 8081 hello
	nacelle delete --force "$ID"
	run -1 ask_outside 192.0.2.1 8080 hello
}

@test "IPv6: published on all addresses, on one, by TCP and UDP; ::1 is refused at once and localhost goes on to 127.0.0.1" {
	network web --subnet 10.77.1.0/24 --subnet fd77::/64
	serve "$ID" '{ network: "web", ports: ["[::]:8080:80", "[::]:8080:80/udp", "[2001:db8::1]:8081:80", "8082:80"] }'
	for port in 8080 8081 8082; do
		run -0 ask_outside 2001:db8::1 "$port" hello
		is "2001:db8::2 hello"
		run -0 ask_host 2001:db8::1 "$port" hello
		has " hello"
	done
	run -0 udp_outside 2001:db8::1 8080 hello
	is "2001:db8::2 hello"
	run -0 udp_host 2001:db8::1 8080 hello
	has " hello"
	run -1 ask_host fd77::1 8081 hello
	run -1 ask_host 127.0.0.1 8080 hello
	# refused, which is no waiting: what waits ends with 124
	run -7 host timeout 2 curl -sg 'http://[::1]:8082/'
	# what the host itself has there is reached
	host "$ECHO" 8082 3>&- >/dev/null 2>&1 &
	servers+=($!)
	until_true 10 host bash -c 'ss -ltn | grep -q :8082'
	run -0 ask_host ::1 8082 hello
	is "::1 hello"
}

@test "from its own network, from another, and by itself a published port is reached by the host's address" {
	network one
	network two
	serve "$ID-a" '{}' --network one -p 8080:80
	serve "$ID-b" '{}' --network one
	serve "$ID-c" '{}' --network two
	for id in a b c; do
		run -0 nacelle exec "$ID-$id" answer 192.0.2.1 8080 hello
		has " hello"
	done
}

@test "a port on one address of the host is not on the others" {
	serve "$ID" '{}' -p 127.0.0.1:8080:80 -p 192.0.2.1:8081:80
	run -0 ask_host 127.0.0.1 8080 hello
	has " hello"
	run -1 ask_host 192.0.2.1 8080 hello
	run -1 ask_outside 192.0.2.1 8080 hello
	run -0 ask_outside 192.0.2.1 8081 hello
	is "192.0.2.2 hello"
	run -1 ask_host 127.0.0.1 8081 hello
	# a neighbour that sends to the host's loopback by force is not heard
	outside ip route add 127.0.0.0/8 via 192.0.2.1 dev wire
	outside sh -c 'ip addr del 127.0.0.1/8 dev lo; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'
	run -1 ask_outside 127.0.0.1 8080 hello
	outside ip addr add 127.0.0.1/8 dev lo
	outside ip route del 127.0.0.0/8
}

@test "the host's loopback stays out of reach of containers, though ports are published on it" {
	host "$ECHO" 7000 3>&- >/dev/null 2>&1 &
	servers+=($!)
	until_true 10 host bash -c 'ss -ltn | grep -q :7000'
	spec_file '{ args: ["sh", "-c", "answer 10.90.0.1 7000 hello; ip addr del 127.0.0.1/8 dev lo;
		ip route add 127.0.0.0/8 via 10.90.0.1; echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; answer 127.0.0.1 7000 deep"],
		cap_add: ["NET_ADMIN"], security: ["unmask=/proc/sys"], ports: ["8080:80"] }'
	run nacelle run "$SPEC"
	has "hello"
	lacks " deep"
	[ "$status" = 1 ]
}

@test "a range is published port by port" {
	serve "$ID" '{}' -p 8000-8009:75-84
	run -0 ask_outside 192.0.2.1 8005 hello
	is "192.0.2.2 hello"
	run -1 ask_outside 192.0.2.1 8004 hello
	[ "$(host nft list map inet nacelle any4 | grep -c 'tcp . 80')" = 10 ]
	nacelle delete --force "$ID"
	# more than one message to the kernel takes
	serve "$ID" '{}' -p 10000-14999:10000-14999 -p 8005:80
	run -0 ask_outside 192.0.2.1 8005 hello
	[ "$(host nft list map inet nacelle any4 | grep -c 'tcp . 1')" = 5000 ]
}

@test "a port that somebody has is refused: a container, a process of the host, or the same spec" {
	serve "$ID" '{}' -p 8080:80
	spec_file '{ args: ["true"] }'
	for port in 8080:80 127.0.0.1:8080:81 8070-8090:70-90; do
		run -125 nacelle run -p "$port" "$SPEC"
		one_line
		has "port 8080/tcp of the host is published by container '$ID' already"
	done
	run -0 nacelle run -p 8080:80/udp "$SPEC"
	host "$ECHO" 7000 3>&- >/dev/null 2>&1 &
	servers+=($!)
	until_true 10 host bash -c 'ss -ltn | grep -q :7000'
	run -125 nacelle run -p 7000:80 "$SPEC"
	one_line
	[[ $output =~ "port 7000/tcp of the host is in use by process "[0-9]+" (echo)" ]]
	run -125 nacelle run -p 7000:80/udp "$SPEC"
	one_line
	has "port 7000/udp of the host is in use by process"
	run -125 nacelle run -p 203.0.113.7:80:80 "$SPEC"
	one_line
	has "the host has no address 203.0.113.7"
	[ "$(nacelle network inspect nacelle | jq '.[0].containers | length')" = 1 ]
}

@test "a port that makes no sense is refused in one line" {
	spec_file '{ args: ["true"] }'
	while read -r port message; do
		run -125 nacelle run -p "$port" "$SPEC"
		one_line
		has "$message"
		has "$port"
	done <<-'END'
		0 the container's port is a number from 1 to 65535
		80:0 the container's port is a number from 1 to 65535
		65536:80 the host's port is a number from 1 to 65535
		90-80:90-80 a number
		80-90:80-91 of one length
		80:80/icmp tcp or udp
		a:80:80 the host's part is an address
		[::1]:80:80 nothing that goes to ::1 can be sent on
		:80:80 the host's part is an address
	END
	run -125 nacelle run -p 80:80 -p 127.0.0.1:70-80:70-80 "$SPEC"
	one_line
	has "port 80/tcp of the host is published twice"
	for network in none host "/proc/$HOST_PID/ns/net"; do
		run -125 nacelle run --network "$network" -p 80:80 "$SPEC"
		one_line
		has "ports: can be published only from a network"
		run -125 nacelle run --network "$network" --dns 192.0.2.1 "$SPEC"
		one_line
	done
	run -125 nacelle run --dns x "$SPEC"
	one_line
	network web
	run -125 nacelle run --network web -p '[2001:db8::1]:80:80' "$SPEC"
	one_line
	has "has no IPv6"
	[ ! -e "$DATA/networks/.leases.json" ] || jq -e '.leases == []' "$DATA/networks/.leases.json"
}

@test "the expansion says what is published: flags over the file, canonical" {
	spec_file '{ args: ["true"], network: [{ name: "web", alias: ["a", "b"] }, "two"], ports: ["0080:80"], dns: ["192.0.2.1"] }'
	run -0 nacelle spec --expand "$SPEC"
	jq -e '.annotations | ."io.nacelle.network" == "web:alias=a,alias=b two" and ."io.nacelle.ports" == "80:80/tcp" and
		."io.nacelle.dns" == "192.0.2.1"' <<<"$output"
	jq -e '.linux.namespaces | map(select(.type == "network")) | length == 1' <<<"$output"
	spec_file '{ args: ["true"], ports: ["80:80"] }'
	run -0 nacelle spec --expand "$SPEC"
	jq -e '.annotations."io.nacelle.network" == "nacelle"' <<<"$output"
}

@test "a port of the host is chosen: a free one, the same again after a restart, and port tells which" {
	serve "$ID" '{ restart: "always" }' -p 80 -p 127.0.0.1::80 -p 80/udp
	run -0 nacelle port "$ID"
	[[ ${lines[0]} =~ ^(6[1-5][0-9]{3}):80/tcp$ ]]
	port=${BASH_REMATCH[1]}
	[[ ${lines[1]} =~ ^127\.0\.0\.1:(6[1-5][0-9]{3}):80/tcp$ ]]
	[ "${BASH_REMATCH[1]}" != "$port" ]
	[[ ${lines[2]} =~ ^6[1-5][0-9]{3}:80/udp$ ]]
	ports=$output
	ask_host 127.0.0.1 "$port" hello
	ask_outside 192.0.2.1 "$port" hello
	nacelle restart -t 0 "$ID"
	[ "$(nacelle port "$ID")" = "$ports" ]
	# what is taken is passed over
	nacelle delete --force "$ID"
	host "$ECHO" "$port" 3>&- >/dev/null 2>&1 &
	servers+=($!)
	until_true 10 host bash -c "ss -ltn | grep -q :$port"
	serve "$ID" '{}' -p 80
	[ "$(nacelle port "$ID")" = "$((port + 1)):80/tcp" ]
	run -125 nacelle port no-such
	one_line
}
