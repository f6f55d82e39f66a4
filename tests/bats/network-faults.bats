#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# Killed at any moment: what is recorded is enough to clean up by, whoever comes next. Every day has another third of the moments;
# THOROUGH=1 tries all.
load helpers
load network-helpers

# killed CALL N COMMAND… - run nacelle, killed when it makes this system call for the N-th time; false when it never did
killed()
{
	local call=$1 n=$2
	shift 2
	timeout -k 5 50 nsenter --net="/proc/$HOST_PID/ns/net" strace -qq -o trace -e "trace=$call" -e "inject=$call:signal=SIGKILL:when=$n" \
		"$NACELLE" --root "$STATE" --data "$DATA" "$@" >/dev/null 2>&1
	grep -q 'killed by SIGKILL' trace
}

clean()
{
	nacelle delete --force "$ID"
	network_nothing_left
}

@test "a start that is killed at any of its messages to the kernel leaves nothing that delete --force does not clean" {
	network web --ipv6
	spec_file '{ args: ["true"] }'
	for ((n = 1; n < 60; n++)); do
		in_sample $n || continue
		killed sendto "$n" run --name "$ID" --network web -p 8080:80 "$SPEC" || break
		clean
	done
	[ $n -gt 10 ]
	nacelle delete --force "$ID"
}

@test "a start that is killed at any of its records leaves nothing that delete --force does not clean" {
	spec_file '{ args: ["true"] }'
	for ((n = 1; n < 60; n++)); do
		in_sample $n || continue
		killed renameat "$n" run --name "$ID" -p 8080:80 "$SPEC" || break
		clean
	done
	[ $n -gt 5 ]
	nacelle delete --force "$ID"
}

@test "a deletion that is killed at any message or record is finished by the next" {
	spec_file '{ args: ["sleep", "1000"] }'
	for call in sendto renameat unlinkat; do
		for ((n = 1; n < 40; n++)); do
			in_sample $n || continue
			nacelle run -d --name "$ID" -p 8080:80 "$SPEC"
			killed "$call" "$n" delete --force "$ID" || break
			clean
		done
	done
}

cgroups_removed()
{
	find "$CGROUP" -depth -type d -name "*$ID*" -exec rmdir {} + 2>/dev/null
	[ -z "$(find "$CGROUP" -type d -name "*$ID*")" ]
}
@test "what a killed start left is cleaned by prune too, when its record is gone" {
	spec_file '{ args: ["true"] }'
	for n in 4 8 12 16; do
		killed sendto "$n" run --name "$ID" -p 8080:80 "$SPEC" || break
		rm -rf "${STATE:?}/$ID"
		until_true 10 cgroups_removed	# who was killed may still be on its way out
		nacelle network prune
		network_nothing_left
	done
}

@test "a bridge that was taken away, or down, comes back with all who were in it, when the next one comes" {
	serve "$ID" '{}' -p 8080:80
	spec_file '{ args: ["true"], network: "nacelle" }'
	bridge=$(host ip -br link show type bridge | cut -d' ' -f1)
	host ip link del "$bridge"
	run -1 ask_host 127.0.0.1 8080 hello
	nacelle run "$SPEC"
	run -0 ask_host 127.0.0.1 8080 hello
	is "10.90.0.1 hello"
	host ip link set "$bridge" down
	nacelle run "$SPEC"
	run -0 ask_host 127.0.0.1 8080 hello
	is "10.90.0.1 hello"
}

@test "a record that is broken is told, and does not keep a container from being deleted" {
	serve "$ID" '{}' -p 8080:80
	cp "$DATA/networks/.leases.json" leases
	echo '{' >"$DATA/networks/.leases.json"
	run -125 nacelle network ls
	one_line
	has ".leases.json"
	run -0 nacelle delete --force "$ID"
	has ", ignoring"
	cp leases "$DATA/networks/.leases.json"
	nacelle network prune
	network_nothing_left
}

@test "twenty at once have twenty addresses, know each other, and leave nothing" {
	network web
	spec_file '{ args: ["sleep", "1000"] }'
	keeps
	pids=()
	for n in $(seq 20); do
		nacelle run -d --name "$ID-$n" --network web "$SPEC" >/dev/null 2>"out.$n" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	cat out.*
	[ "$(nacelle network inspect web | jq '[.[0].containers[].ip] | unique | length')" = 20 ]
	for n in 1 20; do
		[ "$(nacelle exec "$ID-$n" grep -c "$ID" /etc/hosts)" = 20 ]
	done
	pids=()
	for n in $(seq 20); do
		nacelle delete --force "$ID-$n" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	network_nothing_left
}
