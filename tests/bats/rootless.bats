#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A user without privileges, whose name and ids are in files that stand over the machine's own for this test alone.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

UID_=12345

setup_file()
{
	bats_require_minimum_version 1.8.0
	"$here/../rootfs" "$BATS_FILE_TMPDIR/rootfs"
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
