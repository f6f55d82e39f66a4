#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `kill` and `delete`.
load helpers

@test "kill sends TERM, or the signal that is named in any spelling" {
	for signal in '' TERM SIGTERM 15 term; do
		detach 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
		says ready
		# shellcheck disable=SC2086 # no signal is no argument
		nacelle kill "$ID" $signal
		until_true 20 status_is stopped
		[ "$(state .exitStatus)" = 9 ]
		nacelle delete "$ID"
	done
}

@test "an unknown signal is refused" {
	detach 'sleep 1000'
	for signal in NOSUCH 0 65 -1 999 ''; do
		run -125 nacelle kill "$ID" "$signal"
		one_line
	done
	status_is running
}

# bats test_tags=smoke
@test "kill --all reaches every process, also in a shared pid namespace" {
	payload 'sleep 1000 & sleep 1000 & wait' '.linux.namespaces |= map(select(.type != "pid"))'
	keeps
	nacelle run -d -b "$BUNDLE" "$ID"
	until_true 20 test "$(nacelle ps -f json "$ID" | jq length)" = 3
	pids=$(nacelle ps -f json "$ID" | jq -r '.[]')
	nacelle kill --all "$ID" KILL
	for pid in $pids; do
		until_true 20 bash -c "! kill -0 $pid"
	done
}

@test "delete of a running container is refused without --force" {
	detach 'sleep 1000'
	run -125 nacelle delete "$ID"
	has "$ID"
	one_line
	status_is running
	nacelle delete --force "$ID"
	nothing_left
}

# OCI: runtime.md, Delete: deleting one that does not exist MUST generate an error
@test "delete of an unknown container is refused, delete --force is not" {
	run -125 nacelle delete nobody
	has nobody
	has "does not exist"	# containerd's words
	one_line
	run -0 nacelle delete --force nobody
}

# OCI: runtime.md, Kill: one that is not running MUST NOT be affected
@test "kill of a container that ended is refused" {
	detach 'sleep 1000'
	cgroup=$(cgroup_dir)
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	run -125 nacelle kill "$ID" KILL
	one_line
	has "container not running"	# containerd's words
	# the cgroup is gone as well where systemd has made it
	rmdir "$cgroup"
	run -125 nacelle kill --all "$ID" KILL
	one_line
	has "container not running"
}

@test "delete --force ends processes that ignore every signal and forked away" {
	detach 'trap "" TERM INT HUP; (trap "" TERM; setsid sleep 1000 &) ; while :; do sleep 1; done'
	until_true 20 bash -c "[ \$(wc -l <$(cgroup_dir)/cgroup.procs) -ge 2 ]"
	pids=$(cat "$(cgroup_dir)/cgroup.procs")
	nacelle delete --force "$ID"
	for pid in $pids; do
		dead "$pid"
	done
	nothing_left
}

@test "delete --force works when all of our own processes were killed" {
	detach 'sleep 1000'
	pid=$(init_pid)
	for ours in $(pgrep -f -- "$STATE"); do
		[ "$ours" = $$ ] || [ "$ours" = "$BASHPID" ] || kill -KILL "$ours" || true
	done
	nacelle delete --force "$ID"
	dead "$pid"
	nothing_left
}
