#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# cgroup v2: limits that hold, read back from the real files. Needs real controllers.
load helpers

file()
{
	cat "$(cgroup_dir)/$1"
}

# bats file_tags=lab

# OCI: config-linux.md, Memory: limit, reservation and swap are the limits of the cgroup, -1 is unlimited
# OCI: config-linux.md, CPU: shares, quota, period, burst, idle, cpus, mems are the limits of the cgroup
# OCI: config-linux.md, Huge page limits: limits are those of reservations where the kernel has them
@test "every limit is in its file" {
	detach 'sleep 1000' '.linux.resources = {
		cpu: { shares: 1024, quota: 50000, period: 100000, burst: 10000, cpus: "0", mems: "0" },
		memory: { limit: 67108864, reservation: 33554432, swap: 100663296 },
		pids: { limit: 32 },
		blockIO: { weight: 500 },
		unified: { "memory.high": "60000000", "memory.oom.group": "1" } }'
	[ "$(file cpu.max)" = "50000 100000" ]
	[ "$(file cpu.max.burst)" = 10000 ]
	[ "$(file cpu.weight)" = 100 ]
	[ "$(file cpuset.cpus)" = 0 ]
	[ "$(file cpuset.mems)" = 0 ]
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file memory.low)" = 33554432 ]
	[ "$(file memory.swap.max)" = 33554432 ]
	[ "$(file memory.high)" = 59998208 ]
	[ "$(file memory.oom.group)" = 1 ]
	[ "$(file pids.max)" = 32 ]
}

# OCI: config-linux.md, CPU: shares, quota, period, burst, idle, cpus, mems are the limits of the cgroup
@test "cpu.idle" {
	detach 'sleep 1000' '.linux.resources = { cpu: { idle: 1 } }'
	[ "$(file cpu.idle)" = 1 ]
}

@test "a process that takes more memory than it may is killed: 137, and the message and the state say OOM" {
	payload 'dd if=/dev/zero of=/dev/null bs=64M count=1' '.linux.resources.memory = { limit: 33554432, swap: 33554432 }'
	run -137 nacelle run -b "$BUNDLE" "$ID"
	has memory
	[[ ${output,,} == *oom* || ${output,,} == *"out of memory"* ]]
	nothing_left
	detach 'exec dd if=/dev/zero of=/dev/null bs=64M count=1' '.linux.resources.memory = { limit: 33554432, swap: 33554432 }'
	until_true 30 status_is stopped
	[ "$(state .exitStatus)" = 137 ]
	[ "$(state .oomKilled)" = true ]
}

# OCI: config-linux.md, PIDs: limit is the most tasks of the cgroup
@test "pids.max stops a fork bomb" {
	# its shell gives up when it cannot fork; what is left then needs no fork
	detach '(while :; do sleep 1000 & done); exec sleep 1000' '.linux.resources.pids.limit = 20'
	events=$(cgroup_dir)/pids.events
	until_true 60 grep -E 'max [1-9]' "$events"
	[ "$(file pids.current)" -le 20 ]
	nacelle delete --force "$ID"
	nothing_left
}

@test "cpu.max halves a busy loop's share" {
	detach 'while :; do :; done' '.linux.resources.cpu = { quota: 50000, period: 100000 }'
	usage() { awk '/^usage_usec/ { print $2 }' "$(cgroup_dir)/cpu.stat"; }
	used=$(usage)
	from=$(date +%s%6N)
	sleep 4
	share=$((($(usage) - used) * 100 / ($(date +%s%6N) - from)))
	echo "share $share %"
	[ $share -ge 25 ]
	[ $share -le 60 ]
	grep -E 'nr_throttled [1-9]' "$(cgroup_dir)/cpu.stat"
}

# kmsg stands for a device that no default rule is about
kmsg='.linux.devices = [{ path: "/dev/mine", type: "c", major: 1, minor: 11, fileMode: 438 }] |
	.process.capabilities |= map_values(. + ["CAP_SYSLOG"])'
try='(true </dev/mine) && echo can read; (true >/dev/mine) && echo can write; true'

@test "a device that is denied gives EPERM, one that is allowed works" {
	run -0 in_container "$try" "$kmsg | .linux.resources.devices = [{ allow: true, access: \"rwm\" }]"
	is $'can read\ncan write'
	run -0 in_container "$try; head -c 1 /dev/zero | wc -c" "$kmsg | .linux.resources.devices = [{ allow: false, access: \"rwm\" }]"
	lacks "can "
	has "Operation not permitted"
	[ "${lines[-1]}" = 1 ]
}

# OCI: config-linux.md, Allowed device list: entries MUST be applied in the listed order
@test "a device rule can allow reading and refuse writing" {
	run -0 in_container "$try" "$kmsg | .linux.resources.devices = [{ allow: false, access: \"rwm\" },
		{ allow: true, type: \"c\", major: 1, minor: 11, access: \"r\" }]"
	has "can read"
	lacks "can write"
}

# OCI: config-linux.md, Control groups: an absolute cgroupsPath MUST be relative to the mount point of cgroups, and consistently the same place
@test "cgroupsPath is where the container lives, and it is gone with it" {
	bundle '.linux.cgroupsPath = "/test/deep/\($id)"' --arg id "$ID"
	payload 'sleep 1000' ".linux.cgroupsPath = \"/test/deep/$ID\""
	keeps
	nacelle run -d -b "$BUNDLE" "$ID"
	[ "$(cgroup_dir)" = "$CGROUP/test/deep/$ID" ]
	nacelle delete --force "$ID"
	[ ! -e "$CGROUP/test/deep/$ID" ]
	rmdir "$CGROUP/test/deep" "$CGROUP/test"
}

# OCI: config-linux.md, Control groups: a cgroup that is not fit, frozen or not empty at create, MUST generate an error
@test "a cgroup that has processes of others in it is refused and left alone" {
	mkdir "$CGROUP/others-$ID"
	sleep 1000 3>&- &
	echo $! >"$CGROUP/others-$ID/cgroup.procs"
	bundle ".linux.cgroupsPath = \"/others-$ID\""
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	kill -0 $!
	kill $!
	until_true 20 rmdir "$CGROUP/others-$ID"
}

# OCI: config-linux.md, Memory: what cgroup v2 does not have (kernel, swappiness, disableOOMKiller) is refused by name
# OCI: config-linux.md, Network: classID and priorities are cgroup v1's, and refused by name
@test "cgroup v1's own limits are refused by name" {
	for filter in '.linux.resources.memory.kernelTCP = 1000000' '.linux.resources.cpu.realtimeRuntime = 1000' \
		'.linux.resources.network = { classID: 1 }' '.linux.resources.memory.swappiness = 10'; do
		bundle "$filter"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has linux.resources
		one_line
	done
}

@test "a limit that is no limit of this machine's: cpus that are not there" {
	bundle '.linux.resources.cpu.cpus = "999"'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has cpuset.cpus
	one_line
	nothing_left
}

@test "the short form's memory, cpus and pids" {
	spec_file '{ "args": ["sleep", "1000"], "memory": "64M", "cpus": 0.5, "pids": 10 }'
	keeps
	nacelle run -d --name "$ID" "$SPEC"
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file cpu.max)" = "50000 100000" ]
	[ "$(file pids.max)" = 10 ]
}

@test "flags win over the spec" {
	spec_file '{ "args": ["sleep", "1000"], "memory": "64M" }'
	keeps
	nacelle run -d --name "$ID" -m 32M --cpus 1.5 --pids-limit 7 "$SPEC"
	[ "$(file memory.max)" = 33554432 ]
	[ "$(file cpu.max)" = "150000 100000" ]
	[ "$(file pids.max)" = 7 ]
}

@test "from inside the cgroup cannot be written" {
	run -1 in_container 'echo max >/sys/fs/cgroup/memory.max' '.linux.resources.memory.limit = 67108864'
	has "Read-only file system"
}
