#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A few of the cases of tests/engines for every day; `make engines` runs all of them, with all engines.
load helpers

# bats test_tags=lab
@test "podman drives it, and says with it what it says with crun" {
	run "$BATS_TEST_DIRNAME/../engines/podman" '^(exit status of the payload|limits)$'
	# podman keeps its store mounted on itself, and the script covers the machine's
	unmount_below /tmp/engines
	umount -l /var/lib/containers
	echo "$output"
	[ "$status" = 0 ]
	# the image, two cases, and what is left
	has "1..4"
	lacks "not ok"
}
