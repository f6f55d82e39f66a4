#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What a second reader tried as root, with an engine's capabilities and as root of a user namespace: what has no
# namespace of its own, and what may be mounted once more (tests/attack/second.c).
# shellcheck disable=SC2154 # set by what is loaded
load helpers
load attack

# Nice value and I/O class of the host's process: another program of root's, as the payload is.
priorities()
{
	ps -o ni= -p "$HOST_PID"
	ionice -p "$HOST_PID"
}

setup_delegation()
{
	local answer=no
	! grep -q ' cgroup2 .*nsdelegate' /proc/self/mounts || answer=yes
	told=$(jq -c --arg answer "$answer" '. + ["HOST_NSDELEGATE=\($answer)"]' <<<"$told")
}

eval "walled_$(declare -f setup)"
setup()
{
	walled_setup
	setup_delegation
}

# second GROUPS-JSON FILTER - run it, and see that the host's process has what it had
second()
{
	local before
	before=$(priorities)
	attack "$1" "$2"
	[ "$before" = "$(priorities)" ]
}

# bats test_tags=smoke
@test "root with an engine's capabilities: users, numbers, nodes, file systems" {
	second '["/attack/second", "calls", "nodes", "own", "nested"]' "$(engine_caps) | .process.noNewPrivileges = false"
}

@test "the short form's defaults: the same" {
	attack_short '["/attack/second", "calls", "nodes", "own", "nested"]'
}

@test "root of a user namespace: the same, with what it may mount" {
	second '["/attack/second", "calls", "nodes", "own"]' "$(userns)"
}

@test "one more user namespace in that one" {
	second '["/attack/second", "nested"]' "$(userns)"
}

@test "exec as root: the same" {
	keeps
	bundle ".process.args = [\"sleep\", \"1000\"] | .process.env += \$told | $(userns)" --argjson told "$told"
	nacelle create -b "$BUNDLE" "$ID" >/dev/null 2>&1
	nacelle start "$ID"
	run -0 nacelle exec "$ID" /attack/second calls nodes own
	held
}

@test "a standard stream that is a folder of the host is no way out" {
	bundle '.process.args = ["ls", "/proc/self/fd/0/"]'
	run -125 nacelle run -b "$BUNDLE" "$ID" <"$HOST"
	has "standard input is a folder"
	one_line
	run -125 nacelle create -b "$BUNDLE" "$ID" <"$HOST"
	has "standard input is a folder"
	nothing_left
	keeps
	bundle '.process.args = ["sleep", "1000"]'
	nacelle create -b "$BUNDLE" "$ID" >/dev/null 2>&1 </dev/null
	nacelle start "$ID"
	run -125 nacelle exec "$ID" ls /proc/self/fd/0/ <"$HOST"
	has "standard input is a folder"
	lacks canary
}

@test "what the operator typed is not to be read inside, by nobody" {
	jq -n --arg rootfs "$ROOTFS" '{ layers: [$rootfs], user: "1000:1000",
		args: ["sh", "-c", "while [ ! -e /tmp/end ]; do cat /proc/[0-9]*/cmdline >>/tmp/seen 2>/dev/null; done; sleep 1000"] }' >short.json
	keeps
	nacelle run -d --name "$ID" ./short.json
	for ((n = 0; n < 10; n++)); do nacelle exec -e "TOKEN=$HOST_FILE-hunter2" "$ID" true; done
	nacelle exec "$ID" touch /tmp/end
	until_true 10 nacelle exec "$ID" sh -c 'ps | grep -q "[s]leep 1000$"'
	run -0 nacelle exec "$ID" sh -c "grep -c hunter2 /tmp/seen; grep -c '$STATE' /tmp/seen; tr '\\0' ' ' </tmp/seen | head -c 300"
	[ "${lines[0]}:${lines[1]}" = 0:0 ]
	has "cat /proc"
}
