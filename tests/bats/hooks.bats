#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Hooks of all six kinds: when they run, where, and what they are told.
load helpers

# hook_script - writes one that notes kind, where it is, and keeps the state it was given
hook_script()
{
	cat >hook <<-'END'
		#!/bin/sh
		# hook KIND FOLDER
		cat >"$2/$1.state"
		echo "$1" >>"$2/order"
		readlink /proc/self/ns/mnt >"$2/$1.mnt"
		readlink /proc/self/ns/uts >"$2/$1.uts"
	END
	chmod +x hook
}

hooks()
{
	jq -cn --arg dir "$BATS_TEST_TMPDIR" '[$ARGS.positional[] | { key: ., value: [
		{ path: "\($dir)/hook", args: ["hook", ., $dir] }] }] | from_entries' --args "$@"
}

# OCI: config.md, POSIX-platform Hooks: hooks MUST be called in the listed order
# OCI: config.md, POSIX-platform Hooks: prestart, createRuntime, poststart, poststop MUST run in the runtime namespace, their path resolved there
# OCI: config.md, POSIX-platform Hooks: createContainer MUST run in the container namespace, its path resolved in the runtime namespace
# bats test_tags=smoke
@test "hooks run in order, in the namespaces of their kind, with the state on stdin" {
	hook_script
	payload "sleep 1000" ".hooks = $(hooks prestart createRuntime createContainer poststart poststop)"
	create
	pid=$(init_pid)
	nacelle start "$ID"
	until_true 20 test -e poststart.state
	nacelle kill "$ID" KILL
	until_true 20 status_is stopped
	nacelle delete "$ID"
	[ "$(tr '\n' ' ' <order)" = "prestart createRuntime createContainer poststart poststop " ]
	for kind in prestart createRuntime poststart poststop; do
		[ "$(cat "$kind.mnt")" = "$(readlink /proc/self/ns/mnt)" ]
		[ "$(jq -r .id "$kind.state")" = "$ID" ]
	done
	[ "$(cat createContainer.uts)" != "$(readlink /proc/self/ns/uts)" ]
	[ "$(cat createContainer.mnt)" != "$(readlink /proc/self/ns/mnt)" ]
	[ "$(jq -r .pid createRuntime.state)" = "$pid" ]
	[ "$(jq -r .status prestart.state)" = creating ]
	[ "$(jq -r .status poststart.state)" = running ]
	[ "$(jq -r .status poststop.state)" = stopped ]
}

# OCI: config.md, POSIX-platform Hooks: startContainer MUST run in the container namespace, its path resolved there, before the process
@test "startContainer runs inside the container, before the process" {
	rootfs_own
	printf '#!/bin/sh\ncat >/hook.state\nid -u >/hook.id\n' >"$ROOTFS/hook"
	chmod +x "$ROOTFS/hook"
	run -0 in_container 'cat /hook.id' '.hooks.startContainer = [{ path: "/hook" }]'
	is 0
	[ "$(jq -r .id "$ROOTFS/hook.state")" = "$ID" ]
}

# OCI: runtime.md, Lifecycle: a prestart, createRuntime, createContainer or startContainer hook that fails MUST generate an error and stop the container
@test "a hook that fails before the start ends the container, its words are told" {
	for kind in prestart createRuntime createContainer startContainer; do
		bundle '.process.args = ["echo", "ran"] | .hooks[$kind] = [{ path: "/bin/sh",
			args: ["sh", "-c", "echo because of this >&2; exit 3"] }]' --arg kind "$kind"
		run -125 nacelle run -b "$BUNDLE" "$ID"
		has "$kind"
		lacks ran
		nothing_left
	done
}

# OCI: runtime.md, Lifecycle: a poststop hook that fails MUST log a warning, and the remaining hooks run
@test "a poststop that fails is a warning, and the next one runs" {
	bundle '.process.args = ["echo", "ran"] | .hooks.poststop = [{ path: "/bin/false" }, { path: "/bin/sh", args: ["sh", "-c", $next] }]' \
		--arg next "cat >$PWD/next"
	run -0 nacelle run -b "$BUNDLE" "$ID"
	has ran
	has "hooks.poststop[0]"
	[ "$(jq -r .status next)" = stopped ]
}

# OCI: runtime.md, Lifecycle: a poststart hook that fails MUST generate an error and stop the container
@test "a poststart that fails ends the container; its poststop hooks run" {
	bundle '.process.args = ["sleep", "1357"] | .hooks = { poststart: [{ path: "/bin/sh", args: ["sh", "-c", "echo because of this >&2; exit 3"] }],
		poststop: [{ path: "/bin/sh", args: ["sh", "-c", $next] }] }' --arg next "cat >$PWD/next"
	for way in run "run -d" create; do
		rm -f next
		# shellcheck disable=SC2086 # a verb and an option
		if [ "$way" = create ]; then
			nacelle create -b "$BUNDLE" "$ID" >created.out 2>&1
			run -125 nacelle start "$ID"
		else
			run -125 nacelle $way -b "$BUNDLE" "$ID"
		fi
		has "hooks.poststart[0]"
		until_true 20 test -s next
		[ "$(jq -r .status next)" = stopped ]
		not pgrep -f 'sleep 1357'
		nothing_left
	done
}

# OCI: config.md, POSIX-platform Hooks: timeout: the hook is aborted after that many seconds
@test "a hook that takes longer than its timeout is killed and is a failure" {
	bundle '.hooks.createRuntime = [{ path: "/bin/sleep", args: ["sleep", "1357"], timeout: 1 }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has createRuntime
	not pgrep -f "sleep 1357"
	nothing_left
}

# OCI: config.md, POSIX-platform Hooks: env is the hook's environment
@test "a hook's environment is the spec's alone" {
	bundle '.hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", "env >\($dir)/env"], env: ["ONLY=this"] }]' \
		--arg dir "$BATS_TEST_TMPDIR"
	SECRET=x run -0 nacelle run -b "$BUNDLE" "$ID"
	grep -qx ONLY=this env
	not grep SECRET env
}

# OCI: config.md, POSIX-platform Hooks: path MUST be absolute; timeout MUST be greater than zero
@test "a hook's path must be absolute and there" {
	bundle '.hooks.createRuntime = [{ path: "relative" }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "hooks.createRuntime[0].path"
	one_line
	bundle '.hooks.createRuntime = [{ path: "/no/such/hook" }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has /no/such/hook
	one_line
	nothing_left
}
