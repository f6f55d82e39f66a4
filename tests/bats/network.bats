#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# Networks of containers: made and removed, joined, apart from each other, seen from inside, from the host, and from outside.
load helpers
load network-helpers

# bats test_tags=smoke
@test "a network is a record; its bridge comes with the first container and goes with the last" {
	run -0 nacelle network create --subnet 10.77.1.0/24 --label who=me web
	is web
	[ "$(stat -c %a "$DATA/networks" "$DATA/networks/web.json" | tr '\n' ' ')" = "700 600 " ]
	run -0 nacelle network inspect web
	jq -e '.[0] | .bridge == "nacelle1" and .subnets == [{ subnet: "10.77.1.0/24", gateway: "10.77.1.1" }] and
		.labels == { who: "me" } and .containers == []' <<<"$output"
	not host ip link show nacelle1
	serve "$ID" '{}' --network web
	host ip -br addr show nacelle1 | grep -F 'UP' | grep -F 10.77.1.1/24
	host nft list table inet nacelle | grep -F 'ip saddr 10.77.1.0/24 oifname != "nacelle1" masquerade'
	run -0 nacelle network ls
	[[ ${lines[1]} =~ ^web\ +10.77.1.0/24\ +nacelle1\ +1$ ]]
	run -125 nacelle network rm web
	one_line
	has "network 'web' is used by container '$ID'"
	nacelle delete --force "$ID"
	not host ip link show nacelle1
	not host nft list table inet nacelle
	run -0 nacelle network rm web
	[ ! -e "$DATA/networks/web.json" ]
	run -0 nacelle network ls -q
	is ""
}

@test "the default network needs no making; it is called bridge too" {
	serve "$ID" '{}' --network bridge
	run -0 nacelle network inspect nacelle
	jq -e '.[0] | .bridge == "nacelle0" and .subnets[0].subnet == "10.90.0.0/24"' <<<"$output"
	[ "$(address "$ID")" = 10.90.0.2 ]
	run -0 nacelle exec "$ID" ip -4 -o addr show eth0
	has 10.90.0.2/24
}

@test "a subnet that nobody chose is one that no route of the host has" {
	host ip route add 10.90.0.0/16 dev wire
	host ip route add 172.30.0.0/24 dev wire
	network one
	network two
	[ "$(nacelle network inspect one | jq -r '.[0].subnets[0].subnet')" = 172.30.1.0/24 ]
	[ "$(nacelle network inspect two | jq -r '.[0].subnets[0].subnet')" = 172.30.2.0/24 ]
	[ "$(nacelle network inspect two | jq -r '.[0].bridge')" = nacelle2 ]
	host ip route del 10.90.0.0/16
	host ip route del 172.30.0.0/24
}

@test "subnets come from the pools of the configuration" {
	mkdir -p xdg/nacelle
	echo '{ "address_pools": ["10.200.7.0/26"] }' >xdg/nacelle/config.json
	export XDG_CONFIG_HOME=$PWD/xdg
	network one
	[ "$(nacelle network inspect one | jq -r '.[0].subnets[0].subnet')" = 10.200.7.0/26 ]
	run -125 nacelle network create two
	one_line
	has "no subnet is left"
	echo '{ "address_pools": ["10.200.7.0"] }' >xdg/nacelle/config.json
	run -125 nacelle network create two
	one_line
	has "'10.200.7.0' is not a prefix"
}

@test "a network that cannot be is refused in one line, and nothing is recorded" {
	network first --subnet 10.77.0.0/16
	while IFS='|' read -r message arguments; do
		# shellcheck disable=SC2086 # they are words
		run -125 nacelle network create $arguments
		one_line
		has "$message"
	done <<-'END'
		exists already|first
		"a/b" is not the name of a network|a/b
		is not the name of a network|.x
		means something else|host
		overlaps that of network 'first'|--subnet 10.77.3.0/24 x
		the host's route to 192.0.2.0/24|--subnet 192.0.0.0/16 x
		is not a subnet|--subnet 10.1.1.0 x
		its length is from 8 to 30|--subnet 10.1.1.0/31 x
		one of each family|--subnet 10.1.0.0/24 --subnet 10.2.0.0/24 x
		is not an address of the network's subnet|--subnet 10.1.0.0/24 --gateway 10.2.0.1 x
		is not an address of the network's subnet|--subnet 10.1.0.0/24 --gateway 10.1.0.255 x
		is not an address|--gateway one x
		must be from 68 to 65535|--mtu 10 x
		IPv6 needs at least 1280|--mtu 1000 --ipv6 x
		is not KEY=VALUE|--label =x x
		unknown option '--subnets'|--subnets 10.1.0.0/24 x
	END
	[ "$(nacelle network ls -q)" = first ]
	run -125 nacelle network inspect x
	one_line
	has 'no network "x"'
	run -125 nacelle network rm x
	one_line
	run -0 nacelle network rm -f x
	run -125 nacelle network crate
	has "did you mean 'create'?"
}

# bats test_tags=smoke
@test "a container has the addresses, routes, MTU and MAC that were asked for" {
	network web --subnet 10.77.1.0/24 --subnet fd77::/64 --mtu 1400
	spec_file '{ args: ["sh", "-c", "ip addr show eth0; ip route; ip -6 route"],
		network: { name: "web", ip: "10.77.1.9", ip6: "fd77::9", mac: "02:00:00:00:00:09" } }'
	run -0 nacelle run "$SPEC"
	has "mtu 1400"
	has 10.77.1.9/24
	has fd77::9/64
	has 02:00:00:00:00:09
	has "default via 10.77.1.1 dev eth0"
	has "default via fd77::1 dev eth0"
	run -0 nacelle run --network web:ip=10.77.1.8,mac=02:00:00:00:00:08 "$SPEC"
	has 10.77.1.8/24
	has 02:00:00:00:00:08
	lacks fd77::9
	has fd77::2/64
}

# bats test_tags=smoke
@test "containers of one network reach each other by name, both ways, and by alias; a name ends with its container" {
	network web
	serve "$ID-a" '{ hostname: "first" }' --network web
	serve "$ID-b" '{}' --network web:alias=db,alias=store
	a=$(address "$ID-a" web)
	b=$(address "$ID-b" web)
	run -0 nacelle exec "$ID-a" sh -c "echo hello | nc -w 3 $ID-b 80; echo there | nc -w 3 db 80; echo more | nc -w 3 store 80"
	is "$a hello
$a there
$a more"
	run -0 nacelle exec "$ID-b" sh -c "echo back | nc -w 3 $ID-a 80; cat /etc/hosts"
	[ "${lines[0]}" = "$b back" ]
	nacelle delete --force "$ID-b"
	run -0 nacelle exec "$ID-a" cat /etc/hosts
	lacks "$ID-b"
	has "first $ID-a"
	has localhost
}

# bats test_tags=smoke
@test "networks do not reach each other; a container in both reaches both" {
	network one
	network two
	serve "$ID-a" '{}' --network one
	serve "$ID-b" '{}' --network two
	run -1 nacelle exec "$ID-a" answer "$(address "$ID-b" two)" 80 hello
	run -1 nacelle exec "$ID-b" answer "$(address "$ID-a" one)" 80 hello
	run -1 nacelle exec "$ID-a" grep "$ID-b" /etc/hosts
	spec_file '{ args: ["sh", "-c", "ip -o link; ip route"], network: ["one", "two"] }'
	run -0 nacelle run "$SPEC"
	has eth0
	has eth1
	[ "$(grep -c default <<<"$output")" = 1 ]
	spec_file "{ args: [\"sh\", \"-c\", \"echo hello | nc -w 3 $ID-a 80; echo there | nc -w 3 $ID-b 80\"] }"
	run -0 nacelle run --network one --network two "$SPEC"
	[[ ${lines[0]} == 10.90.0.*" hello" ]]
	[[ ${lines[1]} == 10.90.1.*" there" ]]
}

# bats test_tags=smoke
@test "the world outside is reached, by the host's address; it reaches no container by itself" {
	network web --subnet 10.77.1.0/24 --subnet fd77::/64
	answer_outside 7
	serve "$ID" '{}' --network web
	run -0 nacelle exec "$ID" answer 192.0.2.2 7 hello
	is "192.0.2.1 hello"
	run -0 nacelle exec "$ID" answer 2001:db8::2 7 hello
	is "2001:db8::1 hello"
	outside ip route add 10.77.1.0/24 via 192.0.2.1
	outside ip route add fd77::/64 via 2001:db8::1
	run -1 ask_outside "$(address "$ID" web)" 80 hello
	run -1 ask_outside fd77::2 80 hello
	run -0 ask_host "$(address "$ID" web)" 80 hello
	is "10.77.1.1 hello"
}

@test "an internal network has no way out, and none in; inside it all is well" {
	network inner --internal --subnet 10.77.1.0/24
	serve "$ID-a" '{}' --network inner
	serve "$ID-b" '{}' --network inner
	run -0 nacelle exec "$ID-a" ip route
	lacks default
	run -0 nacelle exec "$ID-a" sh -c "echo hello | nc -w 3 $ID-b 80; cat /etc/resolv.conf"
	is "10.77.1.2 hello"
	# not even with a route of its own
	answer_outside 7
	host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	spec_file '{ args: ["sh", "-c", "ip route add default via 10.77.1.1 && answer 192.0.2.2 7 hello"], cap_add: ["NET_ADMIN"] }'
	run -1 nacelle run --network inner "$SPEC"
	host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
	run -125 nacelle run --network inner -p 8080:80 "$SPEC"
	one_line
	has "network 'inner' is internal"
}

@test "addresses that cannot be had are refused in one line" {
	network web --subnet 10.77.1.0/29
	serve "$ID" '{}' --network web:ip=10.77.1.2,mac=02:00:00:00:00:09
	while IFS='|' read -r message network; do
		run -125 nacelle run --network "$network" "$SPEC"
		one_line
		has "$message"
	done <<-END
		network 'nosuch' is unknown: 'nacelle network create nosuch' makes one|nosuch
		address 10.77.1.2 of network 'web' is taken by container '$ID'|web:ip=10.77.1.2
		address 10.77.1.1 is the gateway|web:ip=10.77.1.1
		address 10.99.0.1 is outside of network 'web', which is 10.77.1.0/29|web:ip=10.99.0.1
		address 10.77.1.7 is outside|web:ip=10.77.1.7
		address fd00::1: network 'web' has no subnet of its family|web:ip=fd00::1
		device address 02:00:00:00:00:09 is taken by container '$ID'|web:mac=02:00:00:00:00:09
		is not the address of one device|web:mac=03:00:00:00:00:09
		"x" is not an address|web:ip=x
		"size=1" is not one of ip=, mac=, alias=|web:size=1
		is no name for others|web:alias=a/b
		no container 'nosuch'|container:nosuch
	END
	# 3 to 6 are free
	for n in 3 4 5 6; do
		serve "$ID-$n" '{}' --network web
	done
	run -125 nacelle run --network web "$SPEC"
	one_line
	has "has no address left in 10.77.1.0/29"
	nacelle delete --force "$ID-4"
	spec_file '{ args: ["ip", "-o", "-4", "addr", "show", "eth0"] }'
	run -0 nacelle run --network web "$SPEC"
	has 10.77.1.4/29
}

@test "hosts, resolv.conf and hostname are the network's, read-only; mounts of the spec stand above them" {
	network web
	spec_file '{ args: ["sh", "-c", "cat /etc/hostname /etc/resolv.conf; echo x >>/etc/hosts"], hostname: "pod", network: "web",
		dns: ["192.0.2.53", "2001:db8::53"] }'
	run nacelle run "$SPEC"
	[ "${lines[0]}" = pod ]
	[ "${lines[1]}" = "nameserver 192.0.2.53" ]
	[ "${lines[2]}" = "nameserver 2001:db8::53" ]
	has "Read-only file system"
	spec_file '{ args: ["cat", "/etc/hosts"], hostname: "a\n192.0.2.9 evil", network: "web" }'
	run nacelle run "$SPEC"
	lacks "192.0.2.9"
	echo mine >mine
	spec_file '{ args: ["cat", "/etc/hosts", "/etc/hostname"], network: "web", hostname: "pod", volumes: ["./mine:/etc/hosts"] }'
	run -0 nacelle run "$SPEC"
	is $'mine\npod'
}

@test "a link in the root at the place of a file leads nowhere else" {
	network web
	rootfs_own
	rm -f "$ROOTFS"/etc/{hosts,resolv.conf}
	ln -s ../run/stub/resolv.conf "$ROOTFS/etc/resolv.conf"
	ln -s /../../../../../../etc/passwd "$ROOTFS/etc/hosts"
	before=$(sha256sum /etc/passwd /etc/hosts)
	spec_file '{ args: ["cat", "/etc/resolv.conf", "/run/stub/resolv.conf"], network: "web", dns: ["192.0.2.53"] }'
	run -0 nacelle run "$SPEC"
	[ "$(grep -c 192.0.2.53 <<<"$output")" = 2 ]
	[ "$before" = "$(sha256sum /etc/passwd /etc/hosts)" ]
}

@test "a container shares the network of another: its addresses, its ports, its names" {
	network web
	serve "$ID" '{}' --network web
	spec_file '{ args: ["sh", "-c", "ip -o addr; echo near | nc -w 3 127.0.0.1 80; cat /etc/hosts"] }'
	run -0 nacelle run --network "container:$ID" "$SPEC"
	has "$(address "$ID" web)/24"
	has "127.0.0.1 near"
	has "$ID"
	run -125 nacelle run --network "container:$ID" -p 80:80 "$SPEC"
	one_line
	has "publishes its own"
	nacelle kill "$ID" KILL
	until_true 10 status_is stopped
	run -125 nacelle run --network "container:$ID" "$SPEC"
	one_line
	has "is not running"
}

@test "an OCI file with the annotations behaves the same" {
	network web --subnet 10.77.1.0/24
	payload 'ip -o -4 addr show eth0; cat /etc/hosts' '.annotations = { "io.nacelle.network": "web:ip=10.77.1.7,alias=me", "io.nacelle.ports": "8080:80" }'
	run -0 nacelle run -b "$BUNDLE" "$ID"
	has 10.77.1.7/24
	has " $ID me"
	payload true '.annotations = { "io.nacelle.network": "web" } | .linux.namespaces |= map(select(.type != "network"))'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	has "linux.namespaces has no 'network'"
	payload true '.annotations = { "io.nacelle.network": "web:" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
}

@test "a spec without a network has lo alone, and pays with no file" {
	spec_file '{ args: ["ls", "/sys/class/net"] }'
	run -0 nacelle run "$SPEC"
	is lo
	spec_file '{ args: ["ls", "/sys/class/net"], network: "none" }'
	run -0 nacelle run "$SPEC"
	is lo
	[ ! -e "$DATA/networks" ]
}

@test "a container with a user namespace is in a network like any other" {
	network web
	# of its root nothing is the container's own, so what is mounted there must be there
	rootfs_own
	touch "$ROOTFS"/etc/{hosts,resolv.conf,hostname}
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}"
	serve "$ID-a" '{}' --network web
	spec_file "{ args: [\"sh\", \"-c\", \"echo hello | nc -w 3 $ID-a 80; cat /etc/hostname\"], hostname: \"pod\", network: \"web\",
		linux: { namespaces: [{ type: \"user\" }], uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
			gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }] } }"
	run -0 nacelle run "$SPEC"
	[[ $output == 10.90.0.*$' hello\npod' ]]
	run -0 nacelle run --network "container:$ID-a" "$SPEC"
	has " hello"
}

@test "the host forwards while it must, and no longer; what it did before, it goes on doing" {
	network web --ipv6
	serve "$ID" '{}' --network web
	[ "$(host cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr '\n' ' ')" = "1 1 " ]
	[ "$(host cat /proc/sys/net/ipv6/conf/wire/accept_ra)" = 2 ]
	[ "$(host cat /proc/sys/net/ipv6/conf/nacelle1/accept_ra)" = 0 ]
	jq -e '[.settings[].path] | contains(["net/ipv4/ip_forward"])' "$DATA/networks/.leases.json"
	nacelle delete --force "$ID"
	[ "$(host cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding | tr '\n' ' ')" = "0 0 " ]
	[ "$(host cat /proc/sys/net/ipv6/conf/wire/accept_ra)" = 1 ]
	host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	serve "$ID" '{}' --network web
	nacelle delete --force "$ID"
	[ "$(host cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	host sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
}

@test "a firewall of the host's that drops what it forwards is named, with what mends it" {
	network web
	spec_file '{ args: ["answer", "192.0.2.2", "7", "hello"] }'
	answer_outside 7
	for chain in 'policy drop;' 'policy accept; reject;'; do
		host nft "table inet wall { chain way { type filter hook forward priority 0; $chain }; }"
		run nacelle run --network web "$SPEC"
		[ "$status" = 1 ]
		[ "$(grep -c '^nacelle: ' <<<"$output")" = 1 ]
		has "the host's firewall drops what it forwards (nftables: inet wall way)"
		remedy=$(sed -n 's/^nacelle: .*to let it: //p' <<<"$output")
		host bash -c "$remedy"
		run -0 nacelle run --network web "$SPEC"
		is "192.0.2.1 hello"
		host nft delete table inet wall
	done
	run -0 nacelle run --network web "$SPEC"
	is "192.0.2.1 hello"
}

# told TABLES OWNER - whose rules these are, and what is said to let our packets pass is left in $remedy
told()
{
	host nft "$1"
	run -1 nacelle run --network web "$SPEC"
	has "drops what it forwards ($2, nftables: "
	remedy=$(sed -n 's/^nacelle: .*to let it: //p' <<<"$output")
}
@test "the remedy is spoken in the firewall's own tongue: firewalld, ufw, docker" {
	network web
	spec_file '{ args: ["answer", "192.0.2.2", "7", "hello"] }'
	answer_outside 7
	bridge=$(nacelle network inspect web | jq -r ".[0].bridge")
	told 'table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; reject; }; }' firewalld
	[ "$remedy" = "firewall-cmd --permanent --zone=trusted --add-interface=$bridge; firewall-cmd --reload" ]
	host nft delete table inet firewalld
	host iptables -P FORWARD DROP
	host iptables -N DOCKER-USER
	host iptables -A FORWARD -j DOCKER-USER
	told '' docker
	host bash -c "$remedy"
	run -0 nacelle run --network web "$SPEC"
	is "192.0.2.1 hello"
	host iptables -F DOCKER-USER
	host iptables -N ufw-user-forward
	told '' ufw
	[ "$remedy" = "ufw route allow in on $bridge; ufw route allow out on $bridge" ]
	# an internal network has nothing to be forwarded
	nacelle network create --internal "in-$ID" >/dev/null
	spec_file '{ args: ["true"] }'
	run -0 nacelle run --network "in-$ID" "$SPEC"
	is ""
	nacelle network rm "in-$ID"
	host nft delete table ip filter
}

@test "prune removes what nobody uses, and what killed commands left" {
	network web
	network idle
	serve "$ID" '{}' --network web
	run -0 nacelle network prune
	is idle
	# a container whose record is gone, as after a broken disk
	pid=$(init_pid)
	mv "$STATE/$ID" "$BATS_TEST_TMPDIR/gone"
	host ip -br link | grep -q ^ncl
	run -0 nacelle network prune
	is web
	not host ip link show nacelle1
	run host ip -br link
	lacks ncl
	mv "$BATS_TEST_TMPDIR/gone" "$STATE/$ID"
	kill -KILL "$pid"
}

@test "the example: a site that is published, and found by its name" {
	network web
	jq --arg rootfs "$ROOTFS" 'del(.image) | .layers = [$rootfs]' "$BATS_TEST_DIRNAME/../../examples/site.json" >site.json
	keeps
	nacelle run -d --name site ./site.json
	until_true 10 host busybox wget -qO page http://127.0.0.1:8080/
	[ "$(cat page)" = "hello from site" ]
	spec_file '{ args: ["wget", "-qO-", "http://site/", "http://www/"] }'
	run -0 nacelle run --network web "$SPEC"
	is $'hello from site\nhello from site'
}
