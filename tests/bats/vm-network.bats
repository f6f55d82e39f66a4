#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# Networks of virtual machines: joined by the same options as a container's, and seen alike from inside, from the host, and from
# outside (network.bats).
load helpers
load vm-helpers
load network-helpers

# machine NAME SPEC-JSON [OPTION…] - a detached virtual machine that answers on port 80, once it does
machine()
{
	keeps
	spec_file "{ args: [\"sh\", \"-c\", \"answer 80 & until answer 127.0.0.1 80 x >/dev/null 2>&1; do sleep 0.1; done; echo ready; wait\"], vm: {}, memory: \"64M\" } + $2"
	LIMIT=200 nacelle run -d --name "$1" "${@:3}" "$SPEC" >/dev/null
	until_true 200 log_of_has "$1" ready
}
log_of_has()
{
	nacelle logs "$1" | grep -q "$2"
}

# bats test_tags=lab, vm
@test "a virtual machine is in a network as a container is: address, routes, names, a published port" {
	vm_setup
	network net --subnet 10.77.1.0/24
	answer_outside 90
	machine "$ID" '{ hostname: "inside", dns: ["192.0.2.53"] }' --network net:ip=10.77.1.9 -p 8080:80
	# the device is a port of the bridge, and the host has no other
	[ "$(host ip -br link show master nacelle1 | wc -l)" = 1 ]
	host ip -d link show master nacelle1 | grep -q 'tun type tap'
	# from the host, and from outside by the port
	ask_host 10.77.1.9 80 word | grep -F "10.77.1.1 word"
	ask_outside 192.0.2.1 8080 word | grep -F "192.0.2.2 word"
	# what a container's would be
	run -0 nacelle exec "$ID" sh -c 'ip -4 -o addr show eth0 | awk "{ print \$4 }"; cat /sys/class/net/eth0/address
		ip route | sed "s/ *$//"; ls /sys/class/net; cat /etc/hostname /etc/resolv.conf; grep inside /etc/hosts
		echo 2>/dev/null >>/etc/hosts || echo kept; answer 192.0.2.2 90 out'
	is "10.77.1.9/24
02:6e:0a:4d:01:09
default via 10.77.1.1 dev eth0
10.77.1.0/24 dev eth0 scope link  src 10.77.1.9
eth0
lo
inside
nameserver 192.0.2.53
10.77.1.9	inside $ID
kept
192.0.2.1 out"
	# its traffic is counted, from where it stands
	run -0 nacelle stats --no-stream --format json --interval 10ms "$ID"
	jq -e '.[0] | .network_received > 100 and .network_sent > 100' <<<"$output"
	nacelle delete --force "$ID"
	not host ip link show nacelle1
	not ask_host 10.77.1.9 80 word
	# the data folder is that of all tests here (vm_setup)
	nacelle network rm net
}

# bats test_tags=lab, vm, full
@test "a virtual machine and a container in one network find each other by name" {
	vm_setup
	network net --subnet 10.77.1.0/24 --ipv6 --mtu 1400
	network other --subnet 10.77.2.0/24 --internal
	machine "$ID" '{ }' --network net:alias=vm --network other
	serve "$ID-c" '{}' --network net:alias=box --network other
	run -0 nacelle exec "$ID-c" answer "$(nacelle exec "$ID-c" awk '/vm$/ && /\./ { print $1 }' /etc/hosts)" 80 word
	has word
	# who came later is told of in the file that the guest has mounted
	until_true 20 nacelle exec "$ID" grep -q box /etc/hosts
	run -0 nacelle exec "$ID" sh -c 'answer $(awk "/box$/ && /\\./ { print \$1 }" /etc/hosts) 80 word
		answer $(awk "/box$/ && /:/ { print \$1 }" /etc/hosts) 80 six
		cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu; ip -4 route | grep -c default; ip -6 route | grep -c default'
	[[ ${lines[0]} == *word && ${lines[1]} == *:*six ]]
	[ "${lines[*]:2}" = "1400 1500 1 1" ]
	# another's network cannot be the machine's, nor the machine's another's
	run -125 nacelle run --network "container:$ID" "$SPEC"
	one_line
	has "container '$ID' is a virtual machine"
	run -125 nacelle run --vm --network "container:$ID-c" "$SPEC"
	one_line
	has "the network of another container: not supported with 'vm'"
	run -125 nacelle run --vm --network host "$SPEC"
	one_line
	has "the host's network cannot be shared"
	run -125 nacelle run --vm --network "/proc/self/ns/net" "$SPEC"
	one_line
	has "the host's network cannot be shared"
}

# bats test_tags=lab, vm, full
@test "without a network a virtual machine has its loopback alone; with one, much goes both ways unchanged" {
	vm_setup
	run -0 in_container 'ls /sys/class/net; ip route' '.vm = {}'
	is lo
	keeps
	# busybox's nc ends with the other's input, so both need one that does not end
	head -c "${VM_NETWORK_BYTES:-8M}" /dev/urandom >sent
	spec_file '{ args: ["sh", "-c", "mkfifo /h; exec 9<>/h; nc -l -p 91 <&9 >/tmp/got; echo got; nc -l -p 92 </tmp/got; echo gone"], vm: {}, memory: "128M" }'
	LIMIT=200 nacelle run -d --name "$ID" --network bridge "$SPEC" >/dev/null
	until_true 200 host busybox nc 10.90.0.2 91 <sent
	until_true 60 log_of_has "$ID" got
	mkfifo hold
	exec {hold}<>hold
	until_true 60 fetched "$hold"
	exec {hold}>&-
	cmp sent back
	run -0 nacelle wait "$ID"
}
fetched()
{
	host busybox nc 10.90.0.2 92 <&"$1" >back && [ -s back ]
}

# bats test_tags=lab, vm, full
@test "a virtual machine that is started again is in its network by its old address, and reached by its port" {
	vm_setup
	machine "$ID" '{}' -p 8080:80
	pid=$(jq .pid "$STATE/$ID/state.json")
	[ "$(address "$ID")" = 10.90.0.2 ]
	LIMIT=200 nacelle restart -t 60 "$ID"
	[ "$(jq .pid "$STATE/$ID/state.json")" != "$pid" ]
	[ "$(address "$ID")" = 10.90.0.2 ]
	until_true 200 asked
	[ "$(host ip -br link show master nacelle0 | wc -l)" = 1 ]
	nacelle stop -t 0 "$ID"
}
asked()
{
	ask_outside 192.0.2.1 8080 word | grep -F "192.0.2.2 word"
}

# bats test_tags=lab, vm, full
@test "a virtual machine takes the place of the device in a network namespace that others made, as engines do" {
	vm_setup
	world_make NS_PID
	servers+=("$NS_PID")
	run_in() { nsenter --net="/proc/$NS_PID/ns/net" "$@"; }
	host ip link add far type veth peer name eth0 netns "$NS_PID"
	host ip addr add 10.99.0.1/24 dev far
	host ip addr add fd00:99::1/64 dev far nodad
	host ip link set far up
	run_in ip addr add 10.99.0.2/24 dev eth0
	run_in ip addr add fd00:99::2/64 dev eth0 nodad
	run_in ip link set eth0 mtu 1400 up
	run_in ip route add default via 10.99.0.1
	run_in ip route add 192.0.2.0/24 via 10.99.0.1
	host "$ECHO" 90 >/dev/null 2>&1 3>&- &
	servers+=($!)
	mac=$(run_in ip -br link show eth0 | awk '{ print $3 }')
	before=$(run_in ip -o addr show dev eth0 scope global)
	# asked for by an annotation, as an engine can
	payload 'answer 80 & until answer 127.0.0.1 80 x >/dev/null 2>&1; do sleep 0.1; done; echo ready; wait' ".root.path = \"$BATS_FILE_TMPDIR/rootfs\" | .annotations[\"run.oci.handler\"] = \"krun\" |
		.linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/$NS_PID/ns/net\" else . end)"
	for ((n = 0; n < 2; n++)); do
		keeps
		LIMIT=200 nacelle run -d -b "$BUNDLE" "$ID" >/dev/null
		until_true 200 log_of_has "$ID" ready
		[ "$(nacelle exec "$ID" cat /proc/sys/kernel/random/boot_id)" != "$(cat /proc/sys/kernel/random/boot_id)" ]
		run -0 nacelle exec "$ID" sh -c 'ip -o addr show eth0 scope global | awk "{ print \$4 }"; cat /sys/class/net/eth0/address
			cat /sys/class/net/eth0/mtu; ip route | sed "s/ *$//"; ls /sys/class/net'
		is "10.99.0.2/24
fd00:99::2/64
$mac
1400
default via 10.99.0.1 dev eth0
10.99.0.0/24 dev eth0 scope link  src 10.99.0.2
192.0.2.0/24 via 10.99.0.1 dev eth0
eth0
lo"
		# both ways, by both families
		[ "$(ask_host 10.99.0.2 80 word)" = "10.99.0.1 word" ]
		[ "$(nacelle exec "$ID" answer 10.99.0.1 90 word)" = "10.99.0.2 word" ]
		[ "$(nacelle exec "$ID" answer fd00:99::1 90 word)" = "fd00:99::2 word" ]
		[ "$n" = 0 ] || break
		# there is one place to take
		run -125 nacelle run -b "$BUNDLE" "$ID-2"
		has "another virtual machine has it"
		one_line
		nacelle delete --force "$ID"
		# whoever made it finds it as it was
		[ "$(run_in ip -o addr show dev eth0 scope global)" = "$before" ]
		[ "$(run_in ip -br link | wc -l)" = 2 ]
	done
	nacelle delete --force "$ID"
	kill "$NS_PID"
	until_true 10 not test -e "/proc/$NS_PID/ns/net"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "/proc/$NS_PID/ns/net"
	one_line
}
