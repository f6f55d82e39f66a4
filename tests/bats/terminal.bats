#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Terminals. `script` is the one that the caller sits at.
load helpers

# `script` takes the caller's shell; one that executes the last command in its own place would make `timeout` the
# leader of the session, one that does not leaves the command in the background of the terminal, to be stopped there.
export SHELL=/bin/sh

# at_terminal COMMAND - run it at a terminal of 24 rows and 80 columns, input from our standard input
at_terminal()
{
	script -qefc "stty rows 24 cols 80; $1" /dev/null
}

# key_when_ready - ^C once the file `seen` says that the process waits for it; a key before that is anybody's
key_when_ready()
{
	for ((n = 0; n < 400; n++)); do
		! grep -qs ready seen || break
		sleep 0.1
	done
	printf '\003'
	sleep 1
}

run_line="timeout --foreground -k 5 50 \$NACELLE --root \$STATE --data \$DATA run -t -b \$BUNDLE \$ID"

# OCI: config.md, Process: terminal true: a pseudoterminal is allocated and is the process's standard streams
@test "with -t all three are one terminal of the container's own" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'tty; test -t 0 && test -t 1 && test -t 2 && echo all; ls /dev/pts' '.process.terminal = true'
	run -0 at_terminal "$run_line"
	has /dev/pts/0
	has all
}

# OCI: config.md, Process: consoleSize is the size of the terminal
@test "the size is handed on" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'stty size' '.process.terminal = true'
	run -0 at_terminal "$run_line"
	has "24 80"
}

@test "the process leads a session with the terminal as its own" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'cat /proc/self/stat | cut -d" " -f 6,7; echo x >/dev/tty' '.process.terminal = true'
	run -0 at_terminal "$run_line"
	has "1 "
	lacks "1 0"
	has x
}

@test "keys reach the process, ^C as a signal" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'trap "echo stopped; exit 6" INT; echo ready; while :; do sleep 0.05; done' '.process.terminal = true'
	export -f key_when_ready
	run -6 bash -o pipefail -c 'key_when_ready | script -qefc "'"$run_line"'" /dev/null | tee seen'
	has stopped
}

@test "the caller's terminal is as before afterwards" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'exit 3' '.process.terminal = true'
	run -0 at_terminal "stty -g >before; $run_line; echo status \$?; stty -g >after; cmp before after"
	has "status 3"
}

@test "create with a terminal wants a console socket" {
	bundle '.process.terminal = true'
	run -125 nacelle create -b "$BUNDLE" "$ID"
	has console
	one_line
}

@test "exec -t has a terminal of the container" {
	export NACELLE STATE DATA ID
	detach 'sleep 1000'
	run -0 at_terminal "timeout --foreground -k 5 50 $NACELLE --root $STATE --data $DATA exec -t $ID tty"
	has /dev/pts/0
}
