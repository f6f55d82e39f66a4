#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `run -d` and what comes with it: logs, wait, stop, pause, --rm.
load helpers

# bats test_tags=smoke
@test "run -d comes back with the name, the log has what was said, wait has the status" {
	run -0 detach 'echo out; echo err >&2; exit 42'
	is "$ID"
	run -42 nacelle wait "$ID"
	run -0 nacelle logs "$ID"
	has out
	has err
	keeps
}

@test "a name is made when none is given" {
	keeps
	spec_file '{ "args": ["sleep", "1000"] }'
	run -0 nacelle run -d "$SPEC"
	[ "${#lines[@]}" = 1 ]
	ID=$output
	status_is running
}

@test "run -d holds nothing of the caller's open" {
	payload 'sleep 1000'
	keeps
	# the pipe would not end while a process holds it
	[ "$(timeout 20 bash -c '"$0" --root "$1" --data "$2" run -d -b "$3" "$4" | cat' \
		"$NACELLE" "$STATE" "$DATA" "$BUNDLE" "$ID")" = "$ID" ]
	for pid in $(pgrep -f -- "$STATE"); do
		run -0 readlink "/proc/$pid/cwd"
		[ "$pid" = $$ ] || is /
	done
}

@test "--rm deletes by itself after the end" {
	payload 'sleep 0.3'
	nacelle run -d --rm -b "$BUNDLE" "$ID"
	until_true 20 test ! -e "$STATE/$ID"
	nothing_left
}

@test "logs -f follows until the end" {
	detach 'echo one; sleep 0.5; echo two'
	run -0 nacelle logs -f "$ID"
	[ "${lines[0]}" = one ]
	[ "${lines[1]}" = two ]
}

@test "wait for several, the last one's status" {
	detach 'exit 3'
	first=$ID
	ID=$ID-b
	detach 'sleep 0.3; exit 4'
	run -4 nacelle wait "$first" "$ID"
}

@test "stop sends TERM first, and KILL after the time" {
	detach 'trap "echo bye; exit 5" TERM; echo ready; while :; do sleep 0.05; done'
	says ready
	nacelle stop -t 30 "$ID"
	[ "$(state .exitStatus)" = 5 ]
	nacelle delete "$ID"

	detach 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
	says ready
	nacelle stop -t 1 "$ID"
	[ "$(state .exitStatus)" = 137 ]
}

@test "whoever sees that it has ended sees how: the keeper, a little late, is waited for, one that is stopped is not" {
	detach 'sleep 1000'
	pid=$(init_pid) keeper=$(jq .keeperPid "$STATE/$ID/state.json")
	kill -STOP "$keeper"
	kill -KILL "$pid"
	until_true 20 grep -q '^State:.Z' "/proc/$pid/status"
	{ sleep 0.1; kill -CONT "$keeper"; } 3>&- &
	[ "$(state .exitStatus)" = 137 ]
	wait
	nacelle delete "$ID"

	detach 'sleep 1000'
	pid=$(init_pid) keeper=$(jq .keeperPid "$STATE/$ID/state.json")
	kill -STOP "$keeper"
	kill -KILL "$pid"
	status_is stopped
	[ "$(state .exitStatus)" = null ]
	kill -CONT "$keeper"
	run -137 nacelle wait "$ID"
}

# OCI: runtime.md, State: status is creating, created, running or stopped; others MUST stand for other states
@test "pause stops every process, resume lets them go on" {
	detach 'n=0; while :; do n=$((n+1)); echo $n >/dev/shm/n; sleep 0.02; done'
	until_true 20 nacelle exec "$ID" test -s /dev/shm/n
	nacelle pause "$ID"
	status_is paused
	file=/proc/$(init_pid)/root/dev/shm/n
	before=$(cat "$file")
	sleep 0.5
	[ "$(cat "$file")" = "$before" ]
	nacelle resume "$ID"
	status_is running
	until_true 20 bash -c "[ \$(cat $file) -gt $before ]"
}

@test "the keeper lives outside of the container's cgroup" {
	detach 'sleep 1000'
	run -0 cat "$(cgroup_dir)/cgroup.procs"
	is "$(init_pid)"
}

@test "the keeper killed: the container is still seen and can be deleted" {
	detach 'sleep 1000'
	pid=$(init_pid)
	for ours in $(pgrep -f -- "$STATE"); do
		[ "$ours" = $$ ] || [ "$ours" = "$BASHPID" ] || kill -KILL "$ours" || true
	done
	status_is running
	nacelle delete --force "$ID"
	dead "$pid"
	nothing_left
}
