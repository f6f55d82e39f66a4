#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Masked and read-only paths, /dev, sysctls: what the wall hides.
load helpers

# OCI: config-linux.md, Masked Paths and Readonly Paths: a masked path cannot be read, a read-only one cannot be written
# bats test_tags=smoke
@test "a masked file is the null device, a masked folder is empty and read-only" {
	run -0 in_container 'stat -c %t:%T /proc/keys; ls -A /sys/firmware | wc -l; touch /sys/firmware/x 2>&1 || true'
	[ "${lines[0]}" = 1:3 ]
	[ "${lines[1]}" = 0 ]
	has "Read-only"
}

# OCI: config-linux.md, Masked Paths and Readonly Paths: a masked path cannot be read, a read-only one cannot be written
@test "read-only paths refuse writing" {
	run -1 in_container 'echo 1 >/proc/sys/kernel/panic'
	has "Read-only file system"
	run -0 in_container 'for p in bus fs irq sys; do grep " /proc/$p " /proc/self/mountinfo | cut -d" " -f6; done'
	[ "${#lines[@]}" = 4 ]
	for line in "${lines[@]}"; do [[ $line == ro* ]]; done
}

@test "a path to mask or to protect that is not there is passed over" {
	run -0 in_container 'echo fine' '.linux.maskedPaths += ["/no/such"] | .linux.readonlyPaths += ["/no/such"]'
	is fine
}

@test "a masked path is not led out of the root by a link" {
	rootfs_own
	echo secret >outside
	ln -s "$BATS_TEST_TMPDIR/outside" "$ROOTFS/masked"
	run -0 in_container 'true' '.linux.maskedPaths += ["/masked"]'
	[ "$(cat outside)" = secret ]
	no_mount "$BATS_TEST_TMPDIR/outside"
}

@test "the usual devices are there, with their numbers and modes" {
	run -0 in_container 'for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done'
	is '/dev/null 1:3 666
/dev/zero 1:5 666
/dev/full 1:7 666
/dev/random 1:8 666
/dev/urandom 1:9 666
/dev/tty 5:0 666'
}

@test "the usual links of /dev are there" {
	run -0 in_container 'for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done'
	is '/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
pts/ptmx'
}

# OCI: config-linux.md, Devices: listed devices MUST be available, with type, numbers, mode and owner; the path MAY be anywhere
@test "a device of the spec is made as it says" {
	run -0 in_container 'stat -c "%F %t:%T %a %u:%g" /dev/mine; stat -c %F /dev/pipe' '
		.linux.devices = [{ path: "/dev/mine", type: "c", major: 1, minor: 5, fileMode: 416, uid: 3, gid: 4 },
			{ path: "/dev/pipe", type: "p" }]'
	[ "${lines[0]}" = "character special file 1:5 640 3:4" ]
	[ "${lines[1]}" = fifo ]
}

@test "a /dev that is a link in the root is not followed out" {
	rootfs_own
	mkdir victim
	rm -r "${ROOTFS:?}/dev"
	ln -s "$BATS_TEST_TMPDIR/victim" "$ROOTFS/dev"
	run in_container 'true'
	[ -z "$(ls -A victim)" ]
	no_mount "$BATS_TEST_TMPDIR/victim"
}

# OCI: config-linux.md, Sysctl: kernel parameters of the container's namespaces are set
@test "a sysctl is the container's, the host's stays" {
	before=$(cat /proc/sys/kernel/msgmax)
	run -0 in_container 'cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_default_ttl' \
		'.linux.sysctl = { "kernel.msgmax": "12345", "net.ipv4.ip_default_ttl": "77" }'
	is $'12345\n77'
	[ "$(cat /proc/sys/kernel/msgmax)" = "$before" ]
}

@test "a sysctl of the whole host is refused" {
	before=$(cat /proc/sys/kernel/panic)
	for key in kernel.panic vm.swappiness kernel/panic ../kernel/panic 'net.ipv4/../../kernel/panic'; do
		bundle '.linux.sysctl = { ($key): "7" }' --arg key "$key"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has linux.sysctl
		one_line
	done
	[ "$(cat /proc/sys/kernel/panic)" = "$before" ]
}

@test "a sysctl of a namespace that is the host's is refused" {
	bundle '.linux.sysctl = { "net.ipv4.ip_default_ttl": "77" } | .linux.namespaces |= map(select(.type != "network"))'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has net.ipv4.ip_default_ttl
	one_line
}
