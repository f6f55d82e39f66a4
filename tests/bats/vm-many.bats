#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Many virtual machines, one after the other and at once: nothing of them is left (helpers.bash looks for it).
# How many: VM_ROW and VM_ONCE; the project's own measure is 50 and 10.
load helpers
load vm-helpers

# bats test_tags=lab, vm, full
@test "many virtual machines in a row leave nothing" {
	vm_setup
	payload 'echo one; exit 3' '.vm = {} | .linux.resources = { memory: { limit: 33554432 } }'
	local files n
	for ((n = 0; n < ${VM_ROW:-20}; n++)); do
		run -3 nacelle run -b "$BUNDLE" "$ID-$n"
		is one
		[ "$n" != 0 ] || files=$(find "$DATA" "$STATE" | sort)
	done
	diff <(echo "$files") <(find "$DATA" "$STATE" | sort)
	not pgrep -f nacelle-vmm
}

# bats test_tags=lab, vm, full
@test "some virtual machines at once are as many, and leave nothing" {
	vm_setup
	payload 'cat /proc/sys/kernel/random/boot_id; read line; exit 5' '.vm = {} | .linux.resources = { memory: { limit: 33554432 } }'
	local n pids=() once=${VM_ONCE:-5}
	mkfifo go
	for ((n = 0; n < once; n++)); do
		LIMIT=590 nacelle run -i -b "$BUNDLE" "$ID-$n" <go >"out-$n" &
		pids+=($!)
	done
	exec {hold}>go
	for ((n = 0; n < once; n++)); do
		until_true 400 grep -q . "out-$n"
	done
	[ "$(cat out-* | sort -u | wc -l)" = "$once" ]
	[ "$(nacelle list -q | wc -l)" = "$once" ]
	exec {hold}>&-
	for ((n = 0; n < once; n++)); do
		status=0; wait "${pids[n]}" || status=$?; [ "$status" = 5 ]
	done
	not pgrep -f nacelle-vmm
}
