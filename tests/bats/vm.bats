#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `vm`: the same container under a kernel of its own. The guest's kernel is the lab's.
# shellcheck disable=SC2154 # stderr is set by bats' run
load helpers
load vm-helpers

@test "without KVM a virtual machine is refused in one line, and no container is made" {
	payload 'echo silent' '.vm = {}'
	# what hides a device that is there, /dev/null, is no KVM
	run -125 unshare -m sh -c '[ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm && exec "$@"' sh \
		"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	has "/dev/kvm"
	# the way out
	has "vm.hypervisor.path"
	one_line
	lacks silent
	not nacelle state "$ID"
}

# bats test_tags=lab, vm
@test "a virtual machine says what the container says, and ends as it does" {
	vm_setup
	script='cat /proc/sys/kernel/random/boot_id >&2; echo hello from pid $$ on $(hostname); id; ls /; ls -ln /etc /bin | head -n 20'
	script+='; grep Cap /proc/self/status; exit 7'
	spec_file "$(jq -n --arg script "$script" '{ upper: "tmpfs", hostname: "hello", args: ["sh", "-c", $script] }')"
	run --separate-stderr -7 nacelle run "$SPEC"
	container=$output
	[ "$stderr" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	run --separate-stderr -7 nacelle run --vm "$SPEC"
	diff <(echo "$container") <(echo "$output")
	[[ $stderr =~ ^[0-9a-f-]{36}$ ]]
	[ "$stderr" != "$(cat /proc/sys/kernel/random/boot_id)" ]
}

# bats test_tags=lab, vm, full
# VM_STREAM: how many MiB; the project's own measure is 1024
@test "a virtual machine's streams carry every byte" {
	vm_setup
	payload 'cat; echo end >&2' '.vm = {}'
	head -c 33554432 /dev/urandom >in
	for ((n = 0; n < ${VM_STREAM:-32}; n += 32)); do cat in; done | tee >(sha256sum >sum-in) |
		LIMIT=1000 nacelle run -i -b "$BUNDLE" "$ID" 2>err | sha256sum >sum-out
	until_true 10 test -s sum-in
	diff sum-in sum-out
	[ "$(cat err)" = end ]
}

# bats test_tags=lab, vm, full
@test "every exit status and every signal of what runs in a virtual machine is told" {
	vm_setup
	payload true '.vm = {} | .process.args = ["sh", "-c", "exit $STATUS"] | .process.env += ["STATUS=0"]'
	for status in 0 1 2 125 126 127 128 129 137 143 254 255; do
		jq --arg status "STATUS=$status" '.process.env[-1] = $status' "$BUNDLE/config.json" >new && mv new "$BUNDLE/config.json"
		run "-$status" nacelle run -b "$BUNDLE" "$ID"
		[ -z "$output" ]
	done
	vm_detach 'exec sleep 1000'
	for status in {0..255}; do
		run "-$status" nacelle exec "$ID" sh -c "exit $status"
	done
	# but 3, which this shell ignores
	for signal in 1 2 {4..16} 24 25 26 27 29 30 31 34 64; do
		run "-$((128 + signal))" nacelle exec "$ID" sh -c "kill -$signal \$\$"
	done
}

# bats test_tags=lab, vm, full
@test "exec, kill and state of a virtual machine" {
	vm_detach 'trap "exit 33" USR1; echo ready; while :; do sleep 0.1; done'
	until_true 60 log_has ready
	status_is running
	run -0 nacelle exec "$ID" cat /proc/sys/kernel/random/boot_id
	[ "$output" != "$(cat /proc/sys/kernel/random/boot_id)" ]
	run -42 nacelle exec "$ID" sh -c 'exit 42'
	[ "$(echo in | nacelle exec "$ID" cat)" = in ]
	run -0 nacelle exec -u 1000:2000 -w /etc -e A=b "$ID" sh -c 'echo $(id -u):$(id -g) $(pwd) $A'
	is "1000:2000 /etc b"
	run -127 nacelle exec "$ID" no-such-program
	has 'exec: "no-such-program": executable file not found in $PATH'
	run -143 nacelle exec "$ID" sh -c 'kill -TERM $$'
	nacelle kill "$ID" USR1
	run -33 nacelle wait "$ID"
}

# bats test_tags=lab, vm, full
@test "exec into a virtual machine that still boots waits for its container" {
	vm_detach 'sleep 1000'
	run -0 nacelle exec "$ID" sh -c 'echo $(id -u) inside; cat /proc/1/comm'
	is $'0 inside\nsleep'
}

# bats test_tags=lab, vm, full
@test "delete --force ends a virtual machine at once, booting or running" {
	vm_detach 'echo ready; sleep 1000'
	nacelle delete --force "$ID"
	detach 'echo ready; sleep 1000' '.vm = {}'
	until_true 60 log_has ready
	pid=$(init_pid)
	nacelle delete --force "$ID"
	until_true 5 dead "$pid"
}

# bats test_tags=lab, vm, full
@test "created first, a virtual machine boots when it is started" {
	vm_setup
	payload 'echo started; exit 5' '.vm = {}'
	create --pid-file "$BATS_TEST_TMPDIR/pid" >"$BATS_TEST_TMPDIR/out"
	status_is created
	[ "$(init_pid)" = "$(cat "$BATS_TEST_TMPDIR/pid")" ]
	nacelle start "$ID"
	until_true 40 dead "$(init_pid)"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = started ]
	nacelle delete "$ID"
}

# bats test_tags=lab, vm, full
@test "volumes of a virtual machine are the host's folders, read-only where they are to be" {
	vm_setup
	mkdir "$BATS_TEST_TMPDIR"/{rw,ro}
	echo outside >"$BATS_TEST_TMPDIR/ro/file"
	cp "$BATS_TEST_TMPDIR"/{ro/file,one}
	run -0 in_container 'cat /ro/file /one; echo inside >/rw/file; chown 1000:2000 /rw/file; chmod 640 /rw/file
		echo no 2>/dev/null >/ro/file || echo refused; mount -o remount,rw /ro 2>/dev/null || echo kept' \
		".vm = {} | .mounts += [
			{ destination: \"/rw\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/rw\", options: [\"bind\"] },
			{ destination: \"/ro\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/ro\", options: [\"bind\", \"ro\"] },
			{ destination: \"/one\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/one\", options: [\"bind\", \"ro\"] }]
		| .process.capabilities |= with_entries(.value += [\"CAP_CHOWN\", \"CAP_FOWNER\", \"CAP_DAC_OVERRIDE\"])"
	is $'outside\noutside\nrefused\nkept'
	[ "$(cat "$BATS_TEST_TMPDIR/rw/file")" = inside ]
	[ "$(stat -c %u:%g:%a "$BATS_TEST_TMPDIR/rw/file")" = 1000:2000:640 ]
	[ "$(cat "$BATS_TEST_TMPDIR/ro/file")" = outside ]
}

# bats test_tags=lab, vm, full
@test "memory, processors and processes of a virtual machine are as many as asked for" {
	vm_setup
	run -0 in_container 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; grep -c ^processor /proc/cpuinfo
		grep MemTotal /proc/meminfo' '.vm = {} | .linux.resources = { memory: { limit: 67108864 }, pids: { limit: 20 },
		cpu: { quota: 150000, period: 100000 } }'
	[[ ${lines[*]} =~ ^"67108864 20 2 MemTotal:"\ +([0-9]+)\ kB$ ]]
	[ "${BASH_REMATCH[1]}" -gt 65536 ] && [ "${BASH_REMATCH[1]}" -lt 140000 ]
	run -137 in_container 'x=$(head -c 100000000 /dev/zero | tr "\0" x); echo survived' \
		'.vm = {} | .linux.resources = { memory: { limit: 33554432, swap: 33554432 } }'
	lacks survived
}

# bats test_tags=lab, vm, full
@test "a program that a virtual machine cannot start is told as by a container" {
	vm_setup
	bundle '.vm = {} | .process.args = ["no-such-program"]'
	run -127 nacelle run -b "$BUNDLE" "$ID"
	has 'exec: "no-such-program": executable file not found in $PATH'
	one_line
	bundle '.vm = {} | .process.args = ["sh", "-c", "kill -KILL $$; exec sleep 1000"] | .linux.namespaces |= map(select(.type != "pid"))'
	run -137 nacelle run -b "$BUNDLE" "$ID"
}

# bats test_tags=lab, vm
@test "what a virtual machine has no home for is refused by name" {
	vm_setup
	for change in '.linux.namespaces |= map(select(.type != "network"))' \
		'.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/ipc" else . end)' \
		'.linux.resources.unified = { "memory.high": "max" }' '.linux.netDevices = { "lo": {} }' \
		'.linux.devices = [{ path: "/dev/kvm", type: "c", major: 10, minor: 232 }]'; do
		bundle ".vm = {} | $change"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has "vm"
		has "support"
		one_line
	done
	bundle '.vm = { kernel: { path: "/etc/passwd" } }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "neither an ELF file nor a bzImage"
	one_line
}

# bats test_tags=lab, vm, full
@test "a guest's kernel that insists on signatures gets the modules with theirs" {
	vm_setup
	run -0 in_container 'cat /sys/module/module/parameters/sig_enforce; echo $(($(cat /proc/sys/kernel/tainted) & 8192))' \
		'.vm = { kernel: { parameters: ["module.sig_enforce=1"] } }'
	is $'Y\n0'
}

# bats test_tags=lab, vm, full
@test "an AppArmor profile confines a virtual machine's monitor, and not what runs in it" {
	vm_setup
	printf 'profile nacelle-machine flags=(attach_disconnected,mediate_deleted) {\n  file,\n  network,\n  capability,\n  signal,\n  deny mount,\n}\n' >profile
	unshare --mount sh -c 'mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
		apparmor_parser -K -r profile'
	vm_detach 'echo up; exec sleep 1000' '.process.apparmorProfile = "nacelle-machine"'
	until_true 100 says up
	run -0 cat "/proc/$(pgrep -P "$(init_pid)")/attr/current"
	is "nacelle-machine (enforce)"
	run -0 nacelle exec "$ID" sh -c 'mount -t tmpfs t /mnt 2>&1 || cat /proc/self/attr/current 2>&1 || echo none'
	[[ $output != *nacelle-machine* ]]
	run -125 nacelle exec --apparmor other "$ID" true
	has "no other profile"
	one_line
	bundle '.vm = {} | .process.apparmorProfile = "nosuch"'
	run -125 nacelle run -b "$BUNDLE" "$ID-2"
	has "no profile 'nosuch' is loaded"
	one_line
}
