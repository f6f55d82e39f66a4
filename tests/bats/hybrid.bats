#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A host whose controllers are bound to cgroup v1, or that has none to give.
load helpers

needs_bare_host()
{
	! grep -qw memory "$CGROUP/cgroup.controllers" || skip "the memory controller is in cgroup v2 here"
}

@test "without limits a container needs no controller" {
	needs_bare_host
	run -0 in_container 'echo fine'
	is fine
}

@test "a limit whose controller cannot be had is refused, with its name and the reason" {
	needs_bare_host
	bundle '.linux.resources.memory.limit = 33554432'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has memory
	has controller
	one_line
	nothing_left
}

# OCI: config-linux.md, Unified: a controller that is not there or cannot be enabled MUST generate an error
@test "a limit by unified is refused too" {
	bundle '.linux.resources.unified = { "pids.max": "5" }'
	run -125 bare timeout 50 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	has pids
	one_line
	nothing_left
}
# bare COMMAND... - where there are no controllers: on a host without them, else in a cgroup that was given none, as its root
# shellcheck disable=SC2016 # expanded inside
bare()
{
	local dir=$CGROUP/bare-$ID/none status=0
	if grep -qw memory "$CGROUP/cgroup.controllers"; then
		mkdir -p "$dir"
		sh -c 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup --mount --propagation private sh -c "
			umount -l /sys/fs/cgroup &&
			mount -t cgroup2 none /sys/fs/cgroup && exec \"\$@\"" - "$@"' "$dir" "$@" || status=$?
		rmdir "$dir" "${dir%/*}"
		return $status
	fi
	"$@"
}
