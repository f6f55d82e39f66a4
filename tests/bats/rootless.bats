#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A user without privileges, whose name and ids are in files that stand over the machine's own for this test alone.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

UID_=12345

setup_file()
{
	file_root
	cp "$NACELLE" "$(dirname "$NACELLE")"/nacelle-* "$BATS_FILE_TMPDIR"
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_FILE_TMPDIR%/*}" "$BATS_FILE_TMPDIR"
	cp /etc/passwd "$BATS_FILE_TMPDIR/passwd"
	echo "alice:x:$UID_:$UID_::/:/bin/sh" >>"$BATS_FILE_TMPDIR/passwd"
	: >"$BATS_FILE_TMPDIR/sub"
	for file in passwd subuid subgid; do
		[ -e /etc/$file ] || : >/etc/$file
		mount --bind "$BATS_FILE_TMPDIR/${file/sub[ug]id/sub}" /etc/$file
	done
}

teardown_file()
{
	umount /etc/passwd /etc/subuid /etc/subgid
	unmount_below "$BATS_FILE_TMPDIR"
}

# own - what the user works in
own()
{
	NACELLE=$BATS_FILE_TMPDIR/nacelle
	chmod 711 "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	cp -a "$ROOTFS" rootfs
	mkdir run state data
	chown -R $UID_:$UID_ rootfs run state data
}

# may RANGE - what /etc/subuid and /etc/subgid give to alice
may()
{
	echo "$1" >"$BATS_FILE_TMPDIR/sub"
}

# as_user COMMAND... - with a home and a folder for what runs
as_user()
{
	setpriv --reuid $UID_ --regid $UID_ --clear-groups env HOME="$BATS_TEST_TMPDIR" XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" "$@"
}

# short SCRIPT [FILTER] - a spec in the short form, as the user has it
short()
{
	jq -n --arg script "$1" '{ layers: ["./rootfs"], upper: "tmpfs", args: ["sh", "-c", $script] } | '"${2:-.}" >spec.json
}

user_runs()
{
	as_user timeout 50 "$NACELLE" --root state --data data run ./spec.json
}

# bats test_tags=smoke
@test "without ids of their own a user is root inside, and nobody else" {
	own
	may ""
	short 'id -u; cat /proc/self/uid_map; touch /x && stat -c %u /x'
	run -0 user_runs
	[ "${lines[0]}" = 0 ]
	[ "$(awk '{ print $1, $2, $3 }' <<<"${lines[1]}")" = "0 $UID_ 1" ]
	[ "${lines[2]}" = 0 ]
	[ -z "$(find state -mindepth 1 -maxdepth 1 -name '[!.]*')" ]
}

# bats test_tags=smoke
@test "the ids that /etc/subuid gives are there, by newuidmap" {
	own
	may "alice:300000:65536"
	short 'cat /proc/self/uid_map; touch /x; chown 1000:2000 /x; stat -c %u:%g /x; cat /proc/self/setgroups'
	run -0 user_runs
	[ "$(awk 'NR == 2 { print $1, $2, $3 }' <<<"$output")" = "1 300000 65536" ]
	has 1000:2000
	has allow
	short 'id -u; id -g' '.user = "1000:1000"'
	run -0 user_runs
	is $'1000\n1000'
}

@test "what is not the user's is refused, with the line that is missing" {
	own
	may "alice:300000:500"
	short true '.linux.uidMappings = [{ containerID: 0, hostID: '$UID_', size: 1 }, { containerID: 1, hostID: 300000, size: 501 }]'
	run -125 user_runs
	one_line
	has "linux.uidMappings"
	has "usermod --add-subuids"
	has alice
	[ -z "$(find state -mindepth 1 -maxdepth 1 -name '[!.]*')" ]
}

@test "a user cannot take another's ids, nor root's" {
	own
	may "bob:300000:500"
	for host in 0 1 300000; do
		short true '.linux.uidMappings = [{ containerID: 0, hostID: '$host', size: 1 }]'
		run -125 user_runs
		one_line
	done
}

@test "a limit that a user's cgroup cannot have is refused by name" {
	own
	may "alice:300000:65536"
	short true '.memory = "64M"'
	run -125 user_runs
	one_line
	has delegated
}

# bats test_tags=lab, full
@test "limits in a cgroup that is delegated to the user" {
	own
	may "alice:300000:65536"
	mine=$CGROUP/mine-$ID
	echo '+memory +pids' >"$CGROUP/cgroup.subtree_control"
	mkdir -p "$mine/me"
	chown $UID_ "$mine" "$mine"/cgroup.{procs,subtree_control,threads} "$mine/me" "$mine/me/cgroup.procs"
	short 'sleep 1000' '.memory = "64M" | .pids = 50 | .upper = "disk"'
	delegated()
	{
		(echo "$BASHPID" >"$mine/me/cgroup.procs" && as_user timeout 50 "$NACELLE" --root state --data data "$@")
	}
	run -0 delegated run -d --name "$ID" ./spec.json
	[ "$(cat "$mine/nacelle/$ID/memory.max")" = 67108864 ]
	[ "$(cat "$mine/nacelle/$ID/pids.max")" = 50 ]
	run -0 delegated update --memory 80M "$ID"
	[ "$(cat "$mine/nacelle/$ID/memory.max")" = 83886080 ]
	run -0 delegated exec "$ID" cat /proc/self/cgroup
	is 0::/
	run -0 delegated pause "$ID"
	[ "$(cat "$mine/nacelle/$ID/cgroup.freeze")" = 1 ]
	run -0 delegated delete --force "$ID"
	[ ! -e "$mine/nacelle/$ID" ]
	until_true 10 find "$mine" -depth -type d -exec rmdir {} +
}

@test "a stack is the user's own: up, a second time, down" {
	own
	S=${ID//_/-}
	jq -n --arg s "$S" '{ name: $s, services: { a: { layers: ["./rootfs"], upper: "tmpfs", args: ["sh", "-c", "cat /c; exec sleep 1000"],
		configs: ["c"], stop_timeout: 0, replicas: 2 } }, configs: { c: { content: "mine\n" } } }' >stack.json
	stack()
	{
		as_user timeout 50 "$NACELLE" --root state --data data "$@"
	}
	run -0 stack up
	is "create $S-a-1
create $S-a-2"
	run -0 stack up
	is ""
	until_true 20 bash -c '[ "$(cat data/containers/*/log | grep -c mine)" = 2 ]'
	run -0 stack down
	has "remove $S-a-2"
	[ ! -e "state/.stacks" ]
	[ -z "$(ls data/stacks)" ]
}

# OCI: runtime.md, Scope: who creates a container MUST be able to use all operations on it, barring access control
@test "who has created a container may do all with it" {
	own
	may ""
	# a folder as its root: an overlay of a user's own needs Linux 6.6, or an upper on a disk
	short 'sleep 1000' "del(.layers, .upper) | .root = { path: \"$PWD/rootfs\" }"
	# create takes a bundle
	mkdir own
	as_user "$NACELLE" spec --expand spec.json | jq . >own/config.json
	for verb in "create -b own $ID" "state $ID" "start $ID" "list" "exec $ID true" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		as_user timeout 50 "$NACELLE" --root state --data data $verb >said 2>&1 </dev/null 3>&- || {
			echo "$verb: $(cat said)"
			false
		}
	done
	until_true 20 eval 'as_user "$NACELLE" --root state --data data state "$ID" | grep -q stopped'
	run -0 as_user timeout 50 "$NACELLE" --root state --data data delete "$ID"
	[ -z "$(find state -mindepth 1 -maxdepth 1 -name '[!.]*')" ]
}

# --- a network ---------------------------------------------------------------------------------------

# world - a network of the test's own, whose way out leads nowhere, and a /dev/net/tun that is everybody's
world()
{
	unshare -n sleep 1000 3>&- >/dev/null 2>&1 &
	WORLD=$!
	until_true 10 sh -c "[ \"\$(readlink /proc/$WORLD/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]"
	in_world ip link set lo up
	in_world ip link add out type veth peer name far
	in_world ip addr add 192.0.2.1/24 dev out
	in_world ip link set out up
	in_world ip link set far up
	in_world ip route add default via 192.0.2.9
	if [ ! -e /dev/net/tun ]; then
		modprobe tun 2>/dev/null || mkdir -p /dev/net
		until_true 10 test -e /dev/net/tun || : >/dev/net/tun
	fi
	mknod -m 666 tun c 10 200
	# ENXIO or ENODEV: the kernel has no such driver
	(: <tun) 2>/dev/null || skip "this kernel has no tun devices"
	mount --bind tun /dev/net/tun
}
world_end()
{
	umount /dev/net/tun
	kill "$WORLD"
	wait "$WORLD" || :
}
in_world()
{
	nsenter -t "$WORLD" -n "$@"
}
# What enters the network is root: nsenter comes before the user.
user_nacelle()
{
	in_world setpriv --reuid $UID_ --regid $UID_ --clear-groups env PATH="${USER_PATH:-/usr/bin:/bin}" HOME="$PWD" \
		XDG_RUNTIME_DIR="$PWD/run" timeout 50 "$NACELLE" --root "$PWD/state" --data "$PWD/data" "$@"
}
served()
{
	[ "$(in_world timeout 5 busybox nc 127.0.0.1 8080 </dev/null)" = served ]
}
pastas()
{
	pgrep -f "pasta .*$PWD/state"
}

# bats test_tags=smoke
@test "pasta is the network of a user, ports and name servers included, and ends with the container" {
	own
	may "alice:300000:65536"
	world
	short 'ip -4 addr show; ip route; cat /etc/resolv.conf /etc/hosts; while :; do echo served | nc -l -p 80; done' \
		'.network = "pasta" | .ports = ["127.0.0.1:8080:80"] | .dns = ["192.0.2.53"]'
	run -0 user_nacelle run -d --name "$ID" ./spec.json
	until_true 30 served
	run -0 user_nacelle logs "$ID"
	has 192.0.2.1/24
	has "default via 192.0.2.9"
	has "nameserver 192.0.2.53"
	has "$ID"
	pastas
	run -0 user_nacelle delete --force "$ID"
	until_true 10 not pastas
	world_end
}

@test "what pasta cannot give is refused, and what is missing for it is named with its remedy" {
	own
	may "alice:300000:65536"
	world
	for filter in '.network = "web"' '.network = "pasta:ip=10.0.0.1"' '.network = ["pasta", "nacelle"]'; do
		short true "$filter"
		run -125 user_nacelle run --name "$ID" ./spec.json
		one_line
		has network
	done
	short true '.ports = ["8080:80"]'
	mkdir without
	ln -s /usr/bin/new?idmap /usr/bin/timeout without
	USER_PATH=$PWD/without run -125 user_nacelle run --name "$ID" ./spec.json
	one_line
	has "apt-get install passt"
	chmod 600 tun
	run -125 user_nacelle run --name "$ID" ./spec.json
	one_line
	has /dev/net/tun
	[ -z "$(find state -mindepth 1 -maxdepth 1 -name '[!.]*')" ]
	world_end
}
