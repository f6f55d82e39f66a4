#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# Virtual machines that are kept: restart policies, health checks, an init, as restart.bats and health.bats have them.
load helpers
load vm-helpers

# machine JSON - a short spec in a virtual machine, detached
machine()
{
	vm_setup
	keeps
	spec_file "{ \"vm\": true, \"memory\": \"64M\" } + $1"
	LIMIT=200 nacelle run -d --name "$ID" "$SPEC" >/dev/null
}
spec_file()
{
	SPEC=$BATS_TEST_TMPDIR/spec.json
	jq -n --arg rootfs "$ROOTFS" "{ layers: [\$rootfs] } + $1" >"$SPEC"
}
health_is()
{
	[ "$(state .health.status)" = "$1" ]
}

# bats test_tags=lab, vm, full
@test "a virtual machine that fails is started again by its policy, as another machine" {
	machine '{ args: ["sh", "-c", "cat /proc/sys/kernel/random/boot_id; cat /mark; echo >/mark; exit 3"], restart: "on-failure:1" }'
	LIMIT=400 run -3 nacelle wait "$ID"
	[ "$(state .restartCount)" = 1 ]
	[ "$(state .exitStatus)" = 3 ]
	run -0 nacelle logs "$ID"
	# what the first wrote is gone with it, as with a container
	[ "$(grep -c 'No such file' <<<"$output")" = 2 ]
	[ "$(grep -c '^[0-9a-f-]\{36\}$' <<<"$output")" = 2 ]
	[ "$(grep '^[0-9a-f-]\{36\}$' <<<"$output" | sort -u | wc -l)" = 2 ]
}

# bats test_tags=lab, vm, full
@test "a virtual machine has an init where one is asked for, and its health is looked for inside" {
	machine '{ args: ["sh", "-c", "echo pid $$; sleep 1000"], init: true,
		health: { cmd: "cat /ok", interval: "500ms", timeout: "100s", retries: 1, start_period: "0s" } }'
	until_true 200 log_has 'pid 2'
	until_true 100 health_is unhealthy
	[[ "$(state .health.last.output)" == *"No such file"* ]]
	nacelle exec "$ID" touch /ok
	until_true 100 health_is healthy
	# orphans are the init's to reap
	nacelle exec "$ID" sh -c '(sleep 0.1 &) ; exit 0'
	until_true 60 no_zombies
	nacelle stop -t 60 "$ID"
	status_is stopped
	[ "$(state .exitStatus)" = 143 ]
}
no_zombies()
{
	[ "$(nacelle exec "$ID" sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l')" = 0 ]
}
