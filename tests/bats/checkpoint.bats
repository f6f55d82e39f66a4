#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# checkpoint and restore. criu needs a kernel that it knows: the lab's.
load helpers

# counting [FILTER] - a container that counts in a file of a bind mount, and says each number
counting()
{
	keeps
	mkdir -p vol
	payload 'i=0; while :; do i=$((i + 1)); echo $i >/vol/n; echo "said $i"; sleep 0.2; done' \
		".mounts += [{ destination: \"/vol\", type: \"bind\", source: \"$PWD/vol\", options: [\"bind\"] }] | \"$PWD\" as \$dir | ${1:-.}"
	nacelle create -b "$BUNDLE" "$ID" </dev/null > >(cat >out 3>&-) 2>&1
	nacelle start "$ID"
	counts
}
# options - the container's mounts and their options
options()
{
	cut -d' ' -f5,6 "/proc/$(init_pid)/mountinfo" | sort
}
number()
{
	cat vol/n
}
# counts - it goes on
counts()
{
	local before
	before=$(number 2>/dev/null || echo 0)
	until_true 40 eval "[ \"\$(number)\" -gt ${before:-0} ]"
}

# bats test_tags=lab, full
@test "a container comes back where it was, with its limits, and ends as any other" {
	mkdir one two
	counting '.linux.resources.memory.limit = 67108864 | .linux.resources.pids.limit = 20 | .root.readonly = true |
		.linux.readonlyPaths += ["/etc"] | .mounts += [
			{ destination: "/mnt", type: "bind", source: ($dir + "/one"), options: ["bind", "ro", "nosuid"] },
			{ destination: "/var", type: "bind", source: ($dir + "/two"), options: ["bind", "ro", "nosuid"] }] |
		.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["acct"], action: "SCMP_ACT_ERRNO" }] }'
	before=$(options)
	nacelle checkpoint --image-path images --work-path work "$ID"
	# it is gone, and its place is free
	run -125 nacelle state "$ID"
	stopped=$(number)
	[ -s images/descriptors.json ] && [ -s work/dump.log ]

	nacelle restore --detach --image-path images --work-path work --pid-file pid -b "$BUNDLE" "$ID" </dev/null > >(cat >out2 3>&-) 2>&1 || {
		sleep 1
		cat out2
		grep Error work/restore.log
		false
	}
	[ "$(state .status)" = running ]
	[ "$(cat pid)" = "$(init_pid)" ]
	counts
	[ "$(number)" -gt "$stopped" ]
	# what it says goes where the standard output of restore goes
	until_true 20 grep -q "said $((stopped + 2))" out2
	# it did not begin anew
	not grep -qx 'said 1' out2

	[ "$(cat "$(cgroup_dir)/memory.max")" = 67108864 ]
	[ "$(cat "$(cgroup_dir)/pids.max")" = 20 ]
	[ "$(cat "$(cgroup_dir)/memory.current")" -gt 0 ]
	[ "$(grep Seccomp: "/proc/$(init_pid)/status" | cut -f2)" = 2 ]
	[ "$(grep NoNewPrivs: "/proc/$(init_pid)/status" | cut -f2)" = 1 ]
	# what was read-only is so again, each mount with the options that it had
	[ "$(options)" = "$before" ]
	# it sees its own cgroup as the root of all, and others join it
	[ "$(nacelle exec "$ID" cat /proc/1/cgroup)" = 0::/ ]
	nacelle pause "$ID"
	status_is paused
	nacelle resume "$ID"
	counts
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	nacelle delete "$ID"
}

# bats test_tags=lab, full
@test "--leave-running goes on; a paused one can be written; memory beforehand" {
	counting
	nacelle checkpoint --pre-dump --image-path first "$ID"
	status_is running
	nacelle pause "$ID"
	mkdir second
	nacelle checkpoint --leave-running --parent-path ../first --image-path second "$ID"
	status_is paused
	nacelle resume "$ID"
	counts
	nacelle delete --force "$ID"
	# in front of it: its end is ours, and nothing is left
	nacelle restore --image-path second -b "$BUNDLE" "$ID" </dev/null >out2 2>&1 3>&- &
	pid=$!
	until_true 40 status_is running
	counts
	nacelle kill "$ID" KILL
	status=0
	wait $pid || status=$?
	[ $status = 137 ]
	run -125 nacelle state "$ID"
}

# bats test_tags=lab, full
@test "what cannot be is refused in a line, and the container goes on" {
	counting
	for options in --lazy-pages '--page-server 1:2' '--parent-path /abs'; do
		# shellcheck disable=SC2086
		run -125 nacelle checkpoint $options "$ID"
		one_line
	done
	PATH=/none run -125 "$NACELLE" --root "$STATE" --data "$DATA" checkpoint "$ID"
	one_line
	has "install it"
	counts
	# images of nothing
	mkdir none
	run -125 nacelle restore -d --image-path none -b "$BUNDLE" other
	one_line
	run -125 nacelle restore -d --image-path nowhere -b "$BUNDLE" other
	one_line
	run -125 nacelle state other
}

# bats test_tags=lab, full
@test "namespaces that others made are joined again; a network namespace can be left empty" {
	unshare --net --ipc --uts sleep 1000 3>&- &
	holder=$!
	until_true 20 eval '[ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	nsenter -t $holder -u hostname of-the-holder
	nsenter -t $holder -n ip link add name probe type dummy
	counting "del(.hostname) | .linux.namespaces |= (map(select(.type != \"network\" and .type != \"ipc\" and .type != \"uts\")) +
		[{ type: \"network\", path: \"/proc/$holder/ns/net\" }, { type: \"ipc\", path: \"/proc/$holder/ns/ipc\" },
		 { type: \"uts\", path: \"/proc/$holder/ns/uts\" }])"
	nacelle checkpoint --image-path images "$ID"
	stopped=$(number)
	nacelle restore --detach --image-path images -b "$BUNDLE" "$ID" </dev/null >out2 2>&1 || {
		cat out2
		grep Error images/restore.log
		false
	}
	[ "$(readlink "/proc/$(init_pid)/ns/net")" = "$(readlink /proc/$holder/ns/net)" ]
	[ "$(readlink "/proc/$(init_pid)/ns/ipc")" = "$(readlink /proc/$holder/ns/ipc)" ]
	[ "$(readlink "/proc/$(init_pid)/ns/uts")" = "$(readlink /proc/$holder/ns/uts)" ]
	[ "$(nacelle exec "$ID" hostname)" = of-the-holder ]
	counts
	[ "$(number)" -gt "$stopped" ]
	nacelle delete --force "$ID"
	kill $holder
	counting '.linux.namespaces |= (map(select(.type != "network")) + [{ type: "network" }])'
	nsenter -t "$(init_pid)" -n ip link add name probe type dummy
	nacelle checkpoint --empty-ns network --image-path empty "$ID"
	nacelle restore --detach --empty-ns network --image-path empty -b "$BUNDLE" "$ID" </dev/null >out2 2>&1
	counts
	not nsenter -t "$(init_pid)" -n ip link show probe
}

# bats test_tags=lab, full
@test "a profile that criu would not see, and so leave out, is refused" {
	! mountpoint -q /sys/kernel/security || skip "securityfs is mounted"
	counting '.process.apparmorProfile = "unconfined"'
	run -125 nacelle checkpoint --image-path images "$ID"
	has "mount -t securityfs"
	one_line
	status_is running
}

# bats test_tags=lab, full
@test "an AppArmor profile comes back, or another in its place" {
	# the code that criu puts into the process talks to criu by a socket: a profile without any keeps criu waiting for ever
	printf 'profile nacelle-%s {\n  file,\n  signal,\n  network unix,\n  deny /etc/passwd r,\n}\n' one two >profiles
	mounted=
	if ! mountpoint -q /sys/kernel/security; then
		mounted=/sys/kernel/security
		mount -t securityfs none $mounted
	fi
	apparmor_parser -K -r profiles
	counting '.process.apparmorProfile = "nacelle-one"'
	nacelle checkpoint --image-path images "$ID"
	for profile in one two; do
		other=()
		[ $profile = one ] || other=(--lsm-profile "apparmor:nacelle-$profile")
		nacelle restore --detach "${other[@]}" --image-path images \
			-b "$BUNDLE" "$ID" </dev/null >out2 2>&1 || {
			cat out2
			grep Error images/restore.log
			false
		}
		label=$(cat "/proc/$(init_pid)/attr/current")
		echo "label: $label"
		[ "$label" = "nacelle-$profile (enforce)" ]
		counts
		nacelle delete --force "$ID"
	done
	# what is not there is said, and nothing is left
	for option in --lsm-mount-context=a:b:c --lsm-profile=selinux:a:b:c --lsm-profile=nacelle-one; do
		run -125 nacelle restore --detach $option --image-path images -b "$BUNDLE" "$ID"
		one_line
		has "${option%%=*}"
		run -125 nacelle state "$ID"
	done
	[ -z "$mounted" ] || umount $mounted
}

# numbers MESSAGE - "1 NAME" of each field of a message in criu's own description, in capitals
numbers()
{
	sed -n "/^message $1 {/,/^}/p; /^enum $1 {/,/^}/p" /usr/include/criu/rpc.proto |
		sed -nE 's/.*[[:space:]]([A-Za-z_]+)[[:space:]]*=[[:space:]]*([0-9]+).*/\2 \U\1/p'
}

@test "the numbers of criu's messages are criu's" {
	header=$BATS_TEST_DIRNAME/../../runtime/criu-message.h
	# ours, where they are called otherwise
	ours=$(sed -nE '/^enum criu_option/,/^}/s/^\tCRIU_([A-Z_]+) = ([0-9]+),.*/\2 \1/p' "$header" |
		sed 's/IMAGES_FD/IMAGES_DIR_FD/; s/PARENT_IMAGES/PARENT_IMG/; s/TRACK_MEMORY/TRACK_MEM/; s/WORK_FD/WORK_DIR_FD/
			s/RESTORE_SIBLING/RST_SIBLING/; s/ORPHAN_TERMINAL/ORPHAN_PTS_MASTER/')
	[ "$(wc -l <<<"$ours")" -ge 28 ]
	[ -z "$(comm -23 <(sort <<<"$ours") <(numbers criu_opts | sort))" ]
	requests=$(grep '^enum criu_request' "$header" | grep -oE 'CRIU_[A-Z_]+ = [0-9]+' | sed -E 's/CRIU_(.*) = (.*)/\2 \1/')
	[ -z "$(comm -23 <(sort <<<"$requests") <(numbers criu_req_type | sort))" ]
}

@test "options that criu's other users have are taken, or refused by name" {
	for options in '--manage-cgroups-mode full' '--manage-cgroups-mode strict' '--empty-ns pid'; do
		for verb in checkpoint restore; do
			# shellcheck disable=SC2086
			run -125 nacelle $verb $options "$ID"
			one_line
			has "not supported"
		done
	done
	run -125 nacelle restore --tcp-close --tcp-established -b "$BUNDLE" "$ID"
	has contradict
	run -125 nacelle --criu /nowhere/criu restore --manage-cgroups-mode soft --empty-ns network -b "$BUNDLE" "$ID"
	one_line
	has "/nowhere/criu"
	run -125 nacelle --criu no-such-program restore --manage-cgroups-mode ignore -b "$BUNDLE" "$ID"
	one_line
	has "'no-such-program' is not in PATH"
}

@test "without criu nothing is made, and who has no right is told" {
	create
	run -125 nacelle checkpoint "$ID"
	one_line
	has "created, not running"
	bundle '.linux.namespaces += [{ type: "user" }] | .linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 10 }] |
		.linux.gidMappings = .linux.uidMappings'
	run -125 nacelle restore -b "$BUNDLE" other
	one_line
	has "user namespace"
	bundle .
	PATH=/none run -125 "$NACELLE" --root "$STATE" --data "$DATA" restore -b "$BUNDLE" other
	one_line
	has "criu"
	run -125 nacelle state other
	nacelle checkpoint --help | grep -q -- --leave-running
	nacelle restore --help | grep -q -- --console-socket
}
