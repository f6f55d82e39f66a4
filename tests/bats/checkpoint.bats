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
