#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The short form, flags over it, and what they expand to.
load helpers

expand()
{
	nacelle spec --expand "$SPEC"
}

# bats test_tags=smoke
@test "args, env, cwd, user, hostname" {
	spec_file '{ "args": ["sh", "-c", "echo $A $(pwd) $(id -u):$(id -g) $(hostname)"], "env": { "A": "b" },
		"cwd": "/etc", "user": "1000:2000", "hostname": "here" }'
	run -0 nacelle run "$SPEC"
	is "b /etc 1000:2000 here"
}

@test "what the expansion prints is OCI and runs the same" {
	spec_file '{ "args": ["sh", "-c", "echo $A in $(pwd)"], "env": { "A": "b" }, "cwd": "/tmp" }'
	expand >"$BUNDLE/config.json"
	jq -e '.ociVersion and .process.args and .linux.namespaces and (has("args") | not)' "$BUNDLE/config.json"
	run -0 nacelle run -b "$BUNDLE" "$ID"
	is "b in /tmp"
}

@test "the defaults of the short form are the safe ones" {
	spec_file '{ "args": ["true"] }'
	expand >out
	jq -e '.process.noNewPrivileges and .linux.seccomp' out
	jq -e '[.linux.namespaces[].type] | contains(["pid", "mount", "ipc", "uts", "network", "cgroup"])' out
	jq -e '.process.capabilities.bounding | sort == (["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL",
		"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"] | map("CAP_" + .) | sort)' out
	jq -e '(.process.capabilities.inheritable // []) == [] and (.process.capabilities.ambient // []) == []' out
	jq -e '.linux.maskedPaths | contains(["/proc/kcore", "/proc/keys", "/sys/firmware"])' out
}

@test "an unknown key is refused with the nearest" {
	spec_file '{ "args": ["true"], "memroy": "64M" }'
	run -125 nacelle run "$SPEC"
	has memroy
	has memory
	one_line
	nothing_left
}

@test "an OCI section wins over the short key" {
	spec_file '{ "args": ["sh", "-c", "hostname; pwd"], "hostname": "one", "cwd": "/etc", "process": { "cwd": "/tmp" } }'
	run -0 nacelle run "$SPEC"
	is $'one\n/tmp'
}

@test "a flag wins over the spec" {
	spec_file '{ "args": ["sh", "-c", "echo $A $B $(pwd) $(id -u) $(hostname)"], "env": { "A": "1", "B": "2" }, "user": "5" }'
	run -0 nacelle run -e A=x -w /etc -u 7 --hostname there "$SPEC"
	is "x 2 /etc 7 there"
}

@test "volumes: binds, read-only, and relative to the spec's folder" {
	mkdir data
	echo content >data/file
	spec_file '{ "args": ["sh", "-c", "cat /d/file; echo x >/r/file"], "volumes": ["./data:/d", "./data:/r:ro"] }'
	run -1 nacelle run "$SPEC"
	has content
	has "Read-only"
	run -0 nacelle run -v "$PWD/data:/v" --entrypoint cat "$SPEC" /v/file
	is content
}

@test "tmpfs, sysctl, ulimits, cap_add, cap_drop, read_only" {
	spec_file '{ "args": ["sh", "-c", "df -k /t | tail -n 1; cat /proc/sys/net/ipv4/ip_default_ttl; ulimit -n; grep CapBnd /proc/self/status; echo x >/x"],
		"tmpfs": ["/t:size=64k"], "sysctl": { "net.ipv4.ip_default_ttl": "33" }, "ulimits": { "nofile": "50:60" },
		"cap_drop": ["ALL"], "cap_add": ["KILL"], "read_only": true }'
	run -1 nacelle run "$SPEC"
	[[ ${lines[0]} == *" 64 "* ]]
	[ "${lines[1]}" = 33 ]
	[ "${lines[2]}" = 50 ]
	[ "${lines[3]}" = "CapBnd:	0000000000000020" ]
	has "Read-only file system"
}

@test "the network: none is lo alone, host is the host's" {
	spec_file '{ "args": ["readlink", "/proc/self/ns/net"] }'
	run -0 nacelle run --network none "$SPEC"
	lacks "$(readlink /proc/self/ns/net)"
	run -0 nacelle run --network host "$SPEC"
	is "$(readlink /proc/self/ns/net)"
}

@test "what comes later is refused by name" {
	spec_file '{ "args": ["true"], "volumes": ["/tmp:/x:U"] }'
	run -125 nacelle run "$SPEC"
	has "not supported yet"
	one_line
	nothing_left
}

@test "sizes that are none are refused by name" {
	for size in 64X -5M '' 1e3 99999999999999999999; do
		spec_file "{ \"args\": [\"true\"], \"memory\": \"$size\" }"
		run -125 nacelle run "$SPEC"
		has memory
		one_line
	done
}

@test "spec writes or prints a config that runs, and does not overwrite" {
	mkdir b
	nacelle spec -b b
	run -125 nacelle spec -b b
	has config.json
	one_line
	nacelle spec -f - >out
	[ "$(jq -S . out)" = "$(jq -S . b/config.json)" ]
	jq '.process.terminal = false | .process.args = ["echo", "hi"] | .root.path = $r' --arg r "$ROOTFS" out >b/config.json
	run -0 nacelle run -b b "$ID"
	is hi
}

@test "the example of the README expands" {
	export NACELLE_STORE=$BATS_TEST_TMPDIR/store
	"${NACELLE%/*}/nacelle-image" import -q "$ROOTFS" busybox
	for example in hello service site; do
		run -0 nacelle spec --expand "$BATS_TEST_DIRNAME/../../examples/$example.json"
	done
	run -0 nacelle run "$BATS_TEST_DIRNAME/../../examples/hello.json"
	[[ $output == "hello from pid 1 on hello"* ]]
}
