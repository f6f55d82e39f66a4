#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What is kept of a container is damaged, is old, or names somebody else.
load helpers

# record TEXT - put it in place of the container's record
record()
{
	printf '%s' "$1" >"$STATE/$ID/state.json"
}

# deleted PID - delete --force succeeds, the process is dead, nothing is left
deleted()
{
	run -0 nacelle delete --force "$ID"
	until_true 10 dead "$1"
	nothing_left
}

@test "a record that is empty, cut off, no object, of a wrong type or a newer version is told, and deleted" {
	payload 'sleep 1000'
	keeps
	for text in '' '{' '[]' 'null' '{"version":1}' 'x' \
		CUT TYPE VERSION DUPLICATE; do
		nacelle run -d -b "$BUNDLE" "$ID"
		pid=$(init_pid)
		whole=$(cat "$STATE/$ID/state.json")
		case $text in
		CUT) text=${whole:0:100} ;;
		TYPE) text=$(jq -c '.pid = "1"' <<<"$whole") ;;
		VERSION) text=$(jq -c '.version = 999' <<<"$whole") ;;
		DUPLICATE) text="${whole%\}},\"pid\":1}" ;;
		esac
		record "$text"
		for verb in state start 'kill' ps delete; do
			run -125 nacelle "$verb" "$ID"
			one_line
			has "$ID"
		done
		run -125 nacelle exec "$ID" true
		one_line
		run -0 nacelle list
		kill -0 "$pid"
		deleted "$pid"
	done
}

@test "a record that is a link, a folder or a pipe is not followed, and deleted" {
	payload 'sleep 1000'
	keeps
	for kind in link folder pipe; do
		nacelle run -d -b "$BUNDLE" "$ID"
		pid=$(init_pid)
		mv "$STATE/$ID/state.json" kept
		case $kind in
		link) ln -s "$PWD/kept" "$STATE/$ID/state.json" ;;
		folder) mkdir "$STATE/$ID/state.json" ;;
		pipe) mkfifo "$STATE/$ID/state.json" ;;
		esac
		LIMIT=10 run nacelle state "$ID"
		[ "$status" != 124 ]
		LIMIT=10 run -0 nacelle delete --force "$ID"
		dead "$pid"
		[ -e kept ]
		rm -f kept
		nothing_left
	done
}

@test "a missing record is no reason to leave the container alive" {
	detach 'sleep 1000'
	pid=$(init_pid)
	rm "$STATE/$ID/state.json"
	deleted "$pid"
}

@test "a corrupt record and a cgroup of the spec's choice: found by the kept spec" {
	bundle ".process.args = [\"sleep\", \"1000\"] | .linux.cgroupsPath = \"/elsewhere/$ID\""
	keeps
	nacelle run -d -b "$BUNDLE" "$ID"
	pid=$(init_pid)
	[ -d "$CGROUP/elsewhere/$ID" ]
	record '{'
	deleted "$pid"
	rmdir "$CGROUP/elsewhere"
}

@test "a corrupt record never kills a cgroup that is not the container's" {
	mkdir -p "$CGROUP/elsewhere-$ID/shared"
	sleep 1000 3>&- &
	echo $! >"$CGROUP/elsewhere-$ID/shared/cgroup.procs"
	bundle ".process.args = [\"sleep\", \"1000\"]"
	create
	init=$(init_pid)
	jq -c ".linux.cgroupsPath = \"/elsewhere-$ID/shared\"" "$STATE/$ID/config.json" >new
	cat new >"$STATE/$ID/config.json"
	record '{'
	run -0 nacelle delete --force "$ID"
	dead "$init"
	kill -0 $!
	kill $!
	wait $! || true
	rmdir "$CGROUP/elsewhere-$ID/shared" "$CGROUP/elsewhere-$ID"
	nothing_left
}

@test "a kept spec that is missing or corrupt: exec and start say so, delete works" {
	payload 'sleep 1000'
	keeps
	for damage in rm empty cut; do
		nacelle run -d -b "$BUNDLE" "$ID"
		pid=$(init_pid)
		case $damage in
		rm) rm "$STATE/$ID/config.json" ;;
		empty) : >"$STATE/$ID/config.json" ;;
		cut) truncate -s 100 "$STATE/$ID/config.json" ;;
		esac
		run -125 nacelle exec "$ID" true
		one_line
		status_is running
		deleted "$pid"
	done
}

@test "a record of another boot: its pid and cgroup are not touched" {
	sleep 1000 3>&- &
	other=$!
	mkdir "$CGROUP/other-$ID"
	echo $other >"$CGROUP/other-$ID/cgroup.procs"
	detach 'sleep 1000'
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	start=$(sed 's/.*) //' /proc/$other/stat | cut -d' ' -f20)
	record "$(jq -c --argjson pid $other --argjson start "$start" --arg cgroup "/other-$ID" \
		'.pid = $pid | .pidStart = $start | .cgroupPath = $cgroup | .cgroupMade = true |
		.bootId = "00000000-0000-4000-8000-000000000000"' "$STATE/$ID/state.json")"
	status_is stopped
	run -125 nacelle kill "$ID" KILL
	run -0 nacelle delete --force "$ID"
	kill -0 $other
	[ ! -e "$STATE/$ID" ]
	kill $other
	wait $other || true
	rmdir "$CGROUP/other-$ID" "$CGROUP/nacelle/$ID"
}

@test "the pid of a record belongs to another process, or to init: it is not signalled" {
	detach 'sleep 1000'
	old=$(init_pid)
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	sleep 1000 3>&- &
	for pid in $! 1; do
		record "$(jq -c --argjson pid "$pid" '.pid = $pid' "$STATE/$ID/state.json")"
		status_is stopped
		run -125 nacelle kill "$ID" KILL
		run -125 nacelle exec "$ID" true
		kill -0 "$pid"
	done
	[ "$old" != $! ]
	run -0 nacelle delete --force "$ID"
	kill -0 $!
	kill $!
	nothing_left
}

@test "what a killed starter left in the folder of a state is taken over, or deleted" {
	mkdir -p "$STATE/$ID"
	: >"$STATE/$ID/.state.json.1-0"
	run -0 nacelle delete --force "$ID"
	[ ! -e "$STATE/$ID" ]
	mkdir -p "$STATE/$ID"
	: >"$STATE/$ID/.state.json.1-0"
	in_container 'true'
	nothing_left
}
