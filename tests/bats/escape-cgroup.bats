#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The cgroup tree, as seen and as bent from inside.
load helpers
load attack

# bats test_tags=smoke,kernel
@test "the cgroup is read-only and ends at the container's own" {
	run -0 in_container 'cat /proc/self/cgroup | grep ^0::; ls /sys/fs/cgroup >/dev/null; mkdir /sys/fs/cgroup/x 2>&1
		echo $$ 2>&1 >/sys/fs/cgroup/cgroup.procs; echo /x 2>&1 >/sys/fs/cgroup/release_agent; ls -d /sys/fs/cgroup/nacelle /sys/fs/cgroup/../cgroup.procs; true' \
		"$(engine_caps)"
	[ "${lines[0]}" = 0::/ ]
	has "Read-only file system"
	has "/sys/fs/cgroup/nacelle: No such file"
	lacks "release_agent: "$'\n'
	nothing_left
}

@test "release_agent and old hierarchies cannot be mounted" {
	attack '["/attack/sweep", "mounts"]' "$(engine_caps)"
}

# bats test_tags=smoke
@test "where it can be written, nothing above it can" {
	detach 'mkdir /sys/fs/cgroup/below; echo $$ >/sys/fs/cgroup/below/cgroup.procs; sleep 1000' \
		'(.mounts[] | select(.type == "cgroup")).options = ["rw"]'
	until_true 10 grep -q below "/proc/$(init_pid)/cgroup"
	run nacelle exec "$ID" sh -c 'for up in .. ../.. ../../..; do echo $$ >/sys/fs/cgroup/$up/cgroup.procs; mkdir /sys/fs/cgroup/$up/out; done'
	[ -z "$(find "$CGROUP" -maxdepth 3 -name out)" ]
	grep -q "nacelle/$ID/below" "/proc/$(init_pid)/cgroup"
	run -0 nacelle exec "$ID" cat /proc/self/cgroup
	has 0::/below
}

@test "cgroups that a payload nested deep are removed" {
	keeps
	bundle '.process.args = ["/attack/nest", "4500"] | (.mounts[] | select(.type == "cgroup")).options = ["rw"]'
	nacelle create -b "$BUNDLE" "$ID" >nest.log 2>&1
	nacelle start "$ID"
	# each level costs the kernel more than the one before; a slow machine need not get to the end
	until_true 15 grep -x "nested 4500" nest.log || grep -x "nested 500" nest.log
	run -0 nacelle delete --force "$ID"
	nothing_left
}
