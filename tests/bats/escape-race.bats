#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Attacks that need the right moment: a payload that waits for the runtime to come by, and tries again and again.
# shellcheck disable=SC2154 # set by what is loaded
load helpers
load attack

# watcher HOW [FILTER] - a container whose process watches for others; what it says goes to watch.log
watcher()
{
	keeps
	rootfs_own
	bundle ".process.args = [\"/attack/watch\", \"/stop\", \"$1\"] | .process.env += \$told | ${2:-.}" --argjson told "$told"
	nacelle create -b "$BUNDLE" "$ID-w" >watch.log 2>&1
	nacelle start "$ID-w"
	until_true 10 grep -q watching watch.log
}

# watched SEEN - end it; nothing got out, and at least so many of our processes came by
watched()
{
	: >"$ROOTFS/stop"
	until_true 20 grep -q tried watch.log
	output=$(cat watch.log)
	held
	[[ $output =~ seen\ ([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -ge "$1" ]
}

# bats test_tags=smoke
@test "exec into a container that waits for it: fds, memory, program, root" {
	watcher look "$(engine_caps)"
	for ((n = 0; n < 40; n++)); do
		run -0 nacelle exec "$ID-w" true
	done
	watched 5
}

@test "exec into a container that traces what comes" {
	watcher trace "$(engine_caps)"
	for ((n = 0; n < 40; n++)); do
		run nacelle exec "$ID-w" true
		[ "$status" -le 127 ]
	done
	watched 5
}

@test "exec into a container that may trace everything it sees" {
	# should it be overwritten, then a copy
	original=$NACELLE
	cp "$NACELLE" nacelle
	NACELLE=$PWD/nacelle
	sum=$(sha256sum nacelle)
	watcher trace "$(engine_caps) | .process.capabilities |= map_values(. + [\"CAP_SYS_PTRACE\"])"
	for ((n = 0; n < 40; n++)); do
		LIMIT=10 run -0 nacelle exec "$ID-w" cat /proc/self/cgroup
		grep -qx 0::/ <<<"$output"
	done
	status_of_watcher=$(nacelle state "$ID-w" | jq -r .status)
	[ "$status_of_watcher" = running ]
	NACELLE=$original
	watched 0
	[ "$(sha256sum nacelle)" = "$sum" ]
}

@test "exec into a user namespace whose root has every capability" {
	chmod 711 .
	watcher trace "$(userns)"
	for ((n = 0; n < 40; n++)); do
		LIMIT=10 run nacelle exec "$ID-w" true
		[ "$status" -le 127 ]
	done
	watched 5
}

@test "exec into a container that kills what comes: an error, and no core of ours inside" {
	watcher kill "$(engine_caps)"
	for ((n = 0; n < 40; n++)); do
		LIMIT=10 run nacelle exec "$ID-w" true
		[ "$status" != 124 ] && [ "$status" != 137 ]
	done
	status_of_watcher=$(nacelle state "$ID-w" | jq -r .status)
	[ "$status_of_watcher" = running ]
	watched 5
	[ -z "$(find "$ROOTFS" -maxdepth 2 -name 'core*' -size +0)" ]
}

@test "a container that starts in the pid namespace of one that watches" {
	watcher trace "$(engine_caps)"
	bundle '.process.args = ["true"] | (.linux.namespaces[] | select(.type == "pid")).path = "/proc/\($pid)/ns/pid"' \
		--arg pid "$(nacelle state "$ID-w" | jq .pid)"
	for ((n = 0; n < 30; n++)); do
		LIMIT=10 run nacelle run -b "$BUNDLE" "$ID"
		[ "$status" -le 127 ]
	done
	watched 5
}

# bats test_tags=smoke
@test "a shared volume whose folders become links while another container is started on them" {
	keeps
	rootfs_own
	mkdir volume src
	: >src/file
	volume='.mounts += [{ destination: "/volume", type: "bind", source: $volume, options: ["rbind"] }]'
	bundle ".process.args = [\"/attack/swap\", \"/volume\", \$host, \"/stop\"] | $volume" --arg volume "$PWD/volume" --arg host "$HOST"
	nacelle create -b "$BUNDLE" "$ID-w" >swap.log 2>&1
	nacelle start "$ID-w"
	until_true 10 grep -q swapping swap.log
	bundle "$volume | .process.args = [\"cat\", \"/proc/self/mountinfo\"] | .process.cwd = \"/volume/cwd/made\"
		| .mounts += [{ destination: \"/volume/mount/made\", type: \"tmpfs\", source: \"tmpfs\" },
			{ destination: \"/volume/deep/a/b/c\", type: \"bind\", source: \"$PWD/src\", options: [\"bind\"] },
			{ destination: \"/volume/mount/file\", type: \"bind\", source: \"$PWD/src/file\", options: [\"bind\"] }]
		| .linux.devices = [{ path: \"/volume/device/null\", type: \"c\", major: 1, minor: 3 }]
		| .linux.maskedPaths += [\"/volume/masked\", \"/volume/masked/canary\"] | .linux.readonlyPaths += [\"/volume/sealed\"]" \
		--arg volume "$PWD/volume"
	ran=0
	for ((n = 0; n < 60; n++)); do
		LIMIT=10 run nacelle run -b "$BUNDLE" "$ID"
		[ "$status" = 0 ] || { [ "$status" = 125 ] && one_line; }
		ran=$((ran + (status == 0)))
		[ "$(ls -A "$HOST")" = canary ]
		no_mount "$HOST"
	done
	: >"$ROOTFS/stop"
	until_true 20 grep -q tried swap.log
	grep -E 'swaps [1-9][0-9]{3}' swap.log
	echo "$ran of 60 started"
}

@test "exec's working directory and program in a volume that is swapped" {
	keeps
	rootfs_own
	bundle '.process.args = ["/attack/swap", "/tmp", $host, "/stop"]' --arg host "$HOST"
	nacelle create -b "$BUNDLE" "$ID-w" >swap.log 2>&1
	nacelle start "$ID-w"
	until_true 10 grep -q swapping swap.log
	for ((n = 0; n < 40; n++)); do
		LIMIT=10 run nacelle exec -w /tmp/cwd "$ID-w" ls -A
		lacks canary
		LIMIT=10 run nacelle exec "$ID-w" /tmp/deep/canary
		[ "$status" -ge 125 ]
	done
	: >"$ROOTFS/stop"
	until_true 20 grep -q tried swap.log
}

@test "a record whose pid is another process's by now is not signalled" {
	keeps
	payload 'sleep 1000'
	nacelle create -b "$BUNDLE" "$ID"
	nacelle start "$ID"
	real=$(init_pid)
	jq --argjson pid "$HOST_PID" '.pid = $pid' "$STATE/$ID/state.json" >changed
	cp "$STATE/$ID/state.json" kept
	cp changed "$STATE/$ID/state.json"
	for verb in "kill $ID KILL" "exec $ID true" "pause $ID" "state $ID"; do
		# shellcheck disable=SC2086
		run nacelle $verb
		kill -0 "$HOST_PID"
	done
	run nacelle delete --force "$ID"
	kill -0 "$HOST_PID"
	until_true 10 not kill -0 "$real"
	[ ! -e "$STATE/$ID" ]
}
