#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A tenth of the fault points (tests/faults/inject.c), another one each day: each of our processes killed in front of a
# system call, or that call failing. `make faults` tries all of them.
load helpers

setup_file()
{
	for program in inject confined; do
		[ -x "$BATS_TEST_DIRNAME/../../build/faults/$program" ] || {
			echo "build/faults/$program is missing: make bench-programs" >&2
			return 1
		}
	done
}
setup()
{
	trace_failures
}
teardown()
{
	:
}
teardown_file()
{
	:
}

points()
{
	NACELLE=$NACELLE TMPDIR=$BATS_TEST_TMPDIR run "$BATS_TEST_DIRNAME/../faults/run" --tenth "$@"
	echo "$output"
	[ "$status" = 0 ]
	grep -qE '^ok [0-9]+ - [a-z-]+: [1-9][0-9]* points' <<<"$output"
}

@test "faults in run" {
	points run
}

@test "faults in run, with a user namespace" {
	points run-userns
}

@test "faults in run, with an overlay" {
	points run-overlay
}

# the lab's processor is emulated: a fortieth
# bats test_tags=lab, full
@test "faults in run, with limits" {
	FAULTS_PARTS=${FAULTS_PARTS:-40} points run-limits
}

@test "faults in create and start" {
	points create start
}

@test "faults in exec" {
	points exec exec-userns
}

@test "faults in run --detach, and in what keeps it" {
	points run-detached run-detached-rm
}

@test "faults in kill and delete" {
	points kill delete
}
