#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What config.md and config-linux.md ask for, as far as no other file tests it. The lines `# OCI:` are oci-table's.
load helpers

# refused FILTER [WORD] - such a configuration is our own failure, in one line that names it
refused()
{
	bundle "$1"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	[ -z "${2:-}" ] || has "$2"
}

# OCI: config.md, Extensibility: MUST NOT generate an error for an unknown property, and MUST ignore it
# OCI: config.md, Annotations: MUST NOT generate an error for an unknown annotation key; values MAY be empty
@test "unknown properties and annotations are passed over, at every depth" {
	run -0 in_container 'echo ran' '.nosuch = { a: 1 } | .process.nosuch = [1] | .linux.nosuch = "x" | .root.nosuch = null |
		.process.user.nosuch = 1 | .annotations = { "com.nosuch.key": "", "x": "y" }'
	is ran
}

# OCI: config.md, Valid values: MUST generate an error for invalid or unsupported values
# OCI: config.md, POSIX-platform Hooks: path MUST be absolute; timeout MUST be greater than zero
# OCI: config.md, Annotations: keys and values MUST be strings, a map
@test "a value of the wrong type or out of range is an error that names it" {
	refused '.process.cwd = 1' cwd
	refused '.process.args = "sh"' args
	refused '.process.user.uid = -1' uid
	refused '.process.user.uid = "root"' uid
	refused '.linux.namespaces = [{ type: "nosuch" }]' nosuch
	refused '.linux.rootfsPropagation = "nosuch"' rootfsPropagation
	refused '.linux.seccomp = { defaultAction: "SCMP_ACT_NOSUCH" }' SCMP_ACT_NOSUCH
	refused '.annotations = { a: 1 }' annotations
	refused '.hooks.prestart = [{ path: "relative" }]' path
	refused '.hooks.prestart = [{ path: "/bin/true", timeout: 0 }]' timeout
}

# OCI: config.md, Specification version: ociVersion is REQUIRED and MUST be SemVer v2.0.0
@test "ociVersion is required, and a version" {
	refused 'del(.ociVersion)' ociVersion
	refused '.ociVersion = "one"' ociVersion
	refused '.ociVersion = 1' ociVersion
}

# OCI: config.md, Root: path is REQUIRED, a directory MUST exist there
@test "root.path is required and a directory" {
	refused 'del(.root.path)' path
	refused '.root.path = "/nowhere"' /nowhere
	refused '.root.path = "/etc/passwd"' /etc/passwd
}

# OCI: config.md, Root: path is absolute, or relative to the bundle
@test "a relative root is the bundle's" {
	ln -s "$ROOTFS" "$BUNDLE/rootfs"
	bundle '.root.path = "rootfs" | .process.args = ["true"]'
	cd /
	nacelle run -b "$BUNDLE" "$ID"
}

# OCI: config.md, Mounts: MUST mount entries in the listed order
@test "mounts are made in the listed order" {
	mkdir a
	echo from a >a/f
	run -0 in_container 'cat /mnt/f 2>&1; grep -c " /mnt " /proc/mounts' '.mounts += [
		{ destination: "/mnt", type: "tmpfs", source: "t" },
		{ destination: "/mnt", type: "bind", source: "'"$PWD"'/a", options: ["bind"] }]'
	is $'from a\n2'
	run -1 in_container 'cat /mnt/f 2>&1' '.mounts += [
		{ destination: "/mnt", type: "bind", source: "'"$PWD"'/a", options: ["bind"] },
		{ destination: "/mnt", type: "tmpfs", source: "t" }]'
}

# OCI: config.md, Mounts: a relative destination MUST be interpreted as relative to "/"
@test "a relative destination counts from the root" {
	run -0 in_container 'cd /tmp; grep " /mnt/x " /proc/mounts' '.mounts += [{ destination: "mnt/x", type: "tmpfs", source: "t" }]'
	has "tmpfs"
}

# OCI: config.md, Mounts: the source of a bind mount is absolute or relative to the bundle
@test "a relative source of a bind mount is the bundle's" {
	echo told >"$BUNDLE/f"
	payload 'cat /etc/group' '.mounts += [{ destination: "/etc/group", type: "bind", source: "f", options: ["bind"] }]'
	cd /
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is told
}

# OCI: config.md, Process: cwd MUST be an absolute path; args has at least one entry
@test "cwd is absolute, args has an entry" {
	refused '.process.cwd = "tmp"' cwd
	refused '.process.cwd = ""' cwd
	refused 'del(.process.cwd)' cwd
	refused '.process.args = []' args
	refused 'del(.process.args)' args
}

# OCI: config.md, Process: consoleSize MUST be ignored if terminal is false or unset
@test "consoleSize without a terminal is ignored" {
	run -0 in_container 'test -t 0 || echo none' '.process.consoleSize = { height: 10, width: 20 }'
	is none
	run -0 in_container 'test -t 0 || echo none' 'del(.process.terminal) | .process.consoleSize = { height: 10, width: 20 }'
	is none
}

# OCI: config.md, POSIX process: rlimits of one type given twice MUST generate an error, so MUST one that cannot be mapped
@test "rlimits: a type twice, and one that is unknown" {
	refused '.process.rlimits = [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }, { type: "RLIMIT_CORE", soft: 0, hard: 0 }]' rlimits
	refused '.process.rlimits = [{ type: "RLIMIT_NOSUCH", soft: 0, hard: 0 }]' RLIMIT_NOSUCH
}

# OCI: config-linux.md, Default Filesystems: /proc, /sys, /dev/pts, /dev/shm SHOULD be available
@test "the default file systems of the printed spec" {
	nacelle spec -f - | jq -r '.mounts[].destination' | sort >have
	printf '%s\n' /proc /sys /dev/pts /dev/shm | sort >want
	[ -z "$(comm -13 have want)" ]
}

# OCI: config-linux.md, Namespaces: a type twice MUST generate an error; a path MUST be absolute
@test "namespaces: a type twice, a relative path" {
	refused '.linux.namespaces += [{ type: "mount" }]' mount
	refused '.linux.namespaces |= map(select(.type != "ipc")) + [{ type: "ipc", path: "proc/self/ns/ipc" }]'
}

# OCI: config-linux.md, Devices: a file at the path that is not the requested device MUST generate an error
@test "a device where another file is" {
	rootfs_own
	echo plain >"$ROOTFS/tmp/dev"
	refused '.linux.devices = [{ path: "/tmp/dev", type: "c", major: 1, minor: 3 }]' /tmp/dev
	grep plain "$ROOTFS/tmp/dev"
}

# OCI: config-linux.md, Default Devices: null zero full random urandom tty console(with a terminal) ptmx MUST be supplied
@test "the default devices without any in the configuration" {
	run -0 in_container 'for d in null zero full random urandom tty; do stat -c "%n %t:%T" /dev/$d; done; test -e /dev/ptmx && echo ptmx' 'del(.linux.devices)'
	is $'/dev/null 1:3\n/dev/zero 1:5\n/dev/full 1:7\n/dev/random 1:8\n/dev/urandom 1:9\n/dev/tty 5:0\nptmx'
}

# OCI: config-linux.md, Masked Paths and Readonly Paths: values MUST be absolute
@test "masked and read-only paths are absolute" {
	refused '.linux.maskedPaths = ["proc/kcore"]' maskedPaths
	refused '.linux.readonlyPaths = ["proc/sys"]' readonlyPaths
}

# OCI: config-linux.md, Control groups: an invalid cgroupsPath MUST generate an error
@test "a cgroupsPath that leads out is refused" {
	refused '.linux.cgroupsPath = "/a/../../b"' cgroupsPath
}

# OCI: config-linux.md, Seccomp: names MUST contain at least one entry
@test "seccomp rules have names" {
	refused '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: [], action: "SCMP_ACT_ERRNO" }] }' names
}

# OCI: config-linux.md, User namespace mappings: mappings of a new user namespace hold for the process
@test "the maps are what is asked" {
	run -0 in_container 'cat /proc/self/uid_map /proc/self/gid_map' '.linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 1 }, { containerID: 1, hostID: 100000, size: 10 }] |
		.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 30 }]'
	run -0 awk '{ print $1, $2, $3 }' <<<"$output"
	is $'0 0 1\n1 100000 10\n0 0 30'
}
