#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# User namespaces with id maps.
load helpers

mapped='.linux.namespaces += [{ type: "user" }] |
	.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }] |
	.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }]'

# the mapped root must be able to come to the root file system
setup_mapped()
{
	rootfs_own
	chown -R -h 100000:200000 "$ROOTFS"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" 2>/dev/null || true
	local dir=$BATS_TEST_TMPDIR
	while [ "$dir" != / ]; do
		chmod a+x "$dir"
		dir=$(dirname "$dir")
	done
}

# bats test_tags=smoke,kernel
@test "root inside is nobody special outside" {
	setup_mapped
	detach 'id -u >/tmp/id; sleep 1000' "$mapped"
	until_true 20 test -s "$ROOTFS/tmp/id"
	[ "$(cat "$ROOTFS/tmp/id")" = 0 ]
	pid=$(init_pid)
	[ "$(stat -c %u:%g "/proc/$pid")" = 100000:200000 ]
	[ "$(awk '{ print $1, $2, $3 }' "/proc/$pid/uid_map")" = "0 100000 65536" ]
	[ "$(awk '{ print $1, $2, $3 }' "/proc/$pid/gid_map")" = "0 200000 65536" ]
	[ "$(stat -c %u:%g "$ROOTFS/tmp/id")" = 100000:200000 ]
	[ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

# OCI: config-linux.md, User namespace mappings: the runtime SHOULD NOT change the owners of referenced file systems
@test "no file of the root, of a layer or of a mount changes its owner" {
	setup_mapped
	owners()
	{
		find "$ROOTFS" src -printf '%p %U:%G\n' | sort
	}
	mkdir -p src/below
	: >src/file && chown 7:8 src/file && chown 100000:0 src/below
	owners >before
	run -0 in_container 'ls -R /mnt /bin >/dev/null' "$mapped | .mounts += [{ destination: \"/mnt\", type: \"bind\", source: \"$PWD/src\", options: [\"rbind\"] }]"
	owners >after
	# a place for a mount may be new, and is no file that was there
	[ -z "$(comm -23 before after)" ]
	jq -n --arg rootfs "$ROOTFS" --arg src "$PWD/src" '{ layers: [$rootfs], upper: "tmpfs", volumes: [$src + ":/mnt"], args: ["true"] }' >spec.json
	run -0 nacelle run ./spec.json
	owners >after
	[ -z "$(comm -23 before after)" ]
}

# OCI: config.md, User: uid, gid and additionalGids are those of the process, in the container's user namespace
@test "another user inside is the mapped one outside" {
	setup_mapped
	detach 'sleep 1000' "$mapped | .process.user = { uid: 1000, gid: 1000 }"
	[ "$(stat -c %u:%g "/proc/$(init_pid)")" = 101000:201000 ]
}

@test "every other namespace belongs to the new user namespace" {
	setup_mapped
	run -0 in_container 'hostname changed 2>&1; hostname; ip link set lo down && echo down' \
		"$mapped | .process.capabilities.bounding += [\"CAP_SYS_ADMIN\", \"CAP_NET_ADMIN\"] |
		.process.capabilities.effective += [\"CAP_SYS_ADMIN\", \"CAP_NET_ADMIN\"] |
		.process.capabilities.permitted += [\"CAP_SYS_ADMIN\", \"CAP_NET_ADMIN\"]"
	has changed
	has down
}

@test "the devices are there as binds of the host's" {
	setup_mapped
	run -0 in_container 'for d in null zero full random urandom tty; do stat -c %t:%T /dev/$d; done; echo x >/dev/null && echo written' "$mapped"
	has 1:3
	has 1:9
	has written
}

@test "a user that is not mapped is refused" {
	setup_mapped
	payload 'id' "$mapped | .process.user.uid = 70000"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has 70000
	one_line
	nothing_left
}

@test "maps that overlap, or none, are refused" {
	bundle "$mapped | .linux.uidMappings += [{ containerID: 10, hostID: 5, size: 1 }]"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	bundle '.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 1 }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has linux.uidMappings
	one_line
	nothing_left
}

@test "exec is in the user namespace too" {
	setup_mapped
	detach 'sleep 1000' "$mapped"
	run -0 nacelle exec "$ID" readlink /proc/self/ns/user
	is "$(readlink "/proc/$(init_pid)/ns/user")"
	nacelle exec -d --pid-file pid "$ID" sleep 1000
	[ "$(stat -c %u "/proc/$(cat pid)")" = 100000 ]
}
