#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `run`: what comes out, and with which exit status.
load helpers

# bats test_tags=smoke
@test "run shows what the process says, and leaves nothing" {
	bundle '.process.args = ["echo", "hello", "you"]'
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is "hello you"
	nothing_left
}

@test "the three streams are the caller's own" {
	payload 'cat; echo err >&2'
	echo in | nacelle run -b "$BUNDLE" "$ID" >out 2>err
	[ "$(cat out)" = in ]
	[ "$(cat err)" = err ]
}

@test "the exit status is the process's" {
	for status in 0 1 42 125 126 127 255; do
		run -"$status" in_container "exit $status"
	done
}

@test "a signal that ends the process is 128 + its number" {
	# pid 1 ignores what it does not handle: KILL from outside its namespace, others by the kernel's own doing
	for signal in 9 11 15; do
		payload "exec sh -c 'kill -$signal \$\$'" \
			'.linux.namespaces |= map(select(.type != "pid"))'
		run -$((128 + signal)) nacelle run -b "$BUNDLE" "$ID"
	done
}

# OCI: config.md, Process: args has the semantics of execvp, its first entry is the file
@test "a program that is not there: 127, in docker's words" {
	bundle '.process.args = ["no-such-program"]'
	run -127 nacelle run -b "$BUNDLE" "$ID"
	has 'exec: "no-such-program": executable file not found in $PATH'
	[ "${#lines[@]}" = 1 ]
	nothing_left
}

@test "a path that is not there: 127" {
	bundle '.process.args = ["/no/such/program"]'
	run -127 nacelle run -b "$BUNDLE" "$ID"
	has '"/no/such/program"'
	[ "${#lines[@]}" = 1 ]
	nothing_left
}

@test "a program that cannot be run: 126, in docker's words" {
	bundle '.process.args = ["/etc/passwd"]'
	run -126 nacelle run -b "$BUNDLE" "$ID"
	has 'exec: "/etc/passwd": permission denied'
	[ "${#lines[@]}" = 1 ]
	nothing_left
}

@test "a folder is no program: 126, in docker's words" {
	bundle '.process.args = ["/etc"]'
	run -126 nacelle run -b "$BUNDLE" "$ID"
	has 'exec: "/etc": is a directory: permission denied'
}

# OCI: config.md, Process: args has the semantics of execvp, its first entry is the file
@test "a file without permission in PATH is passed over for a later one" {
	rootfs_own
	mkdir -p "$ROOTFS/first"
	: >"$ROOTFS/first/echo"
	bundle '.process.args = ["echo", "later"] | .process.env = ["PATH=/first:/bin"]'
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is later
}

@test "a second container of the same name is refused, and the first lives on" {
	detach 'sleep 1000'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "$ID"
	one_line
	status_is running
}

@test "run removes its own container, and not another that has the name by now" {
	payload 'echo ready; exec sleep 1000'
	"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >out 3>&- &
	runner=$!
	until_true 20 grep ready out
	kill -STOP $runner
	nacelle delete --force "$ID"
	detach 'sleep 1000'
	kill -CONT $runner
	wait $runner || status=$?
	[ "$status" = 137 ]
	status_is running
}

@test "run ends as it should when its container was changed meanwhile" {
	payload 'echo ready; while [ ! -e /go ]; do sleep 0.05; done' '.root.readonly = false'
	"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >out 3>&- &
	until_true 20 grep ready out
	jq -c . "$STATE/$ID/state.json" >again
	cat again >"$STATE/$ID/state.json.new"
	mv "$STATE/$ID/state.json.new" "$STATE/$ID/state.json"
	nacelle exec "$ID" touch /go
	wait $!
	rm "$ROOTFS/go"
	nothing_left
}

@test "names that lead out of the state folder are refused" {
	for name in '' . .. ../x a/b /abs $'a\nb' 'a b' -x; do
		run -125 nacelle run -b "$BUNDLE" -- "$name"
		one_line
	done
	[ ! -e "$BATS_TEST_TMPDIR/x" ]
	nothing_left
}

# OCI: bundle.md, Filesystem Bundle: config.json MUST be at the root of the bundle directory, under that name
@test "run takes a spec file, a bundle folder, and a spec on standard input" {
	bundle '.process.args = ["echo", "one"]'
	run -0 nacelle run "$BUNDLE/config.json"
	is one
	run -0 nacelle run ./bundle/
	is one
	run -0 nacelle run - <"$BUNDLE/config.json"
	is one
	cd "$BUNDLE"
	run -0 nacelle run "$ID"
	is one
}

@test "a signal to run reaches the process" {
	payload 'trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.05; done'
	"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >out 3>&- &
	until_true 20 grep ready out
	kill -TERM $!
	wait $! || status=$?
	[ "$status" = 7 ]
	grep 'got it' out
}

@test "the pid file holds the process's pid" {
	payload 'readlink /proc/self/ns/uts; sleep 1'
	"$NACELLE" --root "$STATE" --data "$DATA" run --pid-file pid -b "$BUNDLE" "$ID" >out 3>&- &
	until_true 20 test -s out
	[ "$(readlink "/proc/$(cat pid)/ns/uts")" = "$(cat out)" ]
	wait $!
}

@test "no descriptor but the three reaches the process, but those asked for do" {
	exec 7</etc/hostname
	run -0 in_container 'ls /proc/$$/fd | tr "\n" " "'
	lacks 7
	payload 'cat <&3'
	exec {in}<<<"through fd 3"
	run -0 bash -c '"$0" --root "$1" --data "$2" run --preserve-fds 1 -b "$3" "$4" 3<&'"$in" \
		"$NACELLE" "$STATE" "$DATA" "$BUNDLE" "$ID"
	is "through fd 3"
}

@test "run killed outright leaves no process running" {
	payload 'echo ready; sleep 1000'
	"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >out 3>&- &
	until_true 20 grep ready out
	pid=$(init_pid)
	kill -KILL $!
	wait $! || true
	nacelle delete --force "$ID"
	not kill -0 "$pid"
	nothing_left
}
