#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `exec`: one more process behind the same wall.
load helpers

# bats test_tags=smoke
@test "exec is in all of the container's namespaces and in its cgroup" {
	detach 'sleep 1000'
	pid=$(init_pid)
	for ns in pid mnt net ipc uts cgroup; do
		run -0 nacelle exec "$ID" readlink "/proc/self/ns/$ns"
		is "$(readlink "/proc/$pid/ns/$ns")"
	done
	nacelle exec -d "$ID" sleep 1234
	until_true 20 bash -c "cat \$(sed 's,.*,/proc/&/cmdline,' $(cgroup_dir)/cgroup.procs) | tr '\\0' ' ' | grep 'sleep 1234'"
}

@test "exec is where the container's process is now, and in none but its own where it has the host's" {
	detach 'exec unshare -u sh -c "hostname moved; exec sleep 1000"' \
		'.linux.namespaces |= map(select(.type != "ipc" and .type != "network")) |
		 .process.capabilities[] += ["CAP_SYS_ADMIN"] | .mounts |= map(select(.destination != "/dev/mqueue"))'
	until_true 20 test moved = "$(nacelle exec "$ID" hostname)"
	pid=$(init_pid)
	for ns in pid mnt net ipc uts cgroup; do
		run -0 nacelle exec "$ID" readlink "/proc/self/ns/$ns"
		is "$(readlink "/proc/$pid/ns/$ns")"
	done
	[ "$(readlink "/proc/$pid/ns/ipc")" = "$(readlink /proc/self/ns/ipc)" ]
}

@test "the exit status of exec is the process's, 126, 127 or 125" {
	detach 'sleep 1000'
	run -42 nacelle exec "$ID" sh -c 'exit 42'
	run -143 nacelle exec "$ID" sh -c 'kill -TERM $$'
	run -127 nacelle exec "$ID" no-such-program
	has 'exec: "no-such-program": executable file not found in $PATH'
	run -126 nacelle exec "$ID" /etc/passwd
	has 'exec: "/etc/passwd": permission denied'
	run -125 nacelle exec nobody true
	has nobody
	status_is running
}

@test "exec takes stdin, environment, working directory and user" {
	detach 'sleep 1000'
	[ "$(echo in | nacelle exec "$ID" cat)" = in ]
	run -0 nacelle exec -e A=b "$ID" sh -c 'echo $A'
	is b
	run -0 nacelle exec -w /etc "$ID" pwd
	is /etc
	run -0 nacelle exec -u 1000:2000 "$ID" sh -c 'echo $(id -u):$(id -g)'
	is 1000:2000
}

@test "users that cannot be meant are refused, and never become root" {
	detach 'sleep 1000'
	for user in -1 4294967295 4294967296 '' : 1: :1 0x10 ' 1' 1:-1 1:4294967295; do
		run -125 nacelle exec -u "$user" "$ID" id
		one_line
		lacks "uid="
	done
}

@test "exec inherits capabilities, no_new_privs and the filter" {
	detach 'sleep 1000' '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{ names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }] }'
	for key in CapBnd CapEff CapPrm NoNewPrivs Seccomp; do
		run -0 nacelle exec "$ID" grep "^$key:" /proc/self/status
		is "$(grep "^$key:" "/proc/$(init_pid)/status")"
	done
}

@test "exec by a process file, as engines do" {
	detach 'sleep 1000'
	jq '.process | .args = ["sh", "-c", "echo $X in $(pwd)"] | .env += ["X=y"] | .cwd = "/tmp"' \
		"$BUNDLE/config.json" >process.json
	run -0 nacelle exec --process process.json "$ID"
	is "y in /tmp"
}

@test "exec --detach writes the pid file, and the process lives on" {
	detach 'sleep 1000'
	nacelle exec -d --pid-file pid "$ID" sleep 1234
	[ "$(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")" = "sleep 1234 " ]
	[ "$(readlink "/proc/$(cat pid)/ns/mnt")" = "$(readlink "/proc/$(init_pid)/ns/mnt")" ]
}

@test "exec into a container that does not run is refused" {
	detach true
	until_true 20 status_is stopped
	run -125 nacelle exec "$ID" true
	one_line
}

@test "no descriptor of ours is seen by exec" {
	detach 'sleep 1000'
	exec 7</etc/hostname
	run -0 nacelle exec "$ID" sh -c 'for f in /proc/$$/fd/*; do readlink $f; done; true'
	lacks hostname
	lacks "$STATE"
	lacks cgroup
}
