#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Several verbs at the same moment, and processes that end, freeze or stay where it is least convenient.
load helpers

# at_once N COMMAND... - run it N times at the same moment; prints each one's exit status
at_once()
{
	local n=$1 i pids=()
	shift
	for ((i = 0; i < n; i++)); do
		"$@" >"out.$i" 2>&1 3>&- &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[i]}" && echo 0 || echo $?
	done
}
count()
{
	grep -c "^$1\$" <<<"$2" || true
}

@test "eight creates of the same id: one wins, the others say why" {
	keeps
	for _ in 1 2 3; do
		results=$(at_once 8 nacelle create -b "$BUNDLE" "$ID")
		[ "$(count 0 "$results")" = 1 ]
		[ "$(count 125 "$results")" = 7 ]
		[ "$(cat out.* | grep -c "container '$ID' exists already")" = 7 ]
		status_is created
		[ "$(wc -l <"$(cgroup_dir)/cgroup.procs")" = 1 ]
		nacelle delete --force "$ID"
		nothing_left
	done
}

@test "eight starts of one container: the payload runs once" {
	mkdir shared
	chmod 777 shared
	bundle ".process.args = [\"sh\", \"-c\", \"echo x >>/shared/ran; sleep 1000\"] |
		.mounts += [{ destination: \"/shared\", type: \"bind\", source: \"$PWD/shared\", options: [\"bind\"] }]"
	create
	results=$(at_once 8 nacelle start "$ID")
	[ "$(count 0 "$results")" = 1 ]
	[ "$(count 125 "$results")" = 7 ]
	status_is running
	until_true 10 test -s shared/ran
	[ "$(wc -l <shared/ran)" = 1 ]
}

@test "eight deletes by force: all succeed" {
	payload 'sleep 1000'
	for _ in 1 2 3; do
		nacelle run -d -b "$BUNDLE" "$ID"
		results=$(at_once 8 nacelle delete --force "$ID")
		[ "$(count 0 "$results")" = 8 ]
		nothing_left
	done
}

@test "delete while start: either order, and nothing is left" {
	payload 'sleep 1000'
	for _ in 1 2 3 4 5; do
		nacelle create -b "$BUNDLE" "$ID"
		nacelle start "$ID" >/dev/null 2>&1 3>&- &
		nacelle delete --force "$ID"
		wait $! || true
		nacelle delete --force "$ID"
		nothing_left
	done
}

@test "delete and kill while create: nothing is left" {
	for pause in 0 0.002 0.005 0.01 0.02; do
		nacelle create -b "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- &
		sleep "$pause"
		nacelle kill "$ID" KILL 2>/dev/null || true
		nacelle delete --force "$ID"
		wait $! || true
		nacelle delete --force "$ID"
		nothing_left
	done
}

@test "create killed at a moment of chance: delete by force cleans up" {
	for pause in 0.001 0.002 0.003 0.004 0.006 0.008 0.012; do
		"$NACELLE" --root "$STATE" --data "$DATA" create -b "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- &
		sleep "$pause"
		kill -KILL $! 2>/dev/null || true
		wait $! || true
		run -0 nacelle delete --force "$ID"
		nothing_left
	done
}

@test "init dies between create and start: start says so, delete needs no force" {
	create
	kill -KILL "$(init_pid)"
	until_true 20 status_is stopped
	run -125 nacelle start "$ID"
	one_line
	has stopped
	run -0 nacelle delete "$ID"
	nothing_left
}

@test "init that is stopped by a signal: delete by force" {
	detach 'sleep 1000'
	kill -STOP "$(init_pid)"
	run -0 nacelle delete --force "$ID"
	nothing_left
}

@test "a created container whose init is stopped: start can be killed, delete works" {
	create
	kill -STOP "$(init_pid)"
	LIMIT=1 run nacelle start "$ID"
	[ "$status" != 0 ]
	run -0 nacelle delete --force "$ID"
	nothing_left
}

# bats test_tags=smoke
@test "a frozen cgroup is deleted by force" {
	detach 'sleep 1000 & sleep 1000'
	echo 1 >"$(cgroup_dir)/cgroup.freeze"
	until_true 10 grep -q 'frozen 1' "$(cgroup_dir)/cgroup.events"
	run -0 nacelle delete --force "$ID"
	nothing_left
}

@test "a cgroup that others made busy: their processes are in our cgroup, and end with it" {
	detach 'sleep 1000'
	dir=$(cgroup_dir)
	mkdir "$dir/inner" "$dir/inner/most"
	setsid sleep 1000 3>&- &
	echo $! >"$dir/inner/most/cgroup.procs"
	run -0 nacelle delete --force "$ID"
	until_true 10 dead $!
	nothing_left
}

@test "a cgroup that a stranger keeps making anew does not hang delete" {
	detach 'sleep 1000'
	dir=$(cgroup_dir)
	(while :; do mkdir "$dir/again" 2>/dev/null || sleep 0.001; done) 3>&- &
	LIMIT=30 run nacelle delete --force "$ID"
	kill -KILL $!
	wait $! || true
	[ "$status" = 0 ] || [ "$status" = 125 ]
	run -0 nacelle delete --force "$ID"
	nothing_left
}

@test "a lock that is held is waited for, and told in the end" {
	detach 'sleep 1000'
	exec 9<"$STATE/$ID"
	flock 9
	started=$SECONDS
	LIMIT=45 run -125 nacelle delete --force "$ID"
	[ $((SECONDS - started)) -ge 20 ]
	has "worked on"
	exec 9<&-
	run -0 nacelle delete --force "$ID"
	nothing_left
}

@test "a second container of the same name is refused, and the first one keeps its log" {
	detach 'echo said; sleep 1000'
	until_true 20 bash -c "grep -q said '$DATA/containers/$ID/log'"
	run -125 nacelle run -d -b "$BUNDLE" "$ID"
	has 'exists already'
	run -0 nacelle logs "$ID"
	is said
	status_is running
}
