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

@test "options of ps: the program's own lines about the container's processes" {
	detach 'sleep 1000 & sleep 1001; true'
	until_true 20 bash -c "[ \$(wc -l <$(cgroup_dir)/cgroup.procs) = 3 ]"
	run -0 nacelle ps "$ID" -ef
	[ "${lines[0]}" = "$(ps -ef | head -1)" ]
	[ "${#lines[@]}" = 4 ]
	[ "$(awk 'NR > 1 { print $2 }' <<<"$output" | sort)" = "$(sort "$(cgroup_dir)/cgroup.procs")" ]
	# where the column is, the heading says
	run -0 nacelle ps "$ID" -e -o comm,pid,ppid
	[ "${lines[0]}" = "$(ps -o comm,pid,ppid | head -1)" ]
	[ "$(awk '$1 == "sleep" { print $3 }' <<<"$output" | sort -u)" = "$(init_pid)" ]
	# behind the id, our own as crun takes it
	run -0 nacelle ps "$ID" -f json
	[ "$(jq length <<<"$output")" = 3 ]
	run -0 nacelle ps "$ID" --format=table
	has "sleep 1001"
}

@test "options of ps that do not go" {
	detach 'sleep 1000'
	run -125 nacelle ps "$ID" -e -o args
	has "no column 'PID'"
	one_line
	run -125 nacelle ps -f json "$ID" -ef
	has "--format table"
	one_line
	run -125 nacelle ps "$ID" --no-such-option
	has "'ps' ended with status 1"
	# nobody has it
	mkdir none
	run -125 env PATH="$PWD/none" "$NACELLE" --root "$STATE" ps "$ID" -ef
	has "Debian's package procps"
	one_line
}

@test "an unknown format is refused" {
	run -125 nacelle list -f yaml
	has yaml
	one_line
}
