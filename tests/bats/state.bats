#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `state`: the OCI runtime-spec's state, in every stage of a life.
load helpers

@test "state has what OCI asks for" {
	payload 'sleep 1000' '.annotations = {"a.b": "c"}'
	create
	[ "$(state .ociVersion | cut -d. -f1)" = 1 ]
	[ "$(state .id)" = "$ID" ]
	[ "$(state .status)" = created ]
	[ "$(state .bundle)" = "$(readlink -f "$BUNDLE")" ]
	[ "$(state '.annotations["a.b"]')" = c ]
	[ "$(readlink "/proc/$(state .pid)/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
	nacelle start "$ID"
	[ "$(state .status)" = running ]
}

# OCI: runtime.md, Kill: status MUST be stopped when the process has ended
@test "a container that ended is stopped, with its exit status" {
	detach 'exit 42'
	until_true 20 status_is stopped
	[ "$(state .exitStatus)" = 42 ]
}

@test "state of an unknown container is refused" {
	run -125 nacelle state nobody
	has nobody
	one_line
}

@test "a pid that another process took over is not believed" {
	detach 'sleep 1000'
	pid=$(init_pid)
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	# the record of the same container, with the pid of a process that is none of its own
	sleep 1000 3>&- &
	record=$STATE/$ID/state.json
	jq --argjson pid $! '(.. | select(. == $old)) = $pid' --argjson old "$pid" "$record" >new
	cat new >"$record"
	[ "$(state .status)" = stopped ]
	nacelle delete --force "$ID"
	kill -0 $!
	kill $!
}

@test "a record of another boot is stale: stopped, and deleted without touching anything" {
	detach 'sleep 1000'
	pid=$(init_pid)
	record=$STATE/$ID/state.json
	boot=$(cat /proc/sys/kernel/random/boot_id)
	grep -q "$boot" "$record"
	cp "$record" kept
	sed "s/$boot/00000000-0000-4000-8000-000000000000/" kept >"$record"
	run nacelle state "$ID"
	lacks running
	kill -0 "$pid"
	cat kept >"$record"
	[ "$(state .status)" = running ]
}

@test "a corrupt record gives a message, and delete --force still cleans up" {
	detach 'sleep 1000'
	echo '{ "pid": ' >"$STATE/$ID/state.json"
	run -125 nacelle state "$ID"
	one_line
	nacelle delete --force "$ID"
	[ ! -e "$STATE/$ID" ]
}
