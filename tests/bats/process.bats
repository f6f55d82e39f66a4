#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the process is when it starts: user, capabilities, limits.
load helpers

# OCI: config.md, User: uid, gid and additionalGids are those of the process, in the container's user namespace
# OCI: config.md, User: umask is the process's
# bats test_tags=smoke
@test "user, group, additional groups and umask" {
	run -0 in_container 'id -u; id -g; id -G; umask; grep ^Groups: /proc/self/status' \
		'.process.user = { uid: 1000, gid: 2000, additionalGids: [3000, 4000], umask: 63 }'
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 2000 ]
	[[ ${lines[2]} == *3000*4000* ]]
	[ "${lines[3]}" = 0077 ]
	run -0 in_container 'grep ^Groups: /proc/self/status' '.process.user = { uid: 1000, gid: 2000 }'
	[ -z "$(tr -d 'Groups: \t' <<<"$output")" ]
}

# OCI: config.md, Linux Process: the five sets of capabilities are what is configured
@test "the five capability sets are what is asked, bit by bit" {
	run -0 in_container 'grep ^Cap /proc/self/status' '.process.capabilities = {
		bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"], permitted: ["CAP_CHOWN", "CAP_KILL"],
		effective: ["CAP_CHOWN"], inheritable: ["CAP_KILL"], ambient: [] } | .process.user.uid = 1000'
	# an exec as another user drops what is not ambient
	is 'CapInh:	0000000000000020
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000002021
CapAmb:	0000000000000000'
	run -0 in_container 'grep ^Cap /proc/self/status' '.process.user.uid = 1000 | .process.capabilities =
		([{ key: ("bounding", "permitted", "effective", "inheritable", "ambient"), value: ["CAP_CHOWN", "CAP_KILL"] }] | from_entries)'
	is 'CapInh:	0000000000000021
CapPrm:	0000000000000021
CapEff:	0000000000000021
CapBnd:	0000000000000021
CapAmb:	0000000000000021'
}

@test "an empty bounding set: root can do nothing" {
	run -0 in_container 'grep -E "^Cap(Eff|Bnd|Prm)" /proc/self/status | cut -f2 | sort -u; chown 1 /tmp 2>&1 || true' \
		'.process.capabilities = {}'
	[ "${lines[0]}" = 0000000000000000 ]
	has "not permitted"
}

# OCI: config.md, Linux Process: a capability that cannot be granted SHOULD be warned of and MUST NOT fail the container
# OCI: runtime.md, Warnings: a warning MUST leave the flow as if there had been none
@test "an unknown capability is a warning, as the text asks, and the others hold" {
	run -0 in_container 'grep CapBnd /proc/self/status' '.process.capabilities = { bounding: ["CAP_NO_SUCH", "CAP_KILL"] }'
	has CAP_NO_SUCH
	has 0000000000000020
}

# OCI: config.md, Linux Process: noNewPrivileges true prevents gaining privileges
@test "no_new_privs is set when asked, and only then" {
	run -0 in_container 'grep ^NoNewPrivs: /proc/self/status | cut -f2'
	is 1
	run -0 in_container 'grep ^NoNewPrivs: /proc/self/status | cut -f2' '.process.noNewPrivileges = false'
	is 0
}

# OCI: config.md, POSIX process: soft and hard limits MUST be what is configured
@test "rlimits, soft and hard" {
	run -0 in_container 'ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc' '.process.rlimits = [
		{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }, { type: "RLIMIT_CORE", soft: 0, hard: 0 }]'
	is $'100\n200\n0\n0'
}

@test "a soft limit above the hard one, an unknown and a doubled one are refused" {
	bundle '.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 200, hard: 100 }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has 'process.rlimits[0]'
	one_line
	bundle '.process.rlimits = [{ type: "RLIMIT_NOSUCH", soft: 1, hard: 1 }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has RLIMIT_NOSUCH
	one_line
	bundle '.process.rlimits = [range(2) | { type: "RLIMIT_NOFILE", soft: 1, hard: 1 }]'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has 'process.rlimits[1]'
	one_line
}

@test "the working directory; one that is not there is made" {
	run -0 in_container 'pwd' '.process.cwd = "/etc"'
	is /etc
	rootfs_own
	run -0 in_container 'pwd' '.process.cwd = "/no/such/dir"'
	is /no/such/dir
	[ -d "$ROOTFS/no/such/dir" ]
}

@test "a working directory that is a file is refused" {
	bundle '.process.cwd = "/etc/passwd"'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has /etc/passwd
	one_line
}

@test "a working directory that leads to a descriptor of the host leads nowhere outside" {
	echo the-secret >secret
	exec 8<"$PWD" 9</
	for n in 3 4 5 6 7 8 9 10 11 12; do
		payload "cat secret ../../../../../../..$PWD/secret; ls ../../../../../../.." ".process.cwd = \"/proc/self/fd/$n\""
		for options in "" "--preserve-fds 9"; do
			# shellcheck disable=SC2086 # none is no argument
			run nacelle run $options -b "$BUNDLE" "$ID"
			lacks the-secret
			lacks boot
		done
	done
	exec 8<&- 9<&-
}

# OCI: config.md, Linux Process: oomScoreAdj set: the runtime MUST set oom_score_adj; not set: MUST NOT change it
@test "oom_score_adj is set, where it is raised" {
	run -0 in_container 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 500'
	is 500
}

# OCI: config.md, Process: env has the semantics of environ
@test "environment: the spec's alone, in order, and HOME of the user where it says none" {
	SECRET=x run -0 in_container '' '.process.env = ["PATH=/bin", "B=2", "HOME=/h", "A=1"] | .process.args = ["env"]'
	is $'PATH=/bin\nB=2\nHOME=/h\nA=1'
	run -0 in_container '' '.process.env = ["PATH=/bin"] | .process.args = ["env"] | .process.user.uid = 1000'
	is $'PATH=/bin\nHOME=/tmp'
}

@test "the session keyring is a new one" {
	# a key that only those see whose session keyring holds it: who calls does, what runs in the container does not
	keyctl=$(command -v keyctl)
	payload 'cat /proc/keys' '.linux.maskedPaths = []'
	# shellcheck disable=SC2016 # expanded inside
	run -0 "$keyctl" session - bash -c 'key=$("$0" add user nacelle-secret x @s) && "$0" setperm "$key" 0x3f000000 &&
		grep -q nacelle-secret /proc/keys && exec "$@"' "$keyctl" \
		"$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	lacks nacelle-secret
}

@test "an orphan is reaped by the container's pid 1" {
	run -0 in_container '(sleep 0.1 &) ; sleep 0.4; ps -o stat,comm | grep -c "^Z" || true'
	is 0
}

@test "the runtime's program cannot be written through /proc/self/exe" {
	rootfs_own
	sum=$(sha256sum "$NACELLE")
	printf '#!/proc/self/exe\n' >"$ROOTFS/trap"
	chmod +x "$ROOTFS/trap"
	detach 'while :; do for p in /proc/[0-9]*; do (echo x >>$p/exe) 2>/dev/null && echo WROTE $p; done; sleep 0.01; done'
	for _ in 1 2 3 4 5; do run ! nacelle exec "$ID" /trap; done
	run nacelle exec "$ID" true
	[ "$(sha256sum "$NACELLE")" = "$sum" ]
}
