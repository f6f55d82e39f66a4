#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The filter: linux.seccomp, and the default profile of the short form.
load helpers

# filtered ACTION [MORE] - mkdir(2) and mkdirat(2) get this action, all else is allowed
filtered()
{
	printf '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{
		names: ["mkdir", "mkdirat"], action: "%s"%s }] }' "$1" "${2:+, $2}"
}

# bats test_tags=smoke,kernel
@test "a filtered call gives the errno that is asked for" {
	run -1 in_container 'mkdir /tmp/x' "$(filtered SCMP_ACT_ERRNO '"errnoRet": 95')"
	has "Operation not supported"
	[ ! -e "$ROOTFS/tmp/x" ]
}

# OCI: config-linux.md, Seccomp: without errnoRet it is EPERM
@test "without errnoRet it is EPERM" {
	run -1 in_container 'mkdir /tmp/x' "$(filtered SCMP_ACT_ERRNO)"
	has "Operation not permitted"
}

# bats test_tags=smoke
@test "a call that kills ends the process with SIGSYS: 159" {
	bundle ".process.args = [\"mkdir\", \"/tmp/x\"] | $(filtered SCMP_ACT_KILL_PROCESS)"
	run -159 nacelle run -b "$BUNDLE" "$ID"
	nothing_left
}

@test "the filter is there, from outside: mode 2 and one filter" {
	detach 'sleep 1000' "$(filtered SCMP_ACT_ERRNO)"
	grep -P '^Seccomp:\t2$' "/proc/$(init_pid)/status"
	grep -P '^Seccomp_filters:\t1$' "/proc/$(init_pid)/status"
}

# bats test_tags=smoke
@test "a filter without noNewPrivileges for a user who is not root, for exec too" {
	detach 'sleep 1000' "$(filtered SCMP_ACT_ERRNO) | .process.noNewPrivileges = false | .process.user = { uid: 1000, gid: 1000 }"
	run -0 grep -P '^(Uid|CapEff|CapPrm|NoNewPrivs|Seccomp):' "/proc/$(init_pid)/status"
	[[ $output == $'Uid:\t1000\t1000\t1000\t1000\n'*$'CapPrm:\t0000000000'* ]]
	has $'NoNewPrivs:\t0'
	has $'Seccomp:\t2'
	run -1 nacelle exec "$ID" mkdir /tmp/x
	has "Operation not permitted"
}

@test "without linux.seccomp a full OCI config has no filter" {
	detach 'sleep 1000'
	grep -P '^Seccomp:\t0$' "/proc/$(init_pid)/status"
}

@test "argument comparisons decide" {
	bundle '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["kill"],
		action: "SCMP_ACT_ERRNO", errnoRet: 95, args: [{ index: 1, value: 10, op: "SCMP_CMP_EQ" }] }] }
		| .process.args = ["sh", "-c", "kill -12 99999; kill -10 99999; true"]'
	run -0 nacelle run -b "$BUNDLE" "$ID"
	has "No such process"
	has "not supported"
}

@test "without no_new_privs the filter is loaded all the same" {
	run -1 in_container 'mkdir /tmp/x' ".process.noNewPrivileges = false | $(filtered SCMP_ACT_ERRNO '"errnoRet": 95')"
	has "Operation not supported"
}

@test "an unknown action, operator or architecture is refused by its path" {
	bundle '.linux.seccomp = { defaultAction: "SCMP_ACT_NOSUCH" }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has linux.seccomp.defaultAction
	one_line
	bundle '.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_NOSUCH"] }'
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has linux.seccomp.architectures
	one_line
	bundle "$(filtered SCMP_ACT_ERRNO '"args": [{ "index": 9, "value": 0, "op": "SCMP_CMP_EQ" }]')"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	has "linux.seccomp.syscalls[0].args[0].index"
	one_line
	nothing_left
}

@test "the short form has the default profile: unshare and mount are refused, usual work is not" {
	spec_file '{ "args": ["sh", "-c", "grep ^Seccomp: /proc/self/status; unshare -U true; mount -t tmpfs t /tmp; echo fine >/tmp/x; cat /tmp/x"] }'
	run -0 nacelle run "$SPEC"
	has "Seccomp:	2"
	has fine
	[ "$(grep -ci "not permitted\|permission denied" <<<"$output")" -ge 2 ]
}

@test "the default profile has a name: an OCI document may say it, exec has it too, other runtimes get it written out" {
	run -1 in_container 'grep ^Seccomp: /proc/self/status; unshare -U true' '.linux.seccomp = "default"'
	has "Seccomp:	2"
	has "not permitted"
	detach 'sleep 1000' '.linux.seccomp = "default"'
	run -0 grep ^Seccomp: "/proc/$(init_pid)/status"
	has "Seccomp:	2"
	run -1 nacelle exec "$ID" sh -c 'grep ^Seccomp: /proc/self/status; unshare -U true'
	has "Seccomp:	2"
	has "not permitted"
	run -0 --separate-stderr nacelle spec --expand "$BUNDLE/config.json"
	[ "$(jq '.linux.seccomp.syscalls | length > 20' <<<"$output")" = true ]
	spec_file '{ "args": ["true"] }'
	run -0 --separate-stderr nacelle spec --expand "$SPEC"
	jq -e --slurpfile profile "$BATS_TEST_DIRNAME/../../seccomp/default.json" '.linux.seccomp == $profile[0]' <<<"$output"
	payload true '.linux.seccomp = "docker"'
	run -125 nacelle run -b "$BUNDLE" "$ID-2"
	one_line
	has 'linux.seccomp: must be an object, or "default", not "docker"'
}
