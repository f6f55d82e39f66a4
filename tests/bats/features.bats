#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The document that `features` prints: what it says is so.
load helpers

# listed FILTER - names of the document, a line each
listed()
{
	nacelle features | jq -r "$1"
}

# takes FILTER [WORD...] - it runs with this in the spec, or fails for the kernel's reasons, one of these words, not ours
takes()
{
	local word
	bundle ".process.args = [\"true\"] | $1"
	run nacelle run -b "$BUNDLE" "$ID"
	[ "$status" != 0 ] || return 0
	for word in "${@:2}"; do
		[[ $output != *"$word"* ]] || return 0
	done
	echo "not taken: $1: $output" >&2
	return 1
}

# OCI: features.md, Features: the document SHOULD NOT depend on the machine it runs on
@test "the document is the same wherever it is printed" {
	nacelle features >here
	rootfs_own
	cp "$NACELLE" "$ROOTFS/nacelle"
	# standard streams that are closed become it; a node would do nothing on a file system without devices
	: >"$ROOTFS/dev/null"
	mount --bind /dev/null "$ROOTFS/dev/null"
	# no /proc, no /sys, no cgroups, another user, no environment
	env -i "$(command -v chroot)" --userspec=1000:1000 "$ROOTFS" /nacelle --root /none --data /none features >there
	cmp here there
	# nor a folder for the state, which this user could not have anywhere
	env -i "$(command -v chroot)" --userspec=1000:1000 "$ROOTFS" /nacelle features >there
	cmp here there
	umount "$ROOTFS/dev/null"
}

# OCI: features.md, Features: null MUST NOT be confused with an empty value
@test "nothing in it is null" {
	[ "$(listed '[paths(. == null)] | length')" = 0 ]
}

# OCI: features.md, Specification version: ociVersionMin and ociVersionMax are REQUIRED, the second not less than the first, and MUST be accepted as ociVersion
@test "both versions of the document are versions of a spec that runs" {
	min=$(listed .ociVersionMin) max=$(listed .ociVersionMax)
	[ "$(printf '%s\n' "$min" "$max" | sort -V | head -1)" = "$min" ]
	takes ".ociVersion = \"$min\""
	takes ".ociVersion = \"$max\""
}

# OCI: features.md, Specification version: there MUST NOT be properties that ociVersionMax does not define
@test "its properties are those of runtime-spec 1.3" {
	run -0 listed '[paths | map(select(type == "string")) | join(".")] | unique | map(select(. != "" and (startswith("annotations.") | not)))[]'
	printf '%s\n' annotations hooks linux linux.apparmor linux.apparmor.enabled linux.capabilities linux.cgroup linux.cgroup.rdma \
		linux.cgroup.systemd linux.cgroup.systemdUser linux.cgroup.v1 linux.cgroup.v2 linux.intelRdt linux.intelRdt.enabled \
		linux.intelRdt.monitoring linux.intelRdt.schemata linux.memoryPolicy linux.memoryPolicy.flags linux.memoryPolicy.modes \
		linux.mountExtensions linux.mountExtensions.idmap linux.mountExtensions.idmap.enabled linux.namespaces linux.netDevices \
		linux.netDevices.enabled linux.seccomp linux.seccomp.actions linux.seccomp.archs linux.seccomp.enabled \
		linux.seccomp.knownFlags linux.seccomp.operators linux.seccomp.supportedFlags linux.selinux linux.selinux.enabled \
		mountOptions ociVersionMax ociVersionMin potentiallyUnsafeConfigAnnotations >known
	is "$(cat known)"
}

# OCI: features.md, Hooks: the runtime MUST support the listed hooks
# OCI: features.md, Mount Options: the runtime MUST recognize the listed options; those of file systems SHOULD NOT be listed
# OCI: features-linux.md, Namespaces: the runtime MUST recognize the listed types
# OCI: features-linux.md, Capabilities: the runtime MUST recognize the listed capabilities
@test "each hook, option, namespace and capability that it lists is taken" {
	hooks=$(listed '.hooks[]') options=$(listed '.mountOptions[]')
	[ "$(wc -w <<<"$hooks")" -ge 6 ] && [ "$(wc -w <<<"$options")" -ge 50 ]
	for hook in $hooks; do takes ".hooks[\"$hook\"] = [{ path: \"/bin/true\" }]"; done
	mkdir source
	for option in $options; do
		case $option in
		# a copy of what is below needs a file system of its own, a mapping a user namespace to take it from
		tmpcopyup) takes '.mounts += [{ destination: "/mnt", type: "tmpfs", source: "t", options: ["tmpcopyup"] }]' ;;
		remount) takes '.mounts += [{ destination: "/dev", options: ["remount", "noexec"] }]' ;;
		nocopy) takes '.mounts += [{ destination: "/mnt", type: "volume", source: "", options: ["nocopy"] }]' ;;
		idmap | ridmap)
			takes ".mounts += [{ destination: \"/mnt\", type: \"bind\", source: \"$PWD/source\", options: [\"rbind\", \"$option\"],
				uidMappings: [{ containerID: 0, hostID: 1, size: 9 }], gidMappings: [{ containerID: 0, hostID: 1, size: 9 }] }]" \
				"id-mapped" "idmap" "map the ids of"
			;;
		*) takes ".mounts += [{ destination: \"/mnt\", type: \"bind\", source: \"$PWD/source\", options: [\"rbind\", \"$option\"] }]" ;;
		esac
	done
	takes ".linux.namespaces = ($(nacelle features | jq -c '[.linux.namespaces[] | { type: . }]')) |
		.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }] | .linux.gidMappings = .linux.uidMappings" time
	run -0 in_container 'echo fine' ".process.capabilities |= with_entries(.value = $(nacelle features | jq -c .linux.capabilities))"
	# one that the kernel does not let us have is warned of, one that is unknown would be named as such
	lacks unknown
	has fine
}

# OCI: features-linux.md, Seccomp: the runtime MUST recognize the listed actions, operators, architectures and flags, and support the supported flags
@test "each of seccomp's actions, operators, architectures and flags that it lists is taken" {
	for action in $(listed '.linux.seccomp.actions[]'); do
		takes ".linux.seccomp = { defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"/nowhere\",
			syscalls: [{ names: [\"acct\"], action: \"$action\" }] }" listenerPath
	done
	for op in $(listed '.linux.seccomp.operators[]'); do
		takes ".linux.seccomp = { defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [{ names: [\"acct\"], action: \"SCMP_ACT_ERRNO\",
			args: [{ index: 0, value: 1, valueTwo: 1, op: \"$op\" }] }] }"
	done
	takes ".linux.seccomp = { defaultAction: \"SCMP_ACT_ALLOW\", architectures: $(nacelle features | jq -c .linux.seccomp.archs) }"
	for flag in $(listed '.linux.seccomp | .knownFlags[], .supportedFlags[]' | sort -u); do
		# the last is of a listener
		takes ".linux.seccomp = { defaultAction: \"SCMP_ACT_ALLOW\", flags: [\"$flag\"],
			syscalls: [{ names: [\"acct\"], action: \"SCMP_ACT_ERRNO\" }] }" WAIT_KILLABLE_RECV
	done
	[ "$(listed '.linux.seccomp | .supportedFlags - .knownFlags | length')" = 0 ]
}

# OCI: features-linux.md, Cgroup: v1, v2, systemd, systemdUser and rdma say what is implemented
# OCI: features-linux.md, Others: apparmor, selinux, intelRdt, netDevices, memoryPolicy: enabled says what is implemented
# OCI: features-linux.md, Others: mountExtensions.idmap.enabled MUST be true where mappings of mounts are recognized
@test "what it says of cgroups and of optional parts is so" {
	run -0 listed '.linux | .cgroup.v1, .cgroup.v2, .cgroup.rdma, .apparmor.enabled, .selinux.enabled, .intelRdt.enabled,
		.netDevices.enabled, .mountExtensions.idmap.enabled, (.memoryPolicy.modes | length > 0)'
	is $'false\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue\ntrue'
	# each is at least looked at: a value that cannot be is refused by its name
	mkdir source
	for wrong in '.linux.resources.rdma = { a: 1 } # rdma' '.process.apparmorProfile = 1 # apparmorProfile' \
		'.process.selinuxLabel = 1 # selinuxLabel' '.linux.intelRdt = { closID: "../x" } # intelRdt' \
		'.linux.netDevices = { "a/b": {} } # network device' '.linux.memoryPolicy = { mode: "NOSUCH" } # memoryPolicy' \
		'.mounts += [{ destination: "/mnt", source: "source", options: ["bind"], uidMappings: 1 }] # uidMappings'; do
		bundle "${wrong% # *}"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has "${wrong##* # }"
	done
}

# OCI: features.md, Annotations: annotations MUST be a map of strings
# OCI: features.md, Annotations: potentiallyUnsafeConfigAnnotations lists annotations that change what the runtime does, or prefixes that end in a dot
@test "annotations are strings; those that change what we do are listed" {
	[ "$(listed '[.annotations[] | type] | unique | join(" ")')" = string ]
	# a value that ends in a dot is a beginning of names
	run -0 listed '.potentiallyUnsafeConfigAnnotations[]'
	for name in org.criu.config org.systemd.property.MemoryMax run.oci.handler run.oci.hooks.stdout run.oci.keep_original_groups \
		run.oci.seccomp.receiver run.oci.delegate-cgroup; do
		found=0
		for line in "${lines[@]}"; do
			case $line in
			*.) [[ $name != "$line"* ]] || found=1 ;;
			*) [ "$name" != "$line" ] || found=1 ;;
			esac
		done
		[ $found = 1 ]
	done
}
