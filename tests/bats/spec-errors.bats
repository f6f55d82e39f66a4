#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A wrong spec of each kind: one clear line, the right status, nothing left.
load helpers

# refused TEXT... - running the bundle fails with 125 and one line that holds each text
refused()
{
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	for text in "$@"; do has "$text"; done
	nothing_left
}

# bats test_tags=smoke
@test "a syntax error is told by file, line and column" {
	printf '{\n\t"root": { "path": "rootfs" },\n\t"process": { "args": [ "x", ] }\n}\n' >"$BUNDLE/config.json"
	refused config.json:3:
}

@test "wrong types are told by their path" {
	bundle '.process.cwd = 5'
	refused process.cwd string integer
	bundle '.process.args = "true"'
	refused process.args array
	bundle '.linux.namespaces[1].type = 5'
	refused 'linux.namespaces[1].type'
	bundle '.process.env[1] = null'
	refused 'process.env[1]'
	bundle '.mounts = {}'
	refused mounts
}

@test "wrong values are told by their path" {
	bundle '.linux.namespaces[0].type = "pidd"'
	refused 'linux.namespaces[0].type' pidd
	bundle '.process.user.uid = -1'
	refused process.user.uid
	bundle '.process.user.uid = 4294967296'
	refused process.user.uid
	bundle '.process.args = []'
	refused process.args
	bundle '.process.cwd = "relative"'
	refused process.cwd
	bundle '.process.cwd = ""'
	refused process.cwd
	bundle '.mounts[0].destination = ""'
	refused 'mounts[0].destination'
	bundle '.linux.namespaces += [{ type: "pid" }]'
	refused linux.namespaces pid
}

# OCI: config.md, Root: root is REQUIRED on POSIX platforms
@test "what is required and missing is named" {
	bundle 'del(.process)'
	refused process
	bundle 'del(.process.cwd)'
	refused process.cwd
	bundle 'del(.root)'
	refused root
	bundle 'del(.ociVersion)'
	refused ociVersion
}

@test "an OCI version that we cannot know is refused" {
	for version in 2.0.0 0.5.0 x ''; do
		bundle '.ociVersion = $version' --arg version "$version"
		refused ociVersion
	done
}

@test "duplicate keys, trailing data, NUL, an empty file, an empty object, an array" {
	for text in '{ "a": 1, "a": 2 }' '{} {}' '{ "hostname": "a\u0000b" }' '' '{}' '[]' 'null'; do
		printf '%s' "$text" >"$BUNDLE/config.json"
		refused config.json
	done
}

@test "a depth beyond 128 and a size beyond 16 MiB are refused" {
	{ printf '{ "x": '; printf '[%.0s' {1..200}; printf ']%.0s' {1..200}; printf '}'; } >"$BUNDLE/config.json"
	refused config.json
	{ printf '{ "x": "'; head -c 17000000 /dev/zero | tr '\0' x; printf '" }'; } >"$BUNDLE/config.json"
	refused config.json
}

@test "a config that is no regular file is refused without waiting" {
	rm "$BUNDLE/config.json"
	mkfifo "$BUNDLE/config.json"
	refused config.json
	rm "$BUNDLE/config.json"
	mkdir "$BUNDLE/config.json"
	refused config.json
	rmdir "$BUNDLE/config.json"
	refused config.json "not found"
}

# OCI: bundle.md, Filesystem Bundle: config.json MUST be at the root of the bundle directory, under that name
@test "a bundle or a spec file that is not there" {
	run -125 nacelle run -b /no/such/bundle "$ID"
	has /no/such/bundle
	one_line
	run -125 nacelle run ./no-such.json
	has no-such.json
	one_line
	nothing_left
}

@test "a root that is not there or is no folder" {
	bundle '.root.path = "/no/such/root"'
	refused /no/such/root
	bundle '.root.path = "/etc/passwd"'
	refused /etc/passwd
}

@test "an unlimited rlimit as podman writes it is understood" {
	payload 'ulimit -Hc'
	sed -i 's/"process": {/"process": { "rlimits": [{ "type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551615 }],/' \
		"$BUNDLE/config.json"
	if [ "$(ulimit -Hc)" = unlimited ]; then
		run -0 nacelle run -b "$BUNDLE" "$ID"
		is unlimited
	else
		skip "the hard limit is not unlimited here"
	fi
}

@test "unknown keys of a full OCI config are ignored, as the text asks" {
	run -0 in_container 'echo fine' '.nosuch = 1 | .process.nosuch = {} | .linux.nosuch = []'
	is fine
}

@test "what this kernel or this version cannot do is refused by name" {
	bundle '.process.selinuxLabel = "x:y:z"'
	refused process.selinuxLabel
	bundle '.process.apparmorProfile = "x"'
	refused process.apparmorProfile
	bundle '.linux.intelRdt = { closID: "x" }'
	refused linux.intelRdt
	bundle '.vm = { hypervisor: { path: "/usr/bin/x" } }'
	refused vm.hypervisor
	bundle '.vm = { hwConfig: { vcpus: 17 } }'
	refused vm.hwConfig.vcpus
}

@test "no permission: a user who may not" {
	chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
	chmod 600 "$BUNDLE/config.json"
	run -125 setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$NACELLE" --root "$BATS_TEST_TMPDIR/nostate" --data "$DATA" run -b "$BUNDLE" "$ID"
	one_line
	[ ! -e "$BATS_TEST_TMPDIR/nostate" ]
}

@test "wrong flags and verbs: 125 and a hint" {
	run -125 nacelle nosuchverb
	has nosuchverb
	run -125 nacelle strat x
	has start
	run -125 nacelle run --no-such-flag x
	has no-such-flag
	run -125 nacelle run
	run -125 nacelle
	run -125 nacelle --log-format yaml list
	has yaml
}

@test "--log takes the error, as JSON when asked" {
	run -125 nacelle --log log --log-format json state nobody
	jq -es '.[0] | .level == "error" and (.msg | contains("nobody")) and (.time | length > 0)' log
	run -125 nacelle --log log.txt state nobody
	grep nobody log.txt
}

@test "--version, --help and features" {
	run -0 nacelle --version
	[[ ${lines[0]} =~ ^nacelle\ version\ [0-9] ]]
	[[ ${lines[1]} =~ ^commit:\  ]]
	[[ ${lines[2]} =~ ^spec:\ 1\. ]]
	run -0 nacelle --help
	for verb in run create start state kill delete list exec ps spec features logs wait stop pause resume; do has "$verb"; done
	run -0 nacelle features
	jq -e '.ociVersionMax and (.linux.namespaces | index("time")) and .mountOptions' <<<"$output"
}
