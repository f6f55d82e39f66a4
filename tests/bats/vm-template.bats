#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154 # stderr_lines is set by bats' run; what stands in single quotes is expanded elsewhere
#
# Virtual machines that begin as copies of one that has booted: they are machines of their own, and what is no
# template of theirs is never one. How many at once: VM_CLONES; the project's own measure is 100.
load helpers
load vm-helpers
load network-helpers

SMALL='.linux.resources = { memory: { limit: 33554432 }, devices: [{ allow: true, access: "rwm" }] }'

templates()
{
	find "$DATA/vm" -name 'template-*'
}
# machine FILTER [ARG...] - run one that says who it is: five lines that nobody else's are, and what time it is
machine()
{
	local tool=$BATS_TEST_DIRNAME/../../build/tools/vsock-cid
	payload 'cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | sha256sum
		sed -n "s/ .*stack.*//p" /proc/self/maps
		mknod /dev/vsock c 10 "$(sed -n "s/ *\([0-9]*\) vsock/\1/p" /proc/misc)" && /cid /dev/vsock; date +%s' \
		".vm = { template: true } | $SMALL | .process.capabilities |= with_entries(.value += [\"CAP_MKNOD\"]) | .mounts += [{ destination: \"/cid\",
		type: \"bind\", source: \"$tool\", options: [\"bind\", \"ro\"] }] | $1"
	LIMIT=150 nacelle run "${@:2}" -b "$BUNDLE" "$ID"
}
# differ N FILE... - none of the first N lines is the same in two of the files
differ()
{
	local line n=$1
	shift
	for ((line = 1; line <= n; line++)); do
		[ "$(sed -sn "${line}p" "$@" | sort -u | wc -l)" = $# ] || return 1
	done
}
# is_clone ID - its monitor has a template's memory
is_clone()
{
	grep -q "$DATA/vm/template-" "/proc/$(pgrep -P "$(nacelle state "$1" | jq .pid)")/maps"
}

@test "--template, --no-template and --hypervisor are about a virtual machine" {
	payload true
	for option in --template --no-template --hypervisor=/usr/bin/qemu-system-x86_64; do
		run -125 nacelle run "$option" -b "$BUNDLE" "$ID"
		has "${option%=*}"
		has "--vm"
		one_line
	done
	run -125 nacelle create --no-template -b "$BUNDLE" "$ID"
	has "--no-template"
	one_line
	run -125 nacelle create --template --no-template -b "$BUNDLE" "$ID"
	has "--template and --no-template"
	bundle '.vm = {}'
	run -125 nacelle run --hypervisor qemu -b "$BUNDLE" "$ID"
	has "not an absolute path"
	one_line
	bundle '.vm = { template: 1 }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "vm.template"
	one_line
}

@test "a template for a machine of QEMU's is refused by name" {
	cp /bin/true qemu-system-x86_64
	payload true ".vm = { template: true, hypervisor: { path: \"$PWD/qemu-system-x86_64\" } }"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "vm.template"
	has "vm.hypervisor.path"
	one_line
	payload true ".vm = {}"
	run -125 nacelle run --template --hypervisor "$PWD/qemu-system-x86_64" -b "$BUNDLE" "$ID"
	has "vm.template"
	one_line
}

# bats test_tags=lab, vm
@test "clones of one template share no random number, boot id, address space or context id, and know the time" {
	vm_setup
	before=$(date +%s)
	machine . >out-1
	# two at once
	ID=$ID-b machine . >out-2 &
	other=$!
	machine . >out-3
	wait "$other"
	after=$(date +%s)
	differ 5 out-1 out-2 out-3
	for n in 1 2 3; do
		[ "$(wc -l <"out-$n")" = 6 ]
		[ "$(sed -n 5p "out-$n")" -gt 3 ]
		[ "$(sed -n 6p "out-$n")" -ge "$before" ] && [ "$(sed -n 6p "out-$n")" -le "$after" ]
	done
	[ "$(templates | wc -l)" = 1 ]
	[ "$(stat -c '%a %u' "$(templates)")" = "600 0" ]
}

# monitor_command VCPUS USE - of a monitor alone, with a template of its own
monitor_command()
{
	local build=$BATS_TEST_DIRNAME/../../build kernel
	# unpacked in the cache, where it was packed
	kernel=$(compgen -G "$DATA/vm/vmlinux-*" || echo "/boot/vmlinuz-$(uname -r)")
	command=("$build/bench/vm-launch" -q -m 96 -c "$1" -i "$(echo "$DATA"/vm/initramfs-*)" -a "panic=-1 reboot=t tsc=reliable no_timer_check quiet" \
		-d "vsock:77:$PWD/sock" -d rng -d balloon -d fs:0 -t "$2:template-$1" "$build/bin/nacelle-vmm" "$kernel")
}
# rests PID - KiB of its own memory of a guest that does not run: for two seconds none of its processors' threads has
rests()
{
	local before
	before=$(grep -h ctxt_switches /proc/"$1"/task/*/status)
	sleep 2
	[ "$before" = "$(grep -h ctxt_switches /proc/"$1"/task/*/status)" ] &&
		awk '/^[0-9a-f]+-/ { ours = /template-/ } $1 == "Anonymous:" && ours { sum += $2 } END { print sum + 0 }' "/proc/$1/smaps"
}

# bats test_tags=lab, vm
@test "a copy that nobody has spoken to stands still with at most 256 KiB of its own, and answers when it is spoken to" {
	vm_setup
	machine . >/dev/null
	for vcpus in 1 2; do
		monitor_command "$vcpus" make
		timeout 120 "${command[@]}" 3>&-
		[ -s "template-$vcpus" ]
		monitor_command "$vcpus" clone
		"${command[@]}" 3>&- &
		launcher=$!
		until_true 20 eval 'monitor=$(pgrep -P "$launcher") && own=$(rests "$monitor") && [ "$own" -gt 0 ]'
		echo "$vcpus processors: $own KiB"
		[ "$vcpus" -gt 1 ] || [ "$own" -le 256 ]
		# the agent hears a stream that has nothing to say, and closes it; twice, for it is awake then
		for _ in first second; do
			run -0 timeout 30 "$BATS_TEST_DIRNAME/../../build/bench/vsock-connect" "$PWD/sock" 700 </dev/null
			[ -z "$output" ]
		done
		kill "$monitor"
		wait "$launcher" || :
	done
}

# bats test_tags=lab, vm
@test "with --no-template, or template false, a machine boots, and nothing is kept of it" {
	vm_setup
	machine '.vm.hwConfig = { memory: 104857600 }' --no-template >out-1
	machine '.vm = { template: false, hwConfig: { memory: 104857600 } }' >out-2
	differ 5 out-1 out-2
	not grep -rl "memory 104857600" "$DATA/vm" --include='template-*'
}

# bats test_tags=lab, vm
@test "a clone has its streams, its volumes and its status, and takes exec and signals" {
	vm_setup
	mkdir rw ro
	echo outside >ro/file
	keeps
	payload 'trap "echo told; exit 33" USR1; cat /ro/file; echo no 2>/dev/null >/ro/file || echo refused; read line; echo "read $line"
		echo inside >/rw/file; while :; do sleep 0.1; done' ".vm = { template: true } | $SMALL | .mounts += [
		{ destination: \"/rw\", type: \"bind\", source: \"$PWD/rw\", options: [\"bind\"] },
		{ destination: \"/ro\", type: \"bind\", source: \"$PWD/ro\", options: [\"bind\", \"ro\"] }]"
	mkfifo in
	LIMIT=150 nacelle run -i -b "$BUNDLE" "$ID" <in >out 3>&- &
	job=$!
	exec {hold}>in
	until_true 100 grep -q refused out
	is_clone "$ID"
	echo word >&"$hold"
	until_true 30 test -s rw/file
	run -42 nacelle exec "$ID" sh -c 'cat /rw/file; exit 42'
	is inside
	[ "$(echo in | nacelle exec "$ID" cat)" = in ]
	nacelle kill "$ID" USR1
	status=0
	wait "$job" || status=$?
	exec {hold}>&-
	[ "$status" = 33 ]
	[ "$(tr '\n' ' ' <out)" = "outside refused read word told " ]
}

# bats test_tags=lab, vm, full
@test "a template that is no longer what it was is not used: one warning, and the machine boots" {
	vm_setup
	machine . >/dev/null
	file=$(templates)
	for how in 'truncate -s -4096 $file' 'printf x | dd of=$file bs=1 seek=20000000 conv=notrunc status=none' \
		'printf x | dd of=$file bs=1 seek=9000 conv=notrunc status=none' 'chmod 644 $file' 'chown 1:1 $file' \
		'mv $file moved && ln -s $PWD/moved $file' 'rm $file && mkfifo $file' ': >$file' 'ln $file linked'; do
		eval "$how"
		run --separate-stderr -0 machine .
		[ "${#stderr_lines[@]}" = 1 ] && [[ $stderr == *template*"booting instead"* ]]
		[ "${#lines[@]}" = 6 ]
		# the next makes a new one, and says nothing
		run --separate-stderr -0 machine .
		[ -z "$stderr" ]
		[ "$(templates | wc -l)" = 1 ] && [ -f "$file" ] && [ ! -L "$file" ]
	done
}

# bats test_tags=lab, vm, full
@test "another agent, monitor, command line, memory or number of processors has a template of its own" {
	vm_setup
	rm -f "$DATA"/vm/template-*
	cp -r "$(dirname "$NACELLE")" programs
	NACELLE=$PWD/programs/nacelle
	machine . >/dev/null
	machine '.vm.kernel = { parameters: ["nacelle.test=1"] }' >/dev/null
	machine '.vm.hwConfig = { vcpus: 2 }' >out-2
	machine '.vm.hwConfig = { memory: 134217728 }' >/dev/null
	[ "$(templates | wc -l)" = 4 ]
	machine '.vm.hwConfig = { vcpus: 2 }' >out-3
	differ 5 out-2 out-3
	[ "$(templates | wc -l)" = 4 ]
	cp programs/nacelle-guest new && mv new programs/nacelle-guest
	machine . >/dev/null
	[ "$(templates | wc -l)" = 5 ]
	cp programs/nacelle-vmm new && mv new programs/nacelle-vmm
	machine . >/dev/null
	[ "$(templates | wc -l)" = 6 ]
	cp -L "/boot/vmlinuz-$(uname -r)" kernel
	machine ".vm.kernel = { path: \"$PWD/kernel\" }" >/dev/null
	templates >before
	printf x >>kernel
	machine ".vm.kernel = { path: \"$PWD/kernel\" }" >/dev/null
	[ "$(templates | grep -vcFf before)" = 1 ]
}

# bats test_tags=lab, vm, full
@test "clones in one network have names, addresses and numbers of their own" {
	vm_setup
	network net --subnet 10.77.1.0/24
	keeps
	for n in 1 2; do
		spec_file "{ args: [\"sh\", \"-c\", \"answer 80 & exec sleep 1000\"],
			vm: { template: true }, memory: \"32M\" }"
		LIMIT=150 nacelle run -d --name "$ID-$n" --network net --hostname "host-$n" "$SPEC" >/dev/null
		until_true 60 nacelle exec "$ID-$n" test -e /sys/class/net/eth0
		nacelle exec "$ID-$n" sh -c 'cat /proc/sys/kernel/hostname /sys/class/net/eth0/address' >"out-$n"
	done
	differ 2 out-1 out-2
	[ "$(sed -n 1p out-2)" = host-2 ]
	# as containers do they know each other by the container's name
	run -0 nacelle exec "$ID-2" sh -c 'answer $(awk "/-1$/ { print \$1 }" /etc/hosts) 80 word'
	has "10.77.1.3 word"
}

one_template()
{
	[ "$(templates | wc -l)" = 1 ]
}
# bats test_tags=lab, vm, full
@test "many begin at once: one makes the template, all are machines of their own, and nothing is left" {
	vm_setup
	rm -f "$DATA"/vm/template-*
	payload 'cat /proc/sys/kernel/random/boot_id; read line; exit 5' ".vm = { template: true } | $SMALL"
	vm_at_once "${VM_CLONES:-12}" 500 one_template
}

# bats test_tags=lab, vm, full
@test "density of machines that boot, of copies and of QEMU's: each has memory of its guest's and of its own" {
	vm_setup
	spec_file '{ args: ["sh", "-c", "echo ready; exec sleep 1000"], memory: "32M" }'
	LIMIT=500 run -0 nacelle density -n 1 --as vm --as vm-template --as qemu --settle 60s --json out.json "$SPEC"
	[ "$(jq -r '.series[].kind' out.json | tr '\n' ' ')" = "vm vm-template qemu " ]
	jq -e '[.series[].steps[-1] | .payload.pss > 4000000 and .overhead.pss > 0 and .answered.p50Ns > 0] | all' out.json
	# what a copy has for itself alone
	jq -e '.series[0].steps[-1].payload.uss > 2 * .series[1].steps[-1].payload.uss' out.json
	[ "$(nacelle list -q)" = "" ]
}
