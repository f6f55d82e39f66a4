#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Verbs of a virtual machine that runs: what is the guest's is asked of it, what is the host's is done to its cell.
load helpers
load vm-helpers

# inside FILE - of the guest's cgroup file system, as the container there sees it
inside()
{
	nacelle exec "$ID" cat "/sys/fs/cgroup/$1"
}

# bats test_tags=lab, vm, full
@test "limits of a virtual machine are changed where they hold, all of them or none" {
	vm_detach 'echo ready; sleep 1000' '.linux.resources = { memory: { limit: 67108864 }, pids: { limit: 20 } }'
	until_true 60 log_has ready
	cell=$(cgroup_dir)
	memory=$(cat "$cell/memory.max")
	run -0 nacelle update --memory 40M --pids-limit 7 --cpu-quota 50000 --cpu-period 100000 "$ID"
	is ""
	[ "$(inside memory.max)" = 41943040 ]
	[ "$(inside pids.max)" = 7 ]
	[ "$(cat "$cell/cpu.max")" = "50000 100000" ]
	# the cell's own limit is that of the machine
	[ "$(cat "$cell/memory.max")" = "$memory" ]

	# no more than the machine was given
	run -125 nacelle update --memory 8G --cpu-quota 20000 "$ID"
	has "no more are given"
	one_line
	[ "$(inside memory.max)" = 41943040 ]
	[ "$(cat "$cell/cpu.max")" = "50000 100000" ]
	run -125 nacelle update -r - "$ID" <<<'{ "unified": { "memory.high": "max" }, "pids": { "limit": 5 } }'
	has "unified"
	has "vm"
	one_line
	# the guest says yes, the cell's kernel says no: the guest's old limits hold again
	run -125 nacelle update --pids-limit 9 --cpuset-cpus 4000 "$ID"
	one_line
	[ "$(inside pids.max)" = 7 ]
	# and what is recorded is what holds
	jq -e '.linux.resources | .memory.limit == 41943040 and .pids.limit == 7 and .cpu.quota == 50000' "$STATE/$ID/config.json"
}

# bats test_tags=lab, vm, full
@test "ps, stats and events look into a virtual machine, and pause holds it" {
	vm_detach 'echo ready; sleep 1000 & exec sleep 2000'
	until_true 60 log_has ready
	run -0 nacelle ps "$ID"
	[[ ${lines[0]} =~ ^PID\ +PPID\ +USER\ +STAT\ +TIME\ +COMMAND$ ]]
	has "sleep 1000"
	has "sleep 2000"
	lacks nacelle
	[ "${#lines[@]}" = 3 ]
	[ "$(nacelle ps -f json "$ID" | jq length)" = 2 ]
	run -125 nacelle ps "$ID" -ef
	has "virtual machine"
	one_line

	run -0 nacelle stats --no-stream --format json --interval 10ms "$ID"
	jq -e '.[0].vm | .start.ready and .exits.mmio_write > 0 and .kvm_exits >= .start.kvm_exits and .start.kvm_exits > .start.kvm_interrupts and .start.kvm_interrupts > 0
		and .broken == 0 and .refused == 0 and .start.time_us > 0' <<<"$output"
	run -0 nacelle events --stats "$ID"
	jq -e '.data.vm.kvm_exits > 0 and .data.vm.exits.mmio_write > 0' <<<"$output"

	nacelle pause "$ID"
	status_is paused
	run -125 nacelle exec "$ID" true
	has paused
	run -125 nacelle ps "$ID"
	has paused
	one_line
	nacelle resume "$ID"
	run -0 nacelle exec "$ID" echo again
	is again
}

# bats test_tags=lab, vm, full
@test "memory that a virtual machine's guest has no use for goes back to the host" {
	vm_detach 'echo ready; sleep 1000' '.linux.resources = { memory: { limit: 402653184 } }
		| .mounts += [{ destination: "/big", type: "tmpfs", source: "tmpfs", options: ["size=300m"] }]'
	until_true 60 log_has ready
	cell=$(cgroup_dir)
	before=$(cat "$cell/memory.current")
	nacelle exec "$ID" sh -c 'dd if=/dev/zero bs=1M count=200 2>/dev/null of=/big/file'
	full=$(cat "$cell/memory.current")
	[ $((full - before)) -gt 150000000 ]
	nacelle exec "$ID" rm /big/file
	until_true 60 eval '[ $(cat '"$cell"'/memory.current) -lt $(('"$full"' - 120000000)) ]'
	echo "# memory of the machine: $before, with 200 MiB in use $full, given up $(cat "$cell/memory.current")" >&3
	nacelle stats --no-stream --format json --interval 10ms "$ID" | jq -e '.[0].vm.memory_returned > 120000000'
}

# bats test_tags=lab, vm, full
@test "a virtual machine has the host's random numbers" {
	vm_setup
	run -0 in_container 'cat /sys/class/misc/hw_random/rng_current; head -c 32 /dev/random | wc -c' '.vm = {}'
	is $'virtio_rng.0\n32'
}
