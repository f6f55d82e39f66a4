#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Block devices and images of disks in virtual machines: virtio-blk, by the same spec as a container's.
load helpers
load vm-helpers

eval "helpers_$(declare -f teardown)"
teardown()
{
	[ -z "${LOOP:-}" ] || losetup -d "$LOOP"
	helpers_teardown
}

disk_make()
{
	DISK=$BATS_TEST_TMPDIR/disk.img
	mkdir "$BATS_TEST_TMPDIR/content"
	echo outside >"$BATS_TEST_TMPDIR/content/file"
	truncate -s 16M "$DISK"
	mke2fs -q -F -t ext4 -d "$BATS_TEST_TMPDIR/content" "$DISK"
}

disk_mount()
{
	echo ".mounts += [{ destination: \"/disk\", type: \"ext4\", source: \"$1\", options: [\"${2:-rw}\"] }]"
}

# bats test_tags=lab, vm
@test "an image with a file system is mounted in a virtual machine, and keeps what is written" {
	vm_setup
	disk_make
	run -0 in_container 'cat /disk/file; echo inside >/disk/new; grep -c " /disk ext4 " /proc/mounts' \
		".vm = {} | $(disk_mount "$DISK")"
	is $'outside\n1'
	e2fsck -fn "$DISK"
	[ "$(debugfs -R "cat /new" "$DISK" 2>/dev/null)" = inside ]
}

# bats test_tags=lab, vm, full
@test "a disk that is to be read only is so whatever the guest does" {
	vm_setup
	disk_make
	sum=$(sha256sum <"$DISK")
	run -0 in_container 'cat /disk/file; cat /sys/block/vda/ro; echo no 2>/dev/null >/disk/file || echo refused
		mount -o remount,rw /disk 2>/dev/null || echo kept; mknod /dev/raw b $(tr : " " </sys/block/vda/dev)
		echo 0 2>/dev/null >/sys/block/vda/ro || echo fixed; dd if=/dev/zero of=/dev/raw count=1 2>/dev/null || echo closed' \
		".vm = {} | $(disk_mount "$DISK" ro) | .linux.resources.devices = [{ allow: true, access: \"rwm\" }]
		| .process.capabilities |= with_entries(.value += [\"CAP_SYS_ADMIN\", \"CAP_MKNOD\"])"
	is $'outside\n1\nrefused\nkept\nfixed\nclosed'
	[ "$(sha256sum <"$DISK")" = "$sum" ]
}

# bats test_tags=lab, vm, full
@test "a block device is a virtual machine's as it is a container's" {
	vm_setup
	disk_make
	LOOP=$(losetup -f --show "$DISK")
	numbers=$(stat -c '0x%t 0x%T' "$LOOP")
	read -r major minor <<<"$numbers"
	device="$(disk_mount "$LOOP" ro) | .linux.devices = [{ path: \"/dev/mine\", type: \"b\", major: $((major)), minor: $((minor)), fileMode: 384 }]
		| .linux.resources.devices = [{ allow: false, access: \"rwm\" },
			{ allow: true, type: \"b\", major: $((major)), minor: $((minor)), access: \"r\" }]"
	script='cat /disk/file; stat -c "%F %a" /dev/mine; sha256sum </dev/mine; echo x 2>/dev/null >/dev/mine || echo refused'
	run -0 in_container "$script" "$device"
	container=$output
	has outside
	has refused
	run -0 in_container "$script" ".vm = {} | $device"
	is "$container"
}

# bats test_tags=lab, vm, full
@test "a disk that somebody else may write to is refused, and so is what is none" {
	keeps
	vm_setup
	disk_make
	payload 'echo ready; sleep 1000' ".vm = {} | $(disk_mount "$DISK")"
	nacelle run -d -b "$BUNDLE" "$ID"
	run -125 nacelle run -b "$BUNDLE" "$ID-2"
	has "in use"
	has disk.img
	one_line
	nacelle delete --force "$ID"
	LOOP=$(losetup -f --show "$DISK")
	mkdir mnt
	mount "$LOOP" mnt
	payload 'echo silent' ".vm = {} | $(disk_mount "$LOOP")"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	umount mnt
	has "is mounted"
	one_line
	payload 'echo silent' ".vm = {} | $(disk_mount "$BATS_TEST_TMPDIR/content")"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "neither a block device"
	one_line
	bundle '.vm = {} | .mounts += [{ destination: "/disk", type: "btrfs", source: "/x" }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "btrfs"
	one_line
}
