#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Annotations that engines' users set on other runtimes, and sockets that a service manager gives.
load helpers

# OCI: config.md, Annotations: keys MUST NOT be empty; SHOULD be in reverse domain notation; org.opencontainers is reserved
@test "an annotation without a name is refused" {
	bundle '.annotations = { "": "x" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	has annotations
}

# annotated KEY VALUE - a filter
annotated()
{
	printf '.annotations[%s] = %s' "\"$1\"" "\"$2\""
}

@test "run.oci.keep_original_groups: the caller's groups, and no others" {
	payload 'grep ^Groups: /proc/self/status' "$(annotated run.oci.keep_original_groups 1)"
	run -0 setpriv --groups 5,77 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	[ "$(xargs <<<"$output")" = "Groups: 5 77" ]
	payload 'grep ^Groups: /proc/self/status' "$(annotated run.oci.keep_original_groups 0)"
	run -0 setpriv --groups 5,77 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	[ "$(xargs <<<"$output")" = "Groups:" ]
}

@test "run.oci.hooks.stdout and .stderr: the output of hooks, inside and outside" {
	rootfs_own
	printf '#!/bin/sh\necho "out $1"\necho "err $1" >&2\n' >hook
	chmod +x hook
	cp hook "$ROOTFS/hook"
	bundle '.process.args = ["true"] | .annotations = { "run.oci.hooks.stdout": ($dir + "/out"), "run.oci.hooks.stderr": ($dir + "/err") } |
		.hooks = (["prestart", "createRuntime", "createContainer", "poststart", "poststop"] |
			map({ key: ., value: [{ path: ($dir + "/hook"), args: ["hook", .] }] }) | from_entries) |
		.hooks.startContainer = [{ path: "/hook", args: ["hook", "startContainer"] }]' --arg dir "$PWD"
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is ""
	[ "$(xargs <out)" = "out prestart out createRuntime out createContainer out startContainer out poststart out poststop" ]
	[ "$(wc -l <err)" = 6 ]
}

@test "run.oci.seccomp_fail_unknown_syscall: a name that nobody knows is a failure" {
	filter='.process.args = ["true"] | .linux.seccomp = { defaultAction: "SCMP_ACT_ERRNO",
		syscalls: [{ names: ["nosuchcall"], action: "SCMP_ACT_ERRNO" }, { names: ["brk"], action: "SCMP_ACT_ALLOW" }] }'
	bundle "$filter | $(annotated run.oci.seccomp_fail_unknown_syscall 1)"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has '"nosuchcall" is no system call that we know'
	one_line
}

@test "run.oci.handler=krun and io.nacelle.vm ask for a virtual machine" {
	for annotation in run.oci.handler=krun io.nacelle.vm=true; do
		jq -n --arg rootfs "$ROOTFS" --arg key "${annotation%=*}" --arg value "${annotation#*=}" \
			'{ layers: [$rootfs], args: ["true"], annotations: { ($key): $value } }' >asked.json
		run -0 nacelle spec --expand asked.json
		jq -e '.vm == {}' <<<"$output"
	done
	jq '.annotations["io.nacelle.vm"] = "false"' asked.json >not.json
	run -0 nacelle spec --expand not.json
	jq -e 'has("vm") | not' <<<"$output"
}

@test "run.oci.handler and run.oci.mount_context_type: what is not known is refused by name" {
	bundle "$(annotated run.oci.handler wasmedge)"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has wasmedge
	bundle "$(annotated run.oci.mount_context_type nosuch)"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has nosuch
	one_line
}

# bats test_tags=smoke
@test "run.oci.delegate-cgroup: the payload lives in a cgroup below the limited one, and manages it" {
	detach 'mkdir /sys/fs/cgroup/payload/mine && echo $$ >/sys/fs/cgroup/payload/mine/cgroup.procs; grep ^0:: /proc/self/cgroup; sleep 1000' \
		"$(annotated run.oci.delegate-cgroup payload) | .mounts |= map(if .destination == \"/sys/fs/cgroup\" then .options -= [\"ro\"] else . end)"
	says 0::/payload/mine
	[[ $(grep ^0:: "/proc/$(init_pid)/cgroup") == *"$ID/payload/mine" ]]
	run -0 nacelle exec "$ID" grep ^0:: /proc/self/cgroup
	is 0::/payload/mine
	bundle "$(annotated run.oci.delegate-cgroup a/b)"
	run -125 nacelle run -b "$BUNDLE" "x$ID"
	has "'a/b'"
}

# OCI: runtime-linux.md, File descriptors: descriptors that LISTEN_FDS names MAY be passed
@test "LISTEN_FDS: the sockets, their number, and whose they are" {
	payload 'env | grep ^LISTEN | sort; cat <&3; cat <&4'
	echo three >three && echo four >four
	run -0 env LISTEN_FDS=1 LISTEN_FDNAMES=web "$NACELLE" --root "$STATE" --data "$DATA" run --preserve-fds 1 \
		-b "$BUNDLE" "$ID" 3<three 4<four
	is $'LISTEN_FDNAMES=web\nLISTEN_FDS=1\nLISTEN_PID=1\nthree\nfour'
	# meant for another process
	payload 'env | grep ^LISTEN; ls /proc/self/fd | grep -c "[3-9]"'
	run env LISTEN_FDS=1 LISTEN_PID=1 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" 3<three
	is 1
	run -125 env LISTEN_FDS=5 "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" 3<three
	has LISTEN_FDS
	one_line
}

@test "LISTEN_FDS over create and start" {
	keeps
	payload 'cat <&3 >/tmp/said; echo "$LISTEN_FDS $LISTEN_PID" >>/tmp/said; sleep 1000'
	echo three >three
	env LISTEN_FDS=1 "$NACELLE" --root "$STATE" --data "$DATA" create -b "$BUNDLE" "$ID" 3<three
	nacelle start "$ID"
	until_true 10 grep -q "1 1" "/proc/$(init_pid)/root/tmp/said"
	grep -q three "/proc/$(init_pid)/root/tmp/said"
	rm -f "$ROOTFS/tmp/said"
}

@test "NOTIFY_SOCKET: it is reached from inside, and cannot be changed there" {
	rootfs_own
	mkdir service
	# shellcheck disable=SC2016 # perl's own variables
	perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0) && bind(S, pack_sockaddr_un($ARGV[0])) or die $!;
		recv(S, $word, 100, 0); open(F, ">", $ARGV[1]) && print F $word' service/notify heard 3>&- &
	receiver=$!
	until_true 10 test -S service/notify
	payload 'echo "$NOTIFY_SOCKET"; chmod 0 "$NOTIFY_SOCKET" 2>&1; sleep 1000'
	keeps
	NOTIFY_SOCKET=$PWD/service/notify nacelle run -d -b "$BUNDLE" "$ID"
	says /run/notify/notify.sock
	says "ead-only file system"
	[ -S "/proc/$(init_pid)/root/run/notify/notify.sock" ]
	# shellcheck disable=SC2016 # perl's own variables
	perl -MSocket -e 'socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; chdir($ARGV[0]) or die;
		send(S, "READY=1", 0, pack_sockaddr_un("notify.sock")) or die $!' "/proc/$(init_pid)/root/run/notify"
	wait $receiver
	[ "$(cat heard)" = READY=1 ]
}

@test "NOTIFY_SOCKET: what is no socket is refused" {
	rootfs_own
	bundle '.process.args = ["true"]'
	run -125 env NOTIFY_SOCKET="$PWD" "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	has "is not a socket"
	one_line
}
