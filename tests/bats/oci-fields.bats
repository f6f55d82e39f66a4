#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Fields of the OCI runtime-spec beyond the usual ones, seen from inside and from outside.
load helpers

# stat_field N PID - field N of /proc/PID/stat, whose second is a name in parentheses
stat_field()
{
	sed 's/.*) //' "/proc/$2/stat" | cut -d ' ' -f $(($1 - 2))
}

# refused FILTER TEXT - it is not run, one line says why, and nothing is left (but what runs already)
refused()
{
	bundle ".process.args = [\"true\"] | $1"
	run -125 nacelle run -b "$BUNDLE" "refused-$ID"
	has "$2"
	one_line
	[ -n "${keeps:-}" ] || nothing_left
}

# OCI: config.md, Linux Process: scheduler: the policy and its attributes hold for the process
@test "process.scheduler: policy and nice, from outside" {
	detach 'sleep 1000' '.process.scheduler = { policy: "SCHED_BATCH", nice: 7 }'
	[ "$(stat_field 41 "$(init_pid)")" = 3 ]
	[ "$(stat_field 19 "$(init_pid)")" = 7 ]
}

# OCI: config.md, Linux Process: scheduler: the policy and its attributes hold for the process
# bats test_tags=smoke
@test "process.scheduler: real time, and what its children get" {
	detach 'sleep 1000; true' '.process.scheduler = { policy: "SCHED_FIFO", priority: 5,
		flags: ["SCHED_FLAG_RESET_ON_FORK"] }'
	run -0 chrt -p "$(init_pid)"
	has "SCHED_FIFO|SCHED_RESET_ON_FORK"
	has "priority: 5"
	until_true 10 pgrep -P "$(init_pid)"
	[ "$(stat_field 41 "$(pgrep -P "$(init_pid)")")" = 0 ]
}

# OCI: config.md, Linux Process: scheduler: the policy and its attributes hold for the process
@test "process.scheduler: a deadline" {
	detach 'sleep 1000' '.process.args = ["sleep", "1000"] | .process.scheduler = { policy: "SCHED_DEADLINE",
		runtime: 1000000, deadline: 20000000, period: 40000000 }'
	run -0 chrt -p "$(init_pid)"
	has SCHED_DEADLINE
	has "1000000/20000000/40000000"
}

@test "process.scheduler: in a user namespace too, which could not do it by itself" {
	detach 'sleep 1000' '.process.scheduler = { policy: "SCHED_RR", priority: 3 } | .linux.namespaces += [{ type: "user" }] |
		.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] | .linux.gidMappings = .linux.uidMappings'
	[ "$(stat_field 41 "$(init_pid)")" = 2 ]
}

@test "process.scheduler: what cannot be is refused" {
	refused '.process.scheduler = { policy: "SCHED_NOSUCH" }' process.scheduler.policy
	refused '.process.scheduler = { policy: "SCHED_OTHER", nice: 20 }' process.scheduler.nice
	refused '.process.scheduler = { policy: "SCHED_OTHER", runtime: 5 }' "only with SCHED_DEADLINE"
	refused '.process.scheduler = { policy: "SCHED_FIFO", priority: 0 }' "process.scheduler: set the policy"
	refused '.process.scheduler = { policy: "SCHED_OTHER", flags: ["X"] }' "process.scheduler.flags[0]"
}

# OCI: config.md, Linux Process: ioPriority holds for the process
# bats test_tags=smoke
@test "process.ioPriority, from outside, and for exec" {
	detach 'sleep 1000' '.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 }'
	run -0 ionice -p "$(init_pid)"
	is "best-effort: prio 6"
	run -0 nacelle exec "$ID" ionice
	is "best-effort: prio 6"
	refused '.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 8 }' process.ioPriority.priority
	refused '.process.ioPriority = { class: "BE", priority: 1 }' process.ioPriority.class
}

# OCI: config.md, Linux Process: execCPUAffinity: the affinity of exec's process before and after it joined the cgroup
@test "process.execCPUAffinity: for exec, not for the first process, and not for us" {
	[ "$(nproc --all)" -ge 2 ] || skip "one CPU"
	mine=$(grep Cpus_allowed_list /proc/self/status)
	detach 'sleep 1000' '.process.execCPUAffinity = { initial: "0", final: "1" }'
	[ "$(grep Cpus_allowed_list "/proc/$(init_pid)/status")" = "$mine" ]
	run -0 nacelle exec "$ID" grep Cpus_allowed_list /proc/self/status
	is "Cpus_allowed_list:	1"
	# a process object of its own decides by itself (with "initial" alone the kernel may choose anew in the cgroup)
	jq '.process | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"] | .execCPUAffinity = { final: "0" }' \
		"$BUNDLE/config.json" >process.json
	run -0 nacelle exec --process process.json "$ID"
	is "Cpus_allowed_list:	0"
	jq '.execCPUAffinity = { final: "4000" }' process.json >absent.json
	run -125 nacelle exec --process absent.json "$ID"
	has process.execCPUAffinity.final
	one_line
	jq '.execCPUAffinity = { final: "3-1" }' process.json >wrong.json
	run -125 nacelle exec --process wrong.json "$ID"
	has '"3-1"'
}

# OCI: config-linux.md, Personality: domain is LINUX or LINUX32, no flags are supported
# bats test_tags=smoke
@test "linux.personality: uname is another, for exec too" {
	detach 'uname -m; sleep 1000' '.linux.personality = { domain: "LINUX32" }'
	says i686
	[ "$(cat "/proc/$(init_pid)/personality")" = 00000008 ]
	run -0 nacelle exec "$ID" uname -m
	is i686
	refused '.linux.personality = { domain: "LINUX64" }' linux.personality.domain
	refused '.linux.personality = { domain: "LINUX", flags: ["X"] }' linux.personality.flags
}

# OCI: config-linux.md, Memory policy: mode, nodes and flags are those of set_mempolicy; what cannot be MUST generate an error
# bats test_tags=smoke
@test "linux.memoryPolicy: pages come from the nodes, for exec too" {
	[ -d /sys/devices/system/node/node0 ] || skip "a kernel without NUMA"
	detach 'sleep 1000' '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] }'
	grep -q "bind=static:0" "/proc/$(init_pid)/numa_maps"
	run -0 nacelle exec "$ID" head -1 /proc/self/numa_maps
	has "bind=static:0"
	refused '.linux.memoryPolicy = { mode: "MPOL_BIND" }' "needs 'nodes'"
	refused '.linux.memoryPolicy = { mode: "MPOL_LOCAL", nodes: "0" }' "takes no 'nodes'"
	refused '.linux.memoryPolicy = { mode: "MPOL_BIND", nodes: "1000" }' linux.memoryPolicy
	refused '.linux.memoryPolicy = { mode: "MPOL_NOSUCH" }' linux.memoryPolicy.mode
}

# OCI: config-linux.md, Net Devices: the runtime MUST move the device into the container's network namespace, under its new name if there is one, and keep addresses and MTU
# bats test_tags=smoke
@test "linux.netDevices: moved, renamed, up, with its addresses and MTU" {
	other=o${ID#t} device=d${ID#t}
	ip link add "$device" type veth peer name "$other"
	ip link set "$device" mtu 1400
	ip addr add 10.99.98.7/24 brd + dev "$device"
	ip addr add fd99::7/64 dev "$device" nodad
	ip addr add 10.99.97.1/32 scope link dev "$device"
	run -0 in_container 'ip addr show dev eth7; ip route' ".linux.netDevices = { \"$device\": { name: \"eth7\" } }"
	ip link del "$other" 2>/dev/null || true
	has "mtu 1400"
	has "inet 10.99.98.7/24 brd 10.99.98.255 scope global eth7"
	has "inet6 fd99::7/64 scope global"
	has "10.99.98.0/24 dev eth7"
	[[ ${lines[0]} == *,UP* ]]
	# what is no global address is none elsewhere
	lacks 10.99.97.1
	not ip link show dev "$device"
}

# OCI: config-linux.md, Net Devices: the runtime MUST move the device into the container's network namespace, under its new name if there is one, and keep addresses and MTU
@test "linux.netDevices: without a name it keeps its own" {
	other=o${ID#t} device=d${ID#t}
	ip link add "$device" type veth peer name "$other"
	run -0 in_container "ip link show dev $device" ".linux.netDevices = { \"$device\": {} }"
	ip link del "$other" 2>/dev/null || true
	has "$device"
}

# OCI: config-linux.md, Net Devices: names MUST be valid and unique; the runtime MUST check that it may and that the device is there, or generate an error
# OCI: config-linux.md, Net Devices: without a network namespace of the container's the runtime MUST generate an error
@test "linux.netDevices: what cannot be moved is refused by its name" {
	refused '.linux.netDevices = { nosuch0: {} }' "network device 'nosuch0'"
	refused '.linux.netDevices = { lo: { name: "eth0" } }' "network device 'lo'"
	refused '.linux.netDevices = { "a/b": {} }' '"a/b" is not the name of a network device'
	refused '.linux.netDevices = { a: { name: "x" }, b: { name: "x" } }' "the name of two devices"
	refused '.linux.netDevices = { eth0: {} } | .linux.namespaces |= map(select(.type != "network"))' "network namespace"
}

# OCI: config-linux.md, IntelRdt: without a mounted resctrl the runtime MUST generate an error
@test "linux.intelRdt: without the hardware it says so" {
	[ "$(stat -fc %T /sys/fs/resctrl 2>/dev/null)" != rdt ] || skip "a machine with resctrl mounted"
	refused '.linux.intelRdt = { closID: "x", schemata: ["L3:0=f"] }' resctrl
	refused '.linux.intelRdt = { closID: "../x" }' linux.intelRdt.closID
}

# OCI: config.md, Linux Process: selinuxLabel is the label of the process, refused where there is no SELinux
# OCI: config-linux.md, Mount Label: mountLabel is the context of the mounts, refused where there is no SELinux
@test "labels need their security module" {
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
		refused '.process.apparmorProfile = "x"' "process.apparmorProfile: this kernel runs without AppArmor"
	fi
	if [ ! -d /sys/fs/selinux ]; then
		refused '.process.selinuxLabel = "a:b:c"' "process.selinuxLabel: this kernel runs without SELinux"
		refused '.linux.mountLabel = "a:b:c"' "linux.mountLabel: this kernel runs without SELinux"
	fi
	run -0 in_container 'echo fine' '.process.apparmorProfile = "" | .process.selinuxLabel = "" | .linux.mountLabel = ""'
	is fine
}

# bats test_tags=lab
@test "process.apparmorProfile: one that is loaded is taken, one that is not is refused at create" {
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]
	run -0 in_container 'cat /proc/self/attr/current; ls /proc/self/fd' '.process.apparmorProfile = "unconfined"'
	has unconfined
	refused '.process.apparmorProfile = "nosuch"' "no profile 'nosuch' is loaded"
}

# OCI: config.md, Linux Process: apparmorProfile is the profile of the process
# bats test_tags=lab,full
@test "process.apparmorProfile: a profile confines the payload, and lets it be executed" {
	printf 'profile nacelle-test {\n  / r,\n  /** rm,\n  deny /etc/passwd r,\n}\n' >profile
	unshare --mount sh -c 'mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
		apparmor_parser -K -r profile'
	for more in . '.process.noNewPrivileges = false' '.process.user = { uid: 1000, gid: 1000 }'; do
		bundle ".process.apparmorProfile = \"nacelle-test\" | $more | .process.args = [\"cat\", \"/proc/self/attr/current\"]"
		run -0 nacelle run -b "$BUNDLE" "$ID"
		is "nacelle-test (enforce)"
	done
	bundle '.process.apparmorProfile = "nacelle-test" | .process.args = ["cat", "/etc/passwd"]'
	run -1 nacelle run -b "$BUNDLE" "$ID"
	has "ermission denied"
	# exec is confined as well
	keeps
	bundle '.process.apparmorProfile = "nacelle-test" | .process.args = ["sleep", "1000"]'
	nacelle run -d -b "$BUNDLE" "$ID"
	[ "$(cat "/proc/$(init_pid)/attr/current")" = "nacelle-test (enforce)" ]
	run -0 nacelle exec "$ID" cat /proc/self/attr/current
	is "nacelle-test (enforce)"
	# by another profile, or by one that is not there
	sed 's/nacelle-test/nacelle-other/' profile >other
	unshare --mount sh -c 'mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
		apparmor_parser -K -r other'
	run -0 nacelle exec --apparmor nacelle-other "$ID" cat /proc/self/attr/current
	is "nacelle-other (enforce)"
	run -125 nacelle exec --apparmor nacelle-none "$ID" true
	one_line
	has "nacelle-none"
}

# OCI: config-linux.md, Rootfs Mount Propagation: rootfsPropagation is shared, slave, private or unbindable, and the root's
@test "linux.rootfsPropagation: each value" {
	for value in private rprivate slave rslave unbindable runbindable; do
		run -0 in_container 'grep " / / " /proc/self/mountinfo || awk "\$5 == \"/\"" /proc/self/mountinfo' \
			".linux.rootfsPropagation = \"$value\""
		lacks "shared:"
		case $value in
		*unbindable) has unbindable ;;
		esac
	done
	for value in shared rshared; do
		run -0 in_container 'awk "\$5 == \"/\"" /proc/self/mountinfo' ".linux.rootfsPropagation = \"$value\""
		has "shared:"
	done
	refused '.linux.rootfsPropagation = "nosuch"' linux.rootfsPropagation
}

# OCI: config-linux.md, Devices: listed devices MUST be available, with type, numbers, mode and owner; the path MAY be anywhere
@test "linux.devices: each kind, and a mode with its special bits" {
	rootfs_own
	run -0 in_container 'stat -c "%F %t:%T %a %u:%g" /dev/c /dev/u /dev/b /dev/p' '.linux.devices = [
		{ path: "/dev/c", type: "c", major: 1, minor: 3, fileMode: 438, uid: 5, gid: 6 },
		{ path: "/dev/u", type: "u", major: 1, minor: 5, fileMode: 2480 },
		{ path: "/dev/b", type: "b", major: 7, minor: 0, fileMode: 25008 },
		{ path: "/dev/p", type: "p", fileMode: 1023 }]'
	is $'character special file 1:3 666 5:6\ncharacter special file 1:5 4660 0:0\nblock special file 7:0 660 0:0\nfifo 0:0 1777 0:0'
}

# OCI: config-linux.md, Time offset: timeOffsets are the offsets of the clocks in the container's time namespace
@test "linux.timeOffsets: the clocks inside" {
	[ -e /proc/self/ns/time ] || skip "a kernel without time namespaces"
	run -0 in_container 'cut -d. -f1 /proc/uptime' '.linux.namespaces += [{ type: "time" }] |
		.linux.timeOffsets = { boottime: { secs: 1000000 }, monotonic: { secs: 5, nanosecs: 3 } }'
	[ "$output" -ge 1000000 ]
	refused '.linux.timeOffsets = { boottime: { secs: 1 } }' "time namespace"
}

@test "seccomp: a mask with the highest bits is exact" {
	# 0xFFFFFFFF00000000 masks the low half of kill's first argument away; once it became all ones
	payload 'kill -0 1; echo "kill: $?"' '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["kill"],
		action: "SCMP_ACT_ERRNO", errnoRet: 95, args: [{ index: 0, value: 0, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }] }] }'
	# jq has doubles only: the number is put in as text
	sed -i '0,/"value": 0/s//"value": 18446744069414584320/' "$BUNDLE/config.json"
	run nacelle run -b "$BUNDLE" "$ID"
	has "not supported"
	has "kill: 1"
	keeps
	nacelle create -b "$BUNDLE" "$ID"
	grep -q 18446744069414584320 "$STATE/$ID/config.json"
}

@test "a version of the spec that is to come is read, one before 1.0 is not" {
	for version in 1.0.2-dev 1.0.0 1.1.0 1.2.1 1.3.0; do
		run -0 in_container 'echo fine' ".ociVersion = \"$version\""
		is fine
	done
	refused '.ociVersion = "0.9.0"' ociVersion
	refused '.ociVersion = "2.0.0"' ociVersion
}

@test "features: what runtime-spec 1.3 asks of the document" {
	run -0 nacelle features
	[ "$(jq -r .ociVersionMax <<<"$output")" = 1.3.0 ]
	jq -e '.linux | .memoryPolicy.modes and .memoryPolicy.flags and .netDevices.enabled and .intelRdt.schemata and
		.intelRdt.monitoring and .apparmor.enabled and .selinux.enabled and .mountExtensions.idmap.enabled' <<<"$output"
}
