# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # output is set by bats' run; pids are for the tests
#
# What the bats files about networks load, after helpers: a small world. The host is a network namespace of the test's own,
# in which nacelle runs; outside is another one, the two joined by a wire: 192.0.2.1 here, 192.0.2.2 there, and
# 2001:db8::1 and ::2. Nothing touches the machine's own network.
#
#	host COMMAND…, outside COMMAND…			in that network
#	ask_host, ask_outside ADDRESS PORT WORD		ask from there, and print the answer: the address that was seen, the word

PATH=$PATH:/usr/sbin:/sbin

# The same set-up as any file has, then the world.
eval "$(declare -f setup | sed '1s/setup/setup_container/')"
eval "$(declare -f teardown | sed '1s/teardown$/teardown_container/;1s/teardown /teardown_container /')"

# The other end of every wire: tests/attack/echo.c.
ECHO=$here/../../build/attack/echo

setup_file()
{
	file_root
	cp "$ECHO" "$BATS_FILE_TMPDIR/rootfs/bin/answer"
}

setup()
{
	setup_container || return
	world_make HOST_PID
	world_make OUTSIDE_PID
	host ip link set lo up
	outside ip link set lo up
	host ip link add wire type veth peer name wire netns "$OUTSIDE_PID"
	host ip addr add 192.0.2.1/24 dev wire
	host ip -6 addr add 2001:db8::1/64 dev wire nodad
	host ip link set wire up
	outside ip addr add 192.0.2.2/24 dev wire
	outside ip -6 addr add 2001:db8::2/64 dev wire nodad
	outside ip link set wire up
	servers=()
	world_before=$(world)
}

teardown()
{
	local status=0
	teardown_container || status=1
	[ "${BATS_TEST_COMPLETED:-0}" != 1 ] || network_nothing_left || status=1
	kill "$HOST_PID" "$OUTSIDE_PID" "${servers[@]}" 2>/dev/null
	wait "$HOST_PID" "$OUTSIDE_PID" 2>/dev/null
	return $status
}

# world_make VARIABLE - a process that holds a network namespace, which it has when this returns
world_make()
{
	unshare -n sleep 1000 3>&- >/dev/null 2>&1 &
	printf -v "$1" %s $!
	until_true 10 world_is_apart $!
}
world_is_apart()
{
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ] && [ "$(cat "/proc/$1/comm")" = sleep ]
}

host()
{
	nsenter --net="/proc/$HOST_PID/ns/net" "$@"
}
outside()
{
	nsenter --net="/proc/$OUTSIDE_PID/ns/net" "$@"
}

# ask_host, ask_outside ADDRESS PORT WORD - from there
ask_host()
{
	host "$ECHO" "$@"
}
ask_outside()
{
	outside "$ECHO" "$@"
}
# udp_host, udp_outside - the same by UDP
udp_host()
{
	host "$ECHO" -u "$@"
}
udp_outside()
{
	outside "$ECHO" -u "$@"
}

# answer_outside PORT - something that answers there, until the end of the test
answer_outside()
{
	outside "$ECHO" "$1" 3>&- >/dev/null 2>&1 &
	servers+=($!)
	until_true 10 outside bash -c "ss -ltn | grep -q :$1"
}

nacelle()
{
	timeout -k 5 "${LIMIT:-50}" nsenter --net="/proc/$HOST_PID/ns/net" "$NACELLE" --root "$STATE" --data "$DATA" "$@"
}

# network NAME [OPTION…] - a network that the test leaves to be forgotten
network()
{
	nacelle network create "${@:2}" "$1" >/dev/null
}

# serve ID SPEC-JSON [OPTION…] - a detached container that answers on port 80, once it does
serve()
{
	local id=$1
	keeps
	spec_file "{ args: [\"answer\", \"80\"] } + $2"
	nacelle run -d --name "$id" "${@:3}" "$SPEC" >/dev/null
	until_true 10 served "$id"
}
served()
{
	nacelle exec "$1" sh -c 'netstat -ltn | grep -q :80'
}
spec_file()
{
	SPEC=$BATS_TEST_TMPDIR/spec.json
	jq -n --arg rootfs "$ROOTFS" "{ layers: [\$rootfs] } + $1" >"$SPEC"
}

# address ID [NETWORK] - its IPv4 address
address()
{
	nacelle network inspect "${2:-nacelle}" | jq -r --arg id "$1" '.[0].containers[] | select(.id == $id) | .ip'
}

# world - all that a container's network may leave on the host
world()
{
	host bash -c 'ip -br link | awk "{ print \$1 }"; { ip route; ip -6 route; } | sed "s/ linkdown//"; nft list ruleset
		cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'
}
network_nothing_left()
{
	local n now
	for ((n = 0; n < 60; n++)); do
		now=$(world)
		[ "$now" != "$world_before" ] || break
		sleep 0.05
	done
	diff <(echo "$world_before") <(echo "$now") >&2 || return 1
	[ ! -e "$DATA/networks/.leases.json" ] || jq -e '.leases == [] and .settings == []' "$DATA/networks/.leases.json" >/dev/null
}
