#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Many containers after and beside each other, as an engine under load makes them: nothing may be left of any.
load helpers
load ../own-memory

CYCLES=50 ABREAST=8	# in each of two halves: the lab is slow, and a test has its time limit

# cycle NAME - one container's life by the verbs of OCI, and a process in the one that stays; a word about what failed, and its output
cycle()
{
	local id=$ID-$1
	step "$id" create -b "$BUNDLE" "$id" && step "$id" start "$id" && step "$id" exec "$id" true &&
		step "$id" exec "$ID" true && step "$id" kill "$id" KILL && deleted "$id"
}
step()
{
	nacelle "${@:2}" >"said.$1" 2>&1 </dev/null 3>&- || {
		echo "$1: $2: $(<"said.$1")" >>failures
		return 1
	}
}
# kill comes back when the signal is sent, and delete is for those that have ended
deleted()
{
	local n
	for ((n = 0; n < 400; n++)); do
		nacelle delete "$1" >"said.$1" 2>&1 </dev/null 3>&- && return
		sleep 0.05
	done
	echo "$1: delete: $(<"said.$1")" >>failures
	return 1
}
# worker N - every ABREAST-th of the cycles
worker()
{
	local n
	for ((n = $1; n < CYCLES; n += ABREAST)); do
		cycle "$n" || return
		echo "$n" >>"done.$1"
	done
}

# lives - all of a half; nothing may be left of any, and what runs all the while, the keeper of another container, is as it was
lives()
{
	keeps
	payload 'sleep 1000'
	nacelle run -d -b "$BUNDLE" "$ID" >said 2>&1 </dev/null 3>&-
	keeper=$(jq .keeperPid "$STATE/$ID/state.json")
	before=$(own_memory "$keeper") fds=$(fds_of "$keeper")
	namespaces=$(find /proc/[0-9]*/ns -type l -printf '%l\n' 2>/dev/null | sort -u | wc -l)
	workers=()
	for ((w = 0; w < ABREAST; w++)); do
		worker "$w" &
		workers+=($!)
	done
	for pid in "${workers[@]}"; do wait "$pid" || true; done
	[ ! -e failures ] || {
		cat failures >&2
		false
	}
	run -0 sort -n done.*
	[ "${#lines[@]}" = "$CYCLES" ]
	run -0 nacelle list -q
	is "$ID"
	[ -z "$(find "$STATE" -mindepth 1 -maxdepth 1 ! -name .seccomp ! -name "$ID")" ]
	[ -z "$(find "$CGROUP" -type d -name "*$ID-*")" ]
	until_true 30 no_more_namespaces
	after=$(own_memory "$keeper")
	echo "# the keeper: $before KiB of its own and $fds descriptors before, $after and $(fds_of "$keeper") after $CYCLES lives" >&3
	[ "$(fds_of "$keeper")" = "$fds" ]
	[ "$after" -le "$before" ]
	nacelle delete --force "$ID"
	# mounts and processes: nothing_left, at the end of each test
}
fds_of()
{
	find "/proc/$1/fd" -mindepth 1 | wc -l
}
no_more_namespaces()
{
	[ "$(find /proc/[0-9]*/ns -type l -printf '%l\n' 2>/dev/null | sort -u | wc -l)" -le "$namespaces" ]
}

# bats test_tags=smoke
@test "a hundred lives, eight at a time: nothing is left of the first fifty" {
	lives
}

# bats test_tags=smoke
@test "a hundred lives, eight at a time: nothing is left of the other fifty" {
	lives
}
