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

# OCI: config-linux.md, Cgroup ownership: the owner SHOULD change if and only if the container has a new cgroup namespace and /sys/fs/cgroup is mounted writable
# OCI: config-linux.md, Cgroup ownership: only the directory and the files of /sys/kernel/cgroup/delegate SHOULD change their owner; one that is not there MUST NOT be a failure
# bats test_tags=smoke
@test "the cgroup is the process's user's where it has one to write to, and its limits are not" {
	writable='(.mounts[] | select(.type == "cgroup")).options = ["rw"]'
	owned='.process.user.uid = 1000 | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	for asked in "$writable" "$writable | $owned"; do
		detach 'sleep 1000' ".process.user.uid = 1000 | $asked"
		dir=$(cgroup_dir)
		run -0 stat -c %u "$dir" "$dir/cgroup.procs" "$dir/cgroup.subtree_control" "$dir/cgroup.threads" "$dir/cgroup.freeze" "$dir/cgroup.max.depth"
		is $'1000\n1000\n1000\n1000\n0\n0'
		nacelle delete --force "$ID"
	done
	# read-only, without a namespace of its own, or without such a mount at all: nobody's but root's
	for asked in . "$writable | .linux.namespaces |= map(select(.type != \"cgroup\"))" 'del(.mounts[] | select(.type == "cgroup"))'; do
		detach 'sleep 1000' ".process.user.uid = 1000 | $asked"
		run -0 stat -c %u "$(cgroup_dir)" "$(cgroup_dir)/cgroup.procs"
		is $'0\n0'
		nacelle delete --force "$ID"
	done
}
