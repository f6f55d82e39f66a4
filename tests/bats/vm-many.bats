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

all_listed()
{
	[ "$(nacelle list -q | wc -l)" = "$1" ]
}
# bats test_tags=lab, vm, full
@test "some virtual machines at once are as many, and leave nothing" {
	vm_setup
	payload 'cat /proc/sys/kernel/random/boot_id; read line; exit 5' '.vm = {} | .linux.resources = { memory: { limit: 33554432 } }'
	vm_at_once "${VM_ONCE:-5}" 400 all_listed "${VM_ONCE:-5}"
}
