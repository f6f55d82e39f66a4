#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# `vm.hypervisor`: the same machine with QEMU in the place of our own monitor, with KVM (the lab's) or without.
load helpers
load vm-helpers
load network-helpers

QEMU=/usr/bin/qemu-system-x86_64

@test "a hypervisor that is no QEMU, or is not there, is refused in one line" {
	for path in /usr/bin/no-such-qemu-system-x86_64 /bin/sh; do
		payload 'echo silent' ".vm.hypervisor.path = \"$path\""
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has "vm.hypervisor.path"
		has "$path"
		one_line
	done
	payload 'echo silent' '.vm.hypervisor.parameters = ["-s"]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "vm.hypervisor"
	has "path"
	not nacelle state "$ID"
}

# qemu_detach SCRIPT [JQ] - as vm_detach, with QEMU
qemu_detach()
{
	vm_detach "$1" ".vm.hypervisor.path = \"$QEMU\" | ${2:-.}"
}

# qemu_pid - QEMU's process of the container $ID: the child of the attendant's child
qemu_pid()
{
	local monitor
	monitor=$(pgrep -P "$(init_pid)")
	pgrep -P "$monitor"
}

# bats test_tags=lab, vm
@test "in QEMU a virtual machine says what it says in our monitor, and ends as it does" {
	vm_setup
	script='cat /proc/sys/kernel/random/boot_id >&2; echo hello from pid $$ on $(hostname); id; ls /; uname -r; exit 7'
	spec_file "$(jq -n --arg script "$script" '{ upper: "tmpfs", hostname: "hello", args: ["sh", "-c", $script], vm: {} }')"
	run --separate-stderr -7 nacelle run "$SPEC"
	ours=$output
	spec_file "$(jq -n --arg script "$script" --arg qemu "$QEMU" '{ upper: "tmpfs", hostname: "hello",
		args: ["sh", "-c", $script], vm: { hypervisor: { path: $qemu } } }')"
	run --separate-stderr -7 nacelle run "$SPEC"
	diff <(echo "$ours") <(echo "$output")
	# shellcheck disable=SC2154 # set by run
	[[ $stderr =~ ^[0-9a-f-]{36}$ ]]
	[ "$stderr" != "$(cat /proc/sys/kernel/random/boot_id)" ]
}

# bats test_tags=lab, vm, full
@test "in QEMU exec, kill, volumes, disks and streams are what they are in our monitor, and QEMU may do nothing" {
	mkdir "$BATS_TEST_TMPDIR/rw"
	truncate -s 4M "$BATS_TEST_TMPDIR/disk"
	head -c 2097152 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	qemu_detach 'trap "exit 33" USR1; echo ready; while :; do sleep 0.1; done' ".mounts += [
		{ destination: \"/rw\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/rw\", options: [\"bind\"] }]"
	until_true 120 log_has ready
	run -42 nacelle exec "$ID" sh -c 'echo inside >/rw/file; exit 42'
	[ "$(cat "$BATS_TEST_TMPDIR/rw/file")" = inside ]
	nacelle exec -i "$ID" cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	# nobody, without a capability, in a root without a disk's or a home's files
	pid=$(qemu_pid)
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = 65534 ]
	[ "$(awk '/^CapPrm:/ { print $2 }' "/proc/$pid/status")" = 0000000000000000 ]
	[ "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$pid/status")" = 1 ]
	[ ! -e "/proc/$pid/root/root" ]
	[ ! -e "/proc/$pid/root/etc/passwd" ]
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	nacelle kill "$ID" USR1
	run -33 nacelle wait "$ID"
	until_true 10 dead "$pid"
}

# bats test_tags=lab, vm, full
@test "in QEMU a virtual machine is in a network as with our monitor" {
	vm_setup
	network net --subnet 10.77.1.0/24
	keeps
	spec_file "$(jq -n --arg qemu "$QEMU" '{ args: ["sh", "-c", "answer 80 & until answer 127.0.0.1 80 x >/dev/null 2>&1; do sleep 0.1; done; echo ready; wait"], memory: "64M",
		vm: { hypervisor: { path: $qemu } } }')"
	LIMIT=200 nacelle run -d --name "$ID" --network net:ip=10.77.1.9 "$SPEC" >/dev/null
	until_true 200 log_has ready
	ask_host 10.77.1.9 80 word | grep -F "10.77.1.1 word"
}

# bats test_tags=lab, vm, full
@test "a QEMU that ends ends the container, and delete --force ends QEMU" {
	qemu_detach 'echo ready; sleep 1000'
	until_true 120 log_has ready
	kill -KILL "$(qemu_pid)"
	run -125 nacelle wait "$ID"
	nacelle delete "$ID"
	detach 'echo ready; sleep 1000' ".vm.hypervisor.path = \"$QEMU\""
	until_true 120 log_has ready
	pid=$(qemu_pid)
	nacelle delete --force "$ID"
	until_true 5 dead "$pid"
}

# `make emulated`: nothing that a host has to have but QEMU, and a kernel (the lab's)
# bats test_tags=emulated
@test "without any KVM a virtual machine runs all the same, its exec, volume and end included" {
	[ -x "$QEMU" ] || skip "there is no QEMU"
	kernel=$(compgen -G '/var/cache/nacelle-lab/linux-image-6.1.0-*/image' | head -n 1) || skip "the lab has no kernel yet"
	mkdir "$BATS_TEST_TMPDIR/rw"
	# /dev/null is no KVM
	[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
	detach 'trap "exit 33" USR1; echo ready; while :; do sleep 0.1; done' ".vm = { kernel: { path: \"$kernel\" },
		hypervisor: { path: \"$QEMU\" } } | .mounts += [
		{ destination: \"/rw\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/rw\", options: [\"bind\"] }]"
	until_true 200 log_has ready
	run -42 nacelle exec "$ID" sh -c 'uname -r; echo inside >/rw/file; exit 42'
	is "$(cat "${kernel%/*}/release")"
	[ "$(cat "$BATS_TEST_TMPDIR/rw/file")" = inside ]
	head -c 262144 /dev/urandom >"$BATS_TEST_TMPDIR/in"
	# shellcheck disable=SC2094 # it is read twice
	nacelle exec -i "$ID" cat <"$BATS_TEST_TMPDIR/in" | cmp - "$BATS_TEST_TMPDIR/in"
	run -0 nacelle stats --no-stream --format json --interval 10ms "$ID"
	jq -e '.[0].vm | .start.ready and (has("exits") | not) and (has("kvm_exits") | not)' <<<"$output"
	nacelle kill "$ID" USR1
	run -33 nacelle wait "$ID"
}
