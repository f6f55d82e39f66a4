#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `create` sets all up and waits; `start` lets the process go.
load helpers

# OCI: runtime.md, Create: status MUST be created afterwards
# OCI: runtime.md, Start: status MUST be running afterwards
# bats test_tags=smoke
@test "create waits, start runs, the end is seen, delete leaves nothing" {
	payload 'echo started; exit 3'
	create >out
	[ ! -s out ]
	status_is created
	nacelle start "$ID"
	until_true 20 status_is stopped
	[ "$(cat out)" = started ]
	nacelle delete "$ID"
	nothing_left
}

@test "the process of a created container is ours, not the payload's" {
	create
	pid=$(init_pid)
	[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" != "true " ]
	[ "$(readlink "/proc/$pid/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
	[ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]
}

@test "a second start is refused" {
	payload 'sleep 1000'
	create
	nacelle start "$ID"
	run -125 nacelle start "$ID"
	has "$ID"
	one_line
}

@test "a second create of the same name is refused" {
	create
	run -125 nacelle create -b "$BUNDLE" "$ID"
	has "$ID"
	one_line
	status_is created
}

@test "start of an unknown container is refused" {
	run -125 nacelle start nobody
	has nobody
	one_line
}

@test "what is wrong is said by create, not by start" {
	bundle '.process.args = ["no-such-program"]'
	run ! nacelle create -b "$BUNDLE" "$ID"
	has 'exec: "no-such-program": executable file not found in $PATH'
	nothing_left
}

# OCI: runtime.md, Lifecycle: changes of config.json after create MUST NOT affect the container
@test "a spec changed after create changes nothing" {
	payload 'echo first'
	create >out
	payload 'echo second'
	nacelle start "$ID"
	until_true 20 status_is stopped
	[ "$(cat out)" = first ]
}

@test "create writes the pid file before it returns" {
	create --pid-file pid
	[ "$(cat pid)" = "$(init_pid)" ]
}

@test "delete of a created container that was never started" {
	create
	pid=$(init_pid)
	nacelle delete --force "$ID"
	not kill -0 "$pid"
	nothing_left
}

@test "init killed between create and start: start says so" {
	create
	kill -KILL "$(init_pid)"
	until_true 20 status_is stopped
	run -125 nacelle start "$ID"
	one_line
}
