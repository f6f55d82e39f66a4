#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Restart policies, and the verbs that go with them: stop, restart, start, delete --force.
load helpers
load ../own-memory

# service JSON - run a short spec detached
service()
{
	keeps
	spec_file "$1"
	nacelle run -d --name "$ID" "$SPEC"
}
restarts_are()
{
	[ "$(state .restartCount)" = "$1" ]
}
restarted()
{
	[ "$(state .restartCount)" -gt "$1" ]
}
keeper_pid()
{
	jq .keeperPid "$STATE/$ID/state.json"
}
another_pid()
{
	local pid
	pid=$(init_pid) && [ "$pid" != 0 ] && [ "$pid" != "$1" ]
}

# bats test_tags=smoke
@test "on-failure:N starts it again N times, and the last status is the one that wait has" {
	service '{ "args": ["sh", "-c", "echo run; exit 3"], "restart": "on-failure:3" }'
	run -3 nacelle wait "$ID"
	restarts_are 3
	[ "$(nacelle logs "$ID" | grep -c run)" = 4 ]
	[ "$(state .exitStatus)" = 3 ]
	status_is stopped
}

@test "on-failure leaves alone what succeeds, no leaves alone what fails" {
	service '{ "args": ["true"], "restart": "on-failure" }'
	run -0 nacelle wait "$ID"
	restarts_are 0
	nacelle delete "$ID"
	service '{ "args": ["sh", "-c", "exit 4"], "restart": "no" }'
	run -4 nacelle wait "$ID"
	restarts_are 0
}

# bats test_tags=smoke
@test "always starts it again whatever its status, as a new container under the same id" {
	service '{ "args": ["sh", "-c", "cat /mark 2>/dev/null; echo old >/mark; echo run; sleep 1000"], "restart": "always" }'
	says run
	pid=$(init_pid) keeper=$(keeper_pid)
	kill -KILL "$pid"
	until_true 20 another_pid "$pid"
	until_true 20 bash -c "[ \$($NACELLE --root $STATE --data $DATA logs $ID | grep -c run) = 2 ]"
	[ "$(keeper_pid)" = "$keeper" ]
	# what the first wrote is gone with it
	run -0 nacelle logs "$ID"
	lacks old
	[ "$(state .lastExit.status)" = 137 ]
	restarts_are 1
}

@test "the pauses before a restart double" {
	service '{ "args": ["sh", "-c", "exit 1"], "restart": "always" }'
	until_true 20 restarted 3
	sleep 0.1
	before=$(state .restartCount)
	nacelle stop "$ID"
	# 100 + 200 + 400 + 800 ms: it cannot be more often
	[ "$before" -le 6 ]
}

# bats test_tags=smoke
@test "stop ends the restarting, also while it waits" {
	service '{ "args": ["sh", "-c", "trap \"exit 7\" TERM; echo ready; while :; do sleep 0.05; done"], "restart": "always" }'
	says ready
	nacelle stop "$ID"
	status_is stopped
	[ "$(state .exitStatus)" = 7 ]
	sleep 0.5
	status_is stopped
	nacelle delete "$ID"

	service '{ "args": ["sh", "-c", "exit 9"], "restart": "unless-stopped" }'
	until_true 20 restarted 3
	until_true 20 status_is restarting
	run -0 nacelle list
	has "restarting (9)"
	nacelle stop "$ID"
	status_is stopped
	run -9 nacelle wait "$ID"
	sleep 1
	status_is stopped
}

@test "delete --force ends container and keeper, plain delete refuses" {
	service '{ "args": ["sh", "-c", "exit 1"], "restart": "always" }'
	until_true 20 restarted 2
	keeper=$(keeper_pid)
	run -125 nacelle delete "$ID"
	one_line
	has "stop it first"
	nacelle delete --force "$ID"
	dead "$keeper"
	nothing_left
}

@test "delete --force of many that are just being started again" {
	keeps
	spec_file '{ "args": ["true"], "restart": "always" }'
	for n in 1 2 3 4 5 6; do
		nacelle run -d --name "$ID-$n" "$SPEC"
	done
	sleep 0.3
	for n in 1 2 3 4 5 6; do
		nacelle delete --force "$ID-$n"
	done
	nothing_left
}

# bats test_tags=smoke
@test "restart ends it by its stop signal and starts it again, with any policy" {
	for policy in no always; do
		service '{ "args": ["sh", "-c", "trap \"echo bye; exit 0\" USR1; echo ready; while :; do sleep 0.05; done"],
			"stop_signal": "USR1", "restart": "'$policy'" }'
		says ready
		pid=$(init_pid)
		nacelle restart "$ID"
		status_is running
		[ "$(init_pid)" != "$pid" ]
		says bye
		restarts_are 0
		nacelle delete --force "$ID"
	done
}

@test "start starts a stopped detached container again, and its log goes on" {
	service '{ "args": ["sh", "-c", "echo run; exit 5"] }'
	run -5 nacelle wait "$ID"
	nacelle start "$ID"
	run -5 nacelle wait "$ID"
	[ "$(nacelle logs "$ID" | grep -c run)" = 2 ]
	# a container without a keeper ends for good
	nacelle delete "$ID"
	payload true
	create
	nacelle start "$ID"
	until_true 20 status_is stopped
	run -125 nacelle start "$ID"
	has "cannot be started: it is stopped"
	run -125 nacelle restart "$ID"
	has "was not started by 'run --detach'"
}

@test "start of a service that waits returns when it was started, or could not be, however soon it ended" {
	mkdir "$BATS_TEST_TMPDIR/volume"
	service '{ "args": ["true"], "restart": "always", "volumes": ["'"$BATS_TEST_TMPDIR"'/volume:/v"] }'
	# not the keeper by itself: it would wait for 0.8 s, and longer each time
	for ((n = 0; n < 5; n++)); do
		until_true 20 restarted 3
		LIMIT=10 nacelle start "$ID"
		until_true 20 restarted 3
		LIMIT=10 nacelle restart "$ID"
	done
	until_true 20 restarted 3
	rmdir "$BATS_TEST_TMPDIR/volume"
	for ((n = 0; n < 2; n++)); do
		LIMIT=10 run nacelle start "$ID"
		echo "$status: $output"
		[ "$status" = 125 ]
		[ "$output" = "nacelle: container '$ID' could not be started again (see 'nacelle logs $ID')" ]
	done
}

@test "a start that fails is tried again, and the log says why" {
	mkdir "$BATS_TEST_TMPDIR/volume"
	service '{ "args": ["sh", "-c", "sleep 0.3; exit 1"], "restart": "always", "volumes": ["'"$BATS_TEST_TMPDIR"'/volume:/v"] }'
	rmdir "$BATS_TEST_TMPDIR/volume"
	until_true 20 restarted 1
	said()
	{
		nacelle logs "$ID" 2>&1 | grep -q '^nacelle: '
	}
	until_true 20 said
	mkdir "$BATS_TEST_TMPDIR/volume"
	until_true 20 status_is running
}

@test "an OCI file with the annotation means the same" {
	detach 'echo run; exit 2' '.annotations["io.nacelle.restart"] = "on-failure:1"'
	run -2 nacelle wait "$ID"
	[ "$(nacelle logs "$ID" | grep -c run)" = 2 ]
	bundle '.annotations["io.nacelle.restart"] = "sometimes"'
	run -125 nacelle run -d -b "$BUNDLE" "$ID-b"
	has 'annotations["io.nacelle.restart"]: "sometimes" is not one of'
	one_line
}

@test "a policy that nobody would carry out is refused" {
	bundle '.annotations["io.nacelle.restart"] = "always"'
	run -125 nacelle create -b "$BUNDLE" "$ID"
	has "a restart policy needs a keeper"
	one_line
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "run --detach"
	run -125 nacelle run -d --rm -b "$BUNDLE" "$ID"
	has "contradict"
	run -125 nacelle run -d --preserve-fds 1 -b "$BUNDLE" "$ID" 3</dev/null
	has "preserve-fds"
	bundle .
	run -125 nacelle run -d --restart sometimes -b "$BUNDLE" "$ID"
	has 'restart: "sometimes"'
	nothing_left
}

@test "a crash loop: memory of the keeper and the log stay within bounds" {
	# on-failure with ten seconds of life in between would take too long: the pause is cut short by 'start'
	service '{ "args": ["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 0; do echo some words that fill the log a little, line $i; done; exit 1"],
		"restart": "always", "log": { "max_size": "8k", "max_file": 2 } }'
	keeper=$(keeper_pid)
	until_true 20 status_is restarting
	first=$(own_memory "$keeper")
	# a thousand are for tests/scale
	for ((n = 0; n < 30; n++)); do
		nacelle start "$ID" 2>/dev/null || true
	done
	until_true 20 status_is restarting
	last=$(own_memory "$keeper")
	echo "keeper: $first KiB, $last KiB after $n"
	[ "$keeper" = "$(keeper_pid)" ]
	[ "$last" -le $((first + 16)) ]
	[ "$(find "/proc/$keeper/fd" -mindepth 1 | wc -l)" -le 16 ]
	[ "$(cat "$DATA/containers/$ID"/log* | wc -c)" -le $((2 * 8192 + 1024)) ]
	[ "$(find "$DATA/containers/$ID" -type f | wc -l)" = 2 ]
}

# bats test_tags=lab
@test "killed for want of memory: it is noted, and started again" {
	detach 'echo run; tail /dev/zero' '.linux.resources.memory.limit = 16777216 | .linux.resources.memory.swap = 16777216 |
		.annotations["io.nacelle.restart"] = "on-failure:1"'
	until_true 20 restarted 0
	[ "$(state .lastExit.oomKilled)" = true ] || [ "$(state .oomKilled)" = true ]
	run nacelle wait "$ID"
	[ "$(state .oomKilled)" = true ]
	restarts_are 1
}

@test "restarts keep the terminal, the standard input, and the user's pipes" {
	keeps
	spec_file '{ "args": ["sh", "-c", "tty; exit 1"], "restart": "on-failure:1", "tty": true }'
	nacelle run -d --name "$ID" "$SPEC"
	run -1 nacelle wait "$ID"
	[ "$(nacelle logs "$ID" | grep -c /dev/pts/0)" = 2 ]
	nacelle delete "$ID"
	spec_file '{ "args": ["sh", "-c", "echo out >/dev/stdout; echo err >/dev/stderr; exit 1"], "restart": "on-failure:1", "user": "1000:1000" }'
	nacelle run -d --name "$ID" "$SPEC"
	run -1 nacelle wait "$ID"
	[ "$(nacelle logs "$ID" 2>/dev/null | grep -c out)" = 2 ]
	[ "$(nacelle logs "$ID" 2>&1 >/dev/null | grep -c err)" = 2 ]
}
