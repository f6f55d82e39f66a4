#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # stderr is set by bats' run
# A kernel of the user's own that is not Linux: the machine is all there is of the container.
load helpers
load vm-helpers

# kernel_make NAME INSTRUCTIONS - a kernel of some instructions, and SPEC, which has it
kernel_make()
{
	printf '.globl _start\n_start: %s\n' "$2" | gcc -x assembler -nostdlib -static -no-pie \
		-Wl,-Ttext-segment=0x200000,--build-id=none -o "$BATS_TEST_TMPDIR/$1" -
	kernel_spec "$1" '.'
}
# kernel_spec NAME FILTER - SPEC with that kernel, changed by the filter
kernel_spec()
{
	spec_file "$(jq -n --arg path "$BATS_TEST_TMPDIR/$1" '{ vm: { kernel: { path: $path } }, args: ["a"], upper: "tmpfs" }' | jq "$2")"
}
HALT='1: hlt; jmp 1b'

# bats test_tags=lab, vm
@test "a kernel of one's own says what it has to say, with the container's arguments, and ends the container" {
	vm_setup
	cp -r "$BATS_TEST_DIRNAME/../../examples/kernel" "$BATS_TEST_TMPDIR/kernel"
	make -s -C "$BATS_TEST_TMPDIR/kernel" clean hello
	run --separate-stderr -0 nacelle run "$BATS_TEST_TMPDIR/kernel/kernel.json"
	is "hello from a kernel of our own: quiet nice to meet you"
	[ -z "$stderr" ]
	# arguments of the command line are the kernel's as well; a console socket and a log are where they always are
	keeps
	nacelle run -d --name "$ID" "$BATS_TEST_TMPDIR/kernel/kernel.json" and you >/dev/null
	run -0 nacelle wait "$ID"
	run -0 nacelle logs "$ID"
	has "hello from a kernel of our own: quiet and you"
}

# bats test_tags=lab, vm
@test "a kernel of one's own that hangs is stopped, held and deleted; nobody in it can be asked" {
	vm_setup
	kernel_make hang "$HALT"
	keeps
	nacelle run -d --name "$ID" "$SPEC" >/dev/null
	status_is running
	run -125 nacelle exec "$ID" true
	one_line
	has "not Linux"
	run -125 nacelle ps "$ID"
	one_line
	has "not Linux"
	nacelle pause "$ID"
	status_is paused
	nacelle resume "$ID"
	run -0 nacelle stats --no-stream --format json --interval 10ms "$ID"
	jq -e '.[0].vm' <<<"$output"
	nacelle stop "$ID"
	run -143 nacelle wait "$ID"
	nacelle delete "$ID"
	nacelle run -d --name "$ID" "$SPEC" >/dev/null
	pid=$(init_pid)
	nacelle delete --force "$ID"
	until_true 2 dead "$pid"
	not pgrep -f nacelle-vmm
}

# bats test_tags=lab, vm, full
@test "a kernel of one's own that breaks the machine is told in one line" {
	vm_setup
	kernel_make fault ud2
	run -125 nacelle run "$SPEC"
	one_line
	has "triple fault"
}

# bats test_tags=lab, vm
@test "what needs Linux in the machine is refused by name for another kernel" {
	vm_setup
	kernel_make hang "$HALT"
	run -125 nacelle run --template "$SPEC"
	one_line
	has "a template is for Linux alone"
	kernel_spec hang '.tty = true'
	run -125 nacelle run "$SPEC"
	one_line
	has "terminal"
	kernel_spec hang '.vm.hypervisor = { path: "/usr/bin/qemu-system-x86_64" }'
	run -125 nacelle run "$SPEC"
	one_line
	has "vm.hypervisor is for Linux alone"
	kernel_spec hang '.args = ["x" * 3000]'
	run -125 nacelle run "$SPEC"
	one_line
	has "command line"
}
