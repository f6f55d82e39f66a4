#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Roots of virtual machines from file system images: EROFS, read from the host's page cache where it lies (virtio-pmem, DAX).
load helpers
load vm-helpers

IMAGE=${NACELLE_IMAGE:-${NACELLE%/*}/nacelle-image}

# image_make - a layer that is a file, of the form that nacelle-image gives it; $EROFS
image_make()
{
	EROFS=$BATS_TEST_TMPDIR/root.erofs
	rootfs_own
	head -c 8M /dev/urandom >"$ROOTFS/large"
	mkfs.erofs -Enoinline_data "$EROFS" "$ROOTFS" >/dev/null
	truncate -s %2M "$EROFS"
	mkdir "$BATS_TEST_TMPDIR/top"
	echo above >"$BATS_TEST_TMPDIR/top/file"
}

# image_spec SCRIPT [FILTER]
image_spec()
{
	SPEC=$BATS_TEST_TMPDIR/spec.json
	jq -n --arg script "$1" --arg image "$EROFS" --arg top "$BATS_TEST_TMPDIR/top" \
		"{ layers: [\$image, \$top], upper: \"tmpfs\", vm: true, args: [\"sh\", \"-c\", \$script] } | ${2:-.}" >"$SPEC"
}

# bats test_tags=lab, vm, kernel
@test "a layer that is an image is memory of the guest: nothing is copied, and nobody writes to it" {
	vm_setup
	image_make
	sum=$(sha256sum <"$EROFS")
	# in place: what was read is not in the guest's page cache. The container's own right to the device would not help
	image_spec 'cached() { sed -n "s/^Cached: *\([0-9]*\).*/\1/p" /proc/meminfo; }
		before=$(cached); sha256sum </large; [ $(($(cached) - before)) -lt 4096 ] && echo in place
		cat /file; echo new >/etc/group; cat /etc/group; cat /sys/block/pmem0/queue/dax
		mknod /dev/raw b $(tr : " " </sys/block/pmem0/dev); dd if=/dev/raw of=/tmp/x count=1 2>/dev/null && echo open
		dd if=/large of=/dev/raw count=1 conv=fsync 2>/dev/null || echo kept
		blockdev --setrw /dev/raw; dd if=/large of=/dev/raw seek=2 count=1 conv=fsync 2>/dev/null; echo over' \
		'.cap_add = ["MKNOD", "SYS_ADMIN"] | .linux.resources.devices = [{ allow: true, access: "rwm" }]'
	run -0 nacelle run "$SPEC"
	is "$(sha256sum <"$ROOTFS/large")"$'\nin place\nabove\nnew\n1\nopen\nkept\nover'
	[ "$(sha256sum <"$EROFS")" = "$sum" ]
}

# bats test_tags=lab, vm, full
@test "a kernel without the modules for memory gets the image as a disk, and says so when it is asked" {
	vm_setup
	image_make
	release=$(uname -r)
	modules=$(readlink -f "/lib/modules/$release")
	mkdir -p "$BATS_TEST_TMPDIR/kernel/lib/modules/$release"
	cp "/boot/vmlinuz-$release" "$BATS_TEST_TMPDIR/kernel/image"
	ln -s "$modules/kernel" "$modules/modules.builtin" "$BATS_TEST_TMPDIR/kernel/lib/modules/$release"
	grep -v /virtio_pmem "$modules/modules.dep" >"$BATS_TEST_TMPDIR/kernel/lib/modules/$release/modules.dep"
	image_spec 'cat /file; sha256sum </large; ls -d /sys/block/[pv]*; echo x >/etc/group; cat /sys/block/vda/ro' \
		".vm = { kernel: { path: \"$BATS_TEST_TMPDIR/kernel/image\" } }"
	run -0 --separate-stderr nacelle --debug run "$SPEC"
	is "above"$'\n'"$(sha256sum <"$ROOTFS/large")"$'\n/sys/block/vda\n1'
	# shellcheck disable=SC2154 # set by bats' run
	[[ $stderr == *"they become disks (virtio-blk)"* ]]
}

# bats test_tags=lab, vm
@test "an image of the store is memory of the guest, made once and shared by all machines of it" {
	vm_setup
	export NACELLE_STORE=$BATS_TEST_TMPDIR/store
	"$IMAGE" import "$ROOTFS" plain
	echo '{"image":"plain","vm":true,"args":["sh","-c","ls -d /sys/block/pmem0; echo x >/new; echo ready; sleep 1000"]}' >spec.json
	keeps
	nacelle run -d --name "$ID" ./spec.json
	file=$("$IMAGE" erofs plain)
	inode=$(stat -c %i "$file")
	nacelle run -d --name "$ID-2" ./spec.json
	until_true 60 log_has ready
	log_has /sys/block/pmem0
	ID=$ID-2 until_true 60 log_has ready
	[ "$(stat -c %i "$file")" = "$inode" ]
	# both map the file itself, for reading alone
	for id in "$ID" "$ID-2"; do
		grep " $inode .*erofs/.*/image" /proc/$(pgrep -P "$(nacelle state "$id" | jq .pid)")/maps | grep " r--s "
	done
	nacelle delete --force "$ID-2"
	nacelle delete --force "$ID"
	# as folders, where that is asked for, or where no file can be made
	jq '.lower = "layers" | .args[2] |= sub("sleep.*"; "")' spec.json >layers.json
	run nacelle run ./layers.json
	has "ready"
	has "No such file"
}

# bats test_tags=lab, vm, full
@test "memory of machines is merged by the host's kernel where each allows it, and nowhere else" {
	vm_setup
	[ -w /sys/kernel/mm/ksm/run ]
	detach 'echo ready; sleep 1000' '.vm = { ksm: true }'
	payload 'echo ready; sleep 1000' '.vm = {}'
	nacelle run -d -b "$BUNDLE" "$ID-2"
	until_true 60 log_has ready
	flags() { grep -c '^VmFlags:.* mg\b' "/proc/$(pgrep -P "$(nacelle state "$1" | jq .pid)")/smaps" || true; }
	[ "$(flags "$ID")" -ge 1 ]
	[ "$(flags "$ID-2")" = 0 ]
	echo 10000 >/sys/kernel/mm/ksm/pages_to_scan
	echo 1 >/sys/kernel/mm/ksm/run
	# also within one machine: its free pages are all the same
	until_true 60 eval '[ "$(cat /sys/kernel/mm/ksm/pages_shared)" -gt 0 ]'
	echo 2 >/sys/kernel/mm/ksm/run
	nacelle delete --force "$ID-2"
}
