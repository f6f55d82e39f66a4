#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Namespaces, new and joined, seen from inside and from outside.
load helpers

# OCI: config-linux.md, Namespaces: each of the eight types SHOULD be supported; without a path the runtime MUST create a new one
# bats test_tags=smoke,kernel
@test "every namespace asked for is new, from inside and from outside" {
	detach 'sleep 1000' '.linux.namespaces += [{ type: "time" }]'
	for ns in pid mnt net ipc uts cgroup time; do
		outside=$(readlink "/proc/$(init_pid)/ns/$ns")
		[ -n "$outside" ]
		[ "$outside" != "$(readlink "/proc/self/ns/$ns")" ]
		[ "$outside" = "$(nacelle exec "$ID" readlink "/proc/self/ns/$ns")" ]
	done
}

# A network namespace is made while the container's first process mounts, where nothing stands against that: parent.c,
# network_is_apart(). A hook does, and a mount behind the sysfs that needs the host's files.
@test "a network namespace that is made meanwhile: all that is seen is as if it had been made with the others" {
	look='for n in pid mnt net ipc uts cgroup; do [ -e /proc/self/ns/$n ] || echo "no $n"; done
		sed "s/^[0-9]* [0-9]* [0-9]*:[0-9]* //" /proc/self/mountinfo | sort; ls -l /dev | sed "s/[A-Z][a-z][a-z] .*:.. / /"
		ls /sys/class/net; ip addr show lo; hostname; grep -E "^(Cap|NoNew|Sig|Seccomp)" /proc/self/status; pwd; echo /proc/self/fd/*
		cat /proc/self/cgroup; echo x >/sys/class/net/lo/ifalias || echo refused'
	watched=(env PATH="$PATH" timeout -k 5 50 strace -f -qq -o calls -e "trace=clone3,unshare" "$NACELLE" --root "$STATE" --data "$DATA")
	payload "$look"
	"${watched[@]}" run -b "$BUNDLE" "$ID" >meanwhile 2>&1
	grep 'unshare(CLONE_NEWNET)' calls
	not grep 'clone3(.*CLONE_NEWNET' calls
	for with in '.hooks.createContainer = [{ path: "/bin/true" }]' '.hooks.prestart = [{ path: "/bin/true" }]' \
		'.mounts += [{ destination: "/mnt", type: "bind", source: "/proc/sys/kernel/ostype", options: ["bind", "ro"] }]'; do
		payload "$look" "$with"
		"${watched[@]}" run -b "$BUNDLE" "$ID" >together 2>&1
		grep 'clone3(.*CLONE_NEWNET' calls
		not grep 'unshare(CLONE_NEWNET)' calls
		diff meanwhile <(grep -v ' /mnt ' together)
	done
	grep refused meanwhile
	nothing_left
}

@test "a network namespace that is made meanwhile is not the caller's, from create to delete, and goes" {
	payload 'sleep 1000'
	create
	pid=$(init_pid)
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	nsenter --net="/proc/$pid/ns/net" ip -o link | grep 'lo: <LOOPBACK,UP'
	[ "$(nsenter --net="/proc/$pid/ns/net" ip -o link | wc -l)" = 1 ]
	nacelle start "$ID"
	[ "$(nacelle exec "$ID" readlink /proc/self/ns/net)" = "$(readlink "/proc/$pid/ns/net")" ]
	inode=$(stat -Lc %i "/proc/$pid/ns/net")
	nacelle delete --force "$ID"
	not grep -F "net:[$inode]" <(readlink /proc/[0-9]*/ns/net)
}

# The mount is read-only, its file system is not: others that join the network may have a sysfs that can be written.
@test "a read-only sysfs and cgroup make nobody else's read-only" {
	detach 'sleep 1000'
	net=/proc/$(init_pid)/ns/net
	run -0 nacelle exec "$ID" sh -c 'cat /proc/self/mountinfo; echo x >/sys/class/net/lo/ifalias || echo refused'
	[[ $output =~ ' /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs rw' ]]
	[[ $output =~ ' /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw' ]]
	has refused
	payload 'echo told >/sys/class/net/lo/ifalias; cat /sys/class/net/lo/ifalias' \
		"(.linux.namespaces[] | select(.type == \"network\")).path = \"$net\" | .mounts[5].options = [\"nosuid\"] |
		 .process.capabilities[] += [\"CAP_NET_ADMIN\"]"
	run -0 nacelle run -b "$BUNDLE" "$ID-2"
	is told
}

# OCI: config-linux.md, Namespaces: a type that is not listed MUST be inherited from the runtime
@test "a namespace not asked for is the caller's" {
	in_container 'for n in net ipc uts; do readlink /proc/self/ns/$n; done' \
		'.linux.namespaces |= map(select(.type | IN("mount", "pid"))) | del(.hostname)' >seen
	for ns in net ipc uts; do
		grep -F "$(readlink "/proc/self/ns/$ns")" seen
	done
}

@test "a spec without a mount namespace is refused" {
	bundle '.linux.namespaces |= map(select(.type != "mount"))'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has mount
	one_line
	nothing_left
}

@test "a hostname without a uts namespace is refused: it would be the host's" {
	before=$(hostname)
	bundle '.linux.namespaces |= map(select(.type != "uts"))'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	[ "$(hostname)" = "$before" ]
}

@test "the process is pid 1 and sees no process but its own" {
	run -0 in_container 'echo $$; ls -d /proc/[0-9]* | wc -l'
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" -le 3 ]
}

@test "the network has lo alone, up, with its address" {
	run -0 in_container 'ls /sys/class/net; ip addr show lo; (echo heard | nc -l -p 99) & sleep 0.3; nc 127.0.0.1 99'
	[ "${lines[0]}" = lo ]
	has "UP"
	has 127.0.0.1/8
	has "heard"
}

# OCI: config.md, Hostname: hostname and domainname are the container's
@test "host name and domain name are the spec's, the host's stay" {
	before=$(hostname)
	run -0 in_container 'hostname; cat /proc/sys/kernel/domainname' '.domainname = "example.test"'
	[ "${lines[0]}" = pod ]
	[ "${lines[1]}" = example.test ]
	[ "$(hostname)" = "$before" ]
}

# OCI: config-linux.md, Namespaces: with a path the process MUST be placed in the namespace of that file
@test "namespaces are joined by path" {
	detach 'sleep 1000'
	pid=$(init_pid)
	ID=$ID-b
	in_container 'for n in net ipc uts pid; do readlink /proc/self/ns/$n; done' "
		.linux.namespaces |= map(if .type | IN(\"network\", \"ipc\", \"uts\", \"pid\")
		then .path = \"/proc/$pid/ns/\" + ({ network: \"net\" }[.type] // .type) else . end) | del(.hostname)" >seen
	for ns in net ipc uts pid; do
		grep -F "$(readlink "/proc/$pid/ns/$ns")" seen
	done
}

# OCI: config-linux.md, Namespaces: a path that is no namespace of the type MUST generate an error
@test "a namespace of the wrong type is refused" {
	bundle '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/ipc" else . end)'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has network
	one_line
	nothing_left
}

# OCI: config-linux.md, Namespaces: a path that is no namespace of the type MUST generate an error
@test "a namespace's path that is no namespace is refused" {
	for path in /etc/passwd /no/such/file /dev/null; do
		bundle '.linux.namespaces |= map(if .type == "network" then .path = $path else . end)' --arg path "$path"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has "$path"
		one_line
	done
}

# OCI: config-linux.md, Namespaces: each of the eight types SHOULD be supported; without a path the runtime MUST create a new one
# bats test_tags=smoke,kernel
@test "a time namespace shifts the clocks" {
	run -0 in_container 'cat /proc/uptime; cat /proc/self/timens_offsets' \
		'.linux.namespaces += [{ type: "time" }] | .linux.timeOffsets = { boottime: { secs: 1000000 }, monotonic: { secs: 5 } }'
	[ "${output%%.*}" -ge 1000000 ]
	[ "$(cut -d. -f1 /proc/uptime)" -lt 1000000 ]
}

@test "the cgroup namespace is rooted at the container's cgroup" {
	run -0 in_container 'cat /proc/self/cgroup | grep ^0:'
	is "0::/"
}

@test "a joined mount, ipc or net namespace survives the container" {
	unshare -n sleep 1000 3>&- &
	holder=$!
	until_true 10 bash -c "[ \$(readlink /proc/$holder/ns/net) != $(readlink /proc/self/ns/net) ]"
	run -0 in_container 'readlink /proc/self/ns/net' \
		".linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/$holder/ns/net\" else . end)"
	is "$(readlink "/proc/$holder/ns/net")"
	kill -0 "$holder"
	kill "$holder"
}
