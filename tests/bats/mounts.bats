#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Mounts, their options, and the root file system.
load helpers

# bind_with OPTIONS-JSON [TYPE] - a filter that mounts $BATS_TEST_TMPDIR/src at /mnt/x
bind_with()
{
	mkdir -p src
	[ -e src/file ] || echo content >src/file
	printf '.mounts += [{ destination: "/mnt/x", type: "%s", source: "%s", options: %s }]' \
		"${2:-bind}" "$BATS_TEST_TMPDIR/src" "$1"
}

# OCI: config.md, Mounts: a mount is a bind mount if its options have bind or rbind, whatever its type
# bats test_tags=smoke,kernel
@test "a bind shows the same files on both sides" {
	run -0 in_container 'cat /mnt/x/file; echo new >/mnt/x/made' "$(bind_with '["bind"]')"
	is content
	[ "$(cat src/made)" = new ]
}

@test "a read-only bind refuses writing" {
	run -1 in_container 'echo x >/mnt/x/file' "$(bind_with '["bind", "ro"]')"
	has "Read-only file system"
	[ "$(cat src/file)" = content ]
}

@test "a file is bound on a file" {
	rootfs_own
	mkdir -p src
	echo content >src/one
	run -0 in_container 'cat /etc/one' \
		".mounts += [{ destination: \"/etc/one\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src/one\", options: [\"bind\"] }]"
	is content
}

# OCI: config.md, Mounts: the options that runtimes MUST or SHOULD implement are implemented, recursive ones among them
@test "attributes of a bind are what is asked, seen in mountinfo" {
	for option in ro nosuid nodev noexec noatime nodiratime relatime strictatime nosymfollow; do
		run -0 in_container 'grep " /mnt/x " /proc/self/mountinfo | cut -d" " -f6' \
			"$(bind_with "[\"bind\", \"$option\"]")"
		case $option in
		strictatime) lacks relatime ;;
		*) has "$option" ;;
		esac
	done
}

# OCI: config.md, Mounts: the option remount MUST be implemented
@test "remount changes the options of what is mounted, and no others; not what is not there, nor a file system" {
	again()
	{
		printf '%s | .mounts += [{ destination: "/mnt/x", options: %s }]' "$(bind_with '["bind", "nosuid"]')" "$1"
	}
	run -0 in_container 'grep " /mnt/x " /proc/self/mountinfo | cut -d" " -f6; echo x 2>/dev/null >/mnt/x/f || echo refused' \
		"$(again '["remount", "bind", "ro", "nodev"]')"
	[[ ${lines[0]} == ro,nosuid,nodev* ]]
	has refused
	run -0 in_container 'grep " /mnt/x " /proc/self/mountinfo | cut -d" " -f6' "$(again '["remount", "suid", "noexec"]')"
	[[ $output == rw,* ]]
	has noexec
	lacks nosuid
	# read-only comes when all is in place that stands on it
	run -0 in_container 'grep " /dev " /proc/self/mountinfo | cut -d" " -f6; ls -d /dev/null /dev/late; echo x >/dev/null' \
		'.mounts += [{ destination: "/dev", options: ["remount", "ro"] }, { destination: "/dev/late", type: "tmpfs", source: "t" }]'
	[[ ${lines[0]} == ro,* ]]
	has /dev/late
	# the host's mount is as it was
	[ "$(stat -f -c %T src)" = "$(stat -f -c %T .)" ] && echo x >src/f

	for wrong in '.mounts += [{ destination: "/mnt", options: ["remount", "ro"] }]' \
		'.mounts += [{ destination: "/dev", options: ["remount", "size=1m"] }]' \
		'.mounts += [{ destination: "/dev", options: ["remount", "sync"] }]' \
		'.mounts += [{ destination: "/nowhere", options: ["remount", "ro"] }]'; do
		run -125 in_container true "$wrong"
		one_line
	done
}

# OCI: config.md, Mounts: the options that runtimes MUST or SHOULD implement are implemented, recursive ones among them
@test "recursive attributes hold below, plain ones do not" {
	mkdir -p src/below
	mount -t tmpfs tmpfs src/below
	run in_container 'grep " /mnt/x/below " /proc/self/mountinfo | cut -d" " -f6' "$(bind_with '["rbind", "rro"]')"
	first=$output
	run in_container 'grep " /mnt/x/below " /proc/self/mountinfo | cut -d" " -f6' "$(bind_with '["rbind", "ro"]')"
	umount src/below
	[[ $first == ro* ]]
	[[ $output == rw* ]]
}

@test "bind without r leaves out what is mounted below" {
	mkdir -p src/below
	mount -t tmpfs tmpfs src/below
	: >src/below/seen
	run in_container 'ls /mnt/x/below' "$(bind_with '["bind"]')"
	first=$output
	run in_container 'ls /mnt/x/below' "$(bind_with '["rbind"]')"
	umount src/below
	[ "$first" = "" ]
	[ "$output" = seen ]
}

@test "a tmpfs takes size, mode and owner" {
	run -0 in_container 'stat -c "%a %u" /mnt/t; df -k /mnt/t | tail -n 1' \
		'.mounts += [{ destination: "/mnt/t", type: "tmpfs", source: "tmpfs", options: ["size=64k", "mode=1750", "uid=7"] }]'
	[ "${lines[0]}" = "1750 7" ]
	[[ ${lines[1]} == *" 64 "* ]]
}

# OCI: config.md, Mounts: tmpcopyup MAY copy what lies below a tmpfs
# bats test_tags=smoke,kernel
@test "tmpcopyup brings what lay below the tmpfs" {
	rootfs_own
	mkdir -p "$ROOTFS/data/deep"
	echo kept >"$ROOTFS/data/deep/file"
	chown 7:8 "$ROOTFS/data/deep/file"
	ln -s deep/file "$ROOTFS/data/link"
	run -0 in_container 'cat /data/link; stat -c %u:%g /data/deep/file; echo x >/data/deep/new' \
		'.mounts += [{ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }]'
	[ "${lines[0]}" = kept ]
	[ "${lines[1]}" = 7:8 ]
	[ "$(cat "$ROOTFS/data/deep/file")" = kept ]
	[ ! -e "$ROOTFS/data/deep/new" ]
}

@test "an unknown file system and an unknown option are refused by name" {
	bundle '.mounts += [{ destination: "/mnt/t", type: "nosuchfs", source: "x" }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has nosuchfs
	one_line
	bundle '.mounts += [{ destination: "/mnt/t", type: "tmpfs", source: "x", options: ["nosuchoption=1"] }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has nosuchoption
	one_line
	nothing_left
}

@test "a source that is not there is refused by name" {
	bundle '.mounts += [{ destination: "/mnt/x", type: "bind", source: "/no/such/source", options: ["bind"] }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has /no/such/source
	one_line
	nothing_left
}

@test "a mount target that is a link stays inside the root" {
	rootfs_own
	ln -s /../../../../../../tmp "$ROOTFS/out"
	mkdir -p src
	echo content >src/file
	run -0 in_container 'cat /tmp/file' \
		".mounts += [{ destination: \"/out\", type: \"bind\", source: \"$BATS_TEST_TMPDIR/src\", options: [\"bind\"] }]"
	is content
	no_mount "$BATS_TEST_TMPDIR/src"
	[ ! -e /tmp/file ]
}

@test "a proc that a link leads elsewhere is refused, not followed" {
	rootfs_own
	rm -r "${ROOTFS:?}/proc"
	mkdir "$ROOTFS/elsewhere"
	ln -s elsewhere "$ROOTFS/proc"
	run ! in_container 'true'
	one_line
	nothing_left
}

@test "what is mounted inside is not seen outside, and nothing of the host's mounts is seen inside" {
	detach 'sleep 1000'
	no_mount "$ROOTFS"
	run -0 nacelle exec "$ID" cat /proc/self/mountinfo
	lacks "$BATS_TEST_TMPDIR "
	[ "${#lines[@]}" -lt 30 ]
}

# OCI: config.md, Root: readonly true: the root MUST be read-only inside the container
@test "the root is read-only when asked" {
	run -1 in_container 'echo x >/new' '.root.readonly = true'
	has "Read-only file system"
	[ ! -e "$ROOTFS/new" ]
}

# OCI: config.md, Mounts: propagation options MUST be implemented
@test "a propagation that is asked for is what mountinfo shows" {
	mkdir -p src
	mount -t tmpfs --make-shared tmpfs src
	for kind in shared slave private unbindable; do
		run in_container 'grep " /mnt/x " /proc/self/mountinfo | cut -d" " -f7' "$(bind_with "[\"bind\", \"$kind\"]")"
		case $kind in
		shared) has shared: ;;
		slave) has master: ;;
		private) lacks shared: ; lacks master: ;;
		unbindable) has unbindable ;;
		esac
	done
	umount src
}

# OCI: config.md, Mounts: idmap and ridmap SHOULD be implemented, uidMappings and gidMappings of a mount
# bats test_tags=kernel
@test "an id-mapped mount shows mapped owners" {
	mkdir -p src
	# tmpfs has id maps since Linux 6.3
	if [ "$(printf '%s\n' 6.3 "$(uname -r)" | sort -V | head -n 1)" = 6.3 ]; then
		mount -t tmpfs tmpfs src
	else
		truncate -s 16M disk
		mkfs.ext4 -q disk
		mount -o loop disk src
	fi
	echo content >src/file
	run -0 in_container 'stat -c %u:%g /mnt/x/file' ".mounts += [{ destination: \"/mnt/x\", type: \"bind\",
		source: \"$BATS_TEST_TMPDIR/src\", options: [\"bind\", \"idmap\"],
		uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }], gidMappings: [{ containerID: 0, hostID: 2000, size: 1 }] }]"
	is 1000:2000
	[ "$(stat -c %u:%g src/file)" = 0:0 ]
	umount src
}

# bats test_tags=smoke,kernel
@test "layers are stacked, the upper takes the writes, layers stay as they are" {
	mkdir -p top/etc
	echo top >top/etc/which
	spec_file '{ "args": ["sh", "-c", "cat /etc/which; rm /etc/passwd; echo x >/new; ls /new"] }'
	jq --arg top "$BATS_TEST_TMPDIR/top" '.layers += [$top]' "$SPEC" >two.json
	run -0 nacelle run ./two.json
	is $'top\n/new'
	[ -e "$ROOTFS/etc/passwd" ]
	[ ! -e "$ROOTFS/new" ]
	[ ! -e top/new ]
	nothing_left
}

@test "a directory as the upper keeps what was written" {
	mkdir top
	mount -t tmpfs tmpfs top
	spec_file '{ "upper": "./top/upper", "args": ["sh", "-c", "cat /kept 2>/dev/null || echo first >/kept"] }'
	mkdir top/upper
	run -0 nacelle run "$SPEC"
	is ""
	run -0 nacelle run "$SPEC"
	is first
	umount top
	[ ! -e "$ROOTFS/kept" ]
}

@test "a hundred mounts" {
	bundle '.mounts += [range(100) | { destination: "/mnt/m\(.)", type: "tmpfs", source: "t\(.)", options: ["size=4k"] }]
		| .process.args = ["sh", "-c", "grep -c /mnt/m /proc/mounts"]'
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is 100
}
