#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that means harm: a kernel of our own attacks the monitor, one attack a boot (tests/kvm/hostile says what is judged).
load helpers

hostile()
{
	local log=$BATS_TEST_TMPDIR/log tried
	SECONDS_EACH=${SECONDS_EACH:-20} "$BATS_TEST_DIRNAME/../kvm/hostile" >"$log" 2>&1 || {
		grep -v '^ok' "$log"
		return 1
	}
	read -r _ tried _ <<<"$(grep ' attacks, ' "$log")"
	[ "$tried" -gt 150 ]
}

@test "whatever a guest does, its monitor ends by itself, in its time and memory, and nothing else is touched" {
	[ -w /dev/kvm ] || skip "needs /dev/kvm"
	hostile
}

# bats test_tags=lab, vm, full
@test "the same, every attack, where the kernel's own KVM runs the guest" {
	SECONDS_EACH=60 hostile
}
