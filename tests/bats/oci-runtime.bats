#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What runtime.md and runtime-linux.md ask for, as far as no other file tests it. A line `# OCI: file.md, section: what
# is asked` above a test is what tests/oci-table prints; other files carry such lines too.
load helpers

# refused COMMAND... - our own failure, in one line
refused()
{
	run -125 nacelle "$@"
	one_line
}

# OCI: runtime.md, Query State: MUST generate an error without the id of a container
# OCI: runtime.md, Create: MUST generate an error without an id
# OCI: runtime.md, Start: MUST generate an error without an id
# OCI: runtime.md, Kill: MUST generate an error without an id
# OCI: runtime.md, Delete: MUST generate an error without an id
@test "no verb goes without an id" {
	for verb in state create start kill delete; do refused "$verb"; done
	[ -z "$(ls -A "$STATE" 2>/dev/null)" ]
}

# OCI: runtime.md, Query State: asking for a container that does not exist MUST generate an error
# OCI: runtime.md, Start: starting one that is not created MUST generate an error
# OCI: runtime.md, Kill: MUST generate an error for one that is neither created nor running
@test "no verb takes an id that nobody has" {
	for verb in state start kill delete; do refused "$verb" nobody; done
}

# OCI: runtime.md, Create: an id that is not valid MUST generate an error, and a new container MUST NOT be created
@test "an id that is no name is refused, and nothing is made" {
	for id in '' . .. a/b ../x $'a\nb' "$(printf 'x%.0s' {1..2000})"; do
		refused create -b "$BUNDLE" "$id"
	done
	[ -z "$(find "$STATE" -mindepth 1 -maxdepth 1 -type d 2>/dev/null)" ]
}

# OCI: runtime.md, Create: an id that is not unique MUST generate an error; the other container is not affected
# OCI: runtime.md, Errors: an error MUST leave the environment as if the operation were never attempted
# OCI: runtime.md, State: the id MUST be unique on this host
@test "a second create leaves the first as it was" {
	create
	before=$(nacelle state "$ID")
	refused create -b "$BUNDLE" "$ID"
	[ "$(nacelle state "$ID")" = "$before" ]
	nacelle start "$ID"
}

# OCI: runtime.md, Create: a property that cannot be applied MUST generate an error, and no container is created
@test "a property that cannot be applied: no container" {
	for change in '.mounts += [{ destination: "/x", type: "nosuchfs", source: "none" }]' \
		'.linux.sysctl = { "kernel.nosuch": "1" }' '.linux.namespaces += [{ type: "network", path: "/nowhere" }]' \
		'.hooks.createRuntime = [{ path: "/nowhere" }]'; do
		bundle "$change"
		refused create -b "$BUNDLE" "$ID"
		refused state "$ID"
	done
}

# OCI: runtime.md, Create: process.args MUST NOT be applied until the start operation
# OCI: runtime.md, Start: MUST run the program as specified by process
@test "args run at start and not before" {
	rootfs_own
	payload 'echo ran >/tmp/ran'
	create
	sleep 0.3
	[ ! -e "$ROOTFS/tmp/ran" ]
	nacelle start "$ID"
	until_true 20 test -e "$ROOTFS/tmp/ran"
}

# OCI: runtime.md, Start: MUST generate an error if process was not set
# OCI: config.md, Process: process is REQUIRED when start is called
@test "without a process there is no start" {
	bundle 'del(.process)'
	keeps
	run nacelle create -b "$BUNDLE" "$ID"
	[ "$status" != 0 ] || run nacelle start "$ID"
	[ "$status" = 125 ]
	has process
}

# OCI: runtime.md, Start: starting a container that is not created MUST have no effect on it
@test "start of a running one and of a stopped one has no effect" {
	# one that an engine created: those of `run -d` have a keeper, which may be told to begin anew
	payload 'sleep 1000'
	create
	nacelle start "$ID"
	pid=$(init_pid)
	refused start "$ID"
	[ "$(init_pid)" = "$pid" ] && status_is running
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	refused start "$ID"
	status_is stopped
}

# OCI: runtime.md, Kill: MUST send the signal to the container process, of a created one too
@test "kill of a created container ends it" {
	payload 'sleep 1000'
	create
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
}

# OCI: runtime.md, Delete: deleting one that is not stopped MUST have no effect on it and MUST generate an error
@test "delete of a created and of a running one has no effect" {
	payload 'sleep 1000'
	create
	refused delete "$ID"
	status_is created
	nacelle start "$ID"
	refused delete "$ID"
	status_is running
}

# OCI: runtime.md, Delete: MUST delete what create made, and MUST NOT delete what it did not make
# OCI: runtime.md, Delete: the id MAY be used again
# OCI: runtime.md, Lifecycle: the container MUST be destroyed by undoing create
@test "delete removes what create made alone, and the id is free" {
	for _ in 1 2; do
		payload 'true'
		nacelle create -b "$BUNDLE" "$ID"
		nacelle start "$ID"
		until_true 20 status_is stopped
		nacelle delete "$ID"
		[ ! -e "$STATE/$ID" ]
	done
	[ -e "$ROOTFS/bin/sh" ] && [ -e "$BUNDLE/config.json" ]
}

# OCI: runtime.md, State: `pid` and `bundle` REQUIRED, bundle is the absolute path; `annotations` as in the configuration
# OCI: runtime.md, State: status is creating, created, running or stopped; others MUST stand for other states
@test "state of each status has what it must" {
	payload 'sleep 1000' '.annotations = { "org.test.a": "b" }'
	cd "$BUNDLE"
	keeps
	nacelle create "$ID"
	for status in created running stopped; do
		until_true 20 status_is "$status"
		nacelle state "$ID" | jq -e --arg s "$status" --arg b "$BUNDLE" --arg id "$ID" '.status == $s and .bundle == $b and .id == $id and
			.annotations["org.test.a"] == "b" and (.ociVersion | type) == "string" and ($s == "stopped" or .pid > 0)'
		case $status in
		created) nacelle start "$ID" ;;
		running) nacelle kill "$ID" KILL ;;
		esac
	done
}

# OCI: runtime-linux.md, File descriptors: stdin, stdout and stderr alone are kept open
@test "no descriptor but three is inherited" {
	exec 7</etc/passwd 9>"$BATS_TEST_TMPDIR/x"
	run -0 in_container 'ls /proc/self/fd'
	exec 7<&- 9>&-
	# the third is that of ls itself
	is $'0\n1\n2\n3'
}

# OCI: runtime-linux.md, Dev symbolic links: /dev/fd, stdin, stdout, stderr are made where /proc/self/fd is
@test "the links of /dev are there after the mounts" {
	run -0 in_container 'for l in fd stdin stdout stderr; do readlink /dev/$l; done'
	is $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2'
}

# OCI: runtime.md, Lifecycle: hooks run in the order prestart, createRuntime, createContainer, startContainer, poststart, poststop
# OCI: config.md, POSIX-platform Hooks: the state MUST be passed to hooks over stdin
@test "hooks in the order of the life cycle, each with the state" {
	cat >hook <<-EOF
		#!/bin/sh
		echo "\$1 \$(cat | sed 's/.*"status" *: *"\([a-z]*\)".*/\1/' | tr -d '\n')" >>$BATS_TEST_TMPDIR/order
	EOF
	chmod +x hook
	bundle '.hooks = ([ "prestart", "createRuntime", "createContainer", "poststart", "poststop" ] |
		map({ (.): [{ path: $hook, args: ["hook", .] }] }) | add)' --arg hook "$BATS_TEST_TMPDIR/hook"
	nacelle run -b "$BUNDLE" "$ID"
	run -0 awk '{ print $1 }' order
	is $'prestart\ncreateRuntime\ncreateContainer\npoststart\npoststop'
	grep -E '^(prestart|createRuntime|createContainer) creating$' order
	grep -E '^poststop stopped$' order
}

# OCI: config-linux.md, Control groups: the runtime MUST NOT write to cgroups it does not own
# bats test_tags=smoke
@test "of cgroups only the container's own is written to, made and removed; above it controllers are enabled, no more" {
	bundle '.process.args = ["true"] | .linux.cgroupsPath = $path' --arg path "/$ID/own"
	mkdir -p "$CGROUP/$ID" "$CGROUP/$ID/other"
	timeout 50 strace -f -y -qq -o trace -e trace=openat,openat2,mkdirat,unlinkat,mkdir,rmdir,open \
		"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	rmdir "$CGROUP/$ID/other" "$CGROUP/$ID"
	grep -E "[<\"]$CGROUP" trace | grep -E 'O_WRONLY|O_RDWR|O_CREAT|mkdir|unlink|rmdir' >touched
	grep -q "\"$ID/own\"\|\"own\"" touched
	# what is left when its own, and the way to it, are taken out
	run ! grep -vE "<$CGROUP/$ID/own>|mkdirat\(.*<$CGROUP>, \"$ID(/own)?\"|unlinkat\(.*<$CGROUP/$ID>, \"own\"|\"cgroup.subtree_control\"" touched
}
