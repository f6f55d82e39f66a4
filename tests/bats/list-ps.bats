#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `list` and `ps`.
load helpers

@test "list shows every container with its pid and status" {
	detach 'sleep 1000'
	first=$ID
	ID=$ID-b
	create
	run -0 nacelle list
	has "$first"
	has "$ID"
	has running
	has created
	run -0 nacelle list -q
	[ "${lines[0]}" = "$first" ]
	[ "${lines[1]}" = "$ID" ]
	run -0 nacelle list -f json
	[ "$(jq -r --arg id "$first" '.[] | select(.id == $id) | .status' <<<"$output")" = running ]
	[ "$(jq -r --arg id "$ID" '.[] | select(.id == $id) | .pid' <<<"$output")" = "$(init_pid)" ]
}

@test "list of nothing is empty, and an empty array in JSON" {
	run -0 nacelle list -q
	is ""
	run -0 nacelle list -f json
	[ "$(jq -c . <<<"$output")" = "[]" ]
}

@test "ps shows the container's processes with the host's pids, and no others" {
	detach 'sleep 1000 & sleep 1001; true'
	until_true 20 bash -c "[ \$(wc -l <$(cgroup_dir)/cgroup.procs) = 3 ]"
	run -0 nacelle ps -f json "$ID"
	[ "$(jq length <<<"$output")" = 3 ]
	for pid in $(jq -r '.[]' <<<"$output"); do
		[ "$(readlink "/proc/$pid/ns/pid")" = "$(readlink "/proc/$(init_pid)/ns/pid")" ]
	done
	run -0 nacelle ps "$ID"
	has "sleep 1001"
}

@test "an unknown format is refused" {
	run -125 nacelle list -f yaml
	has yaml
	one_line
}
