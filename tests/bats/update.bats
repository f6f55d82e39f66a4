#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# update: other limits for a container that lives. What holds stands in the files, what is recorded in config.json.
load helpers

file()
{
	cat "$(cgroup_dir)/$1"
}

# kept FILTER - of the limits that are recorded
kept()
{
	jq -c ".linux.resources | $1" "$STATE/$ID/config.json"
}

@test "wrong options and files are refused, and change nothing" {
	detach 'sleep 1000' '.linux.resources = {}'
	run -125 nacelle update "$ID"
	has "no limit is given"
	one_line
	run -125 nacelle update --memory lots "$ID"
	has "--memory: 'lots' is not a size"
	run -125 nacelle update --pids-limit many "$ID"
	has "--pids-limit: 'many' is not a number"
	run -125 nacelle update --resources "$BATS_TEST_TMPDIR/nowhere" "$ID"
	has "nowhere': not found"
	one_line
	run -125 nacelle update -r - "$ID" <<<'{ "memory": { "limit": "x" } }'
	has "linux.resources.memory.limit: must be an integer"
	run -125 nacelle update -r - "$ID" <<<'{ "memory": '
	has "standard input:"
	run -125 nacelle update -r - "$ID" <<<'{ "linux": { "resources": {} } }'
	has "holds nothing that linux.resources has"
	run -125 nacelle update -r - "$ID" <<<'[]'
	has "must be an object"
	[ "$(kept .)" = '{}' ]
}

@test "only a container that lives can be updated" {
	run -125 nacelle update --memory 64m nobody
	has "no container 'nobody'"
	one_line
	detach 'exit 0'
	until_true 10 status_is stopped
	run -125 nacelle update --memory 64m "$ID"
	has "it is stopped"
	one_line
}

@test "what engines write for 'not asked' changes nothing" {
	detach 'sleep 1000' '.linux.resources = {}'
	nacelle update -r - "$ID" <<<'{ "memory": { "limit": 0, "swap": 0, "kernel": 0 }, "pids": { "limit": 0 },
		"cpu": { "shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": "" }, "blockIO": { "weight": 0 },
		"devices": null }'
	[ "$(kept .)" = '{}' ]
}

@test "what only cgroup v1 had is refused by name, or ignored with a warning" {
	detach 'sleep 1000'
	run -125 nacelle update --cpu-rt-runtime 1000 "$ID"
	has "realtimeRuntime: exists only in cgroup v1"
	run -0 nacelle update --kernel-memory 64m "$ID"
	has "--kernel-memory: cgroup v2 counts it in the memory limit, ignoring"
	run -125 nacelle update --l3-cache-schema 'L3:0=f' "$ID"
	has "--l3-cache-schema"
}

@test "devices are replaced as a whole, at once" {
	# one that no container has by default, and that needs no right but to be opened
	minor=$(awk '$2 == "loop-control" || $2 == "fuse" || $2 == "autofs" { print $1; exit }' /proc/misc)
	[ -n "$minor" ] || skip "no harmless device in /proc/misc"
	detach 'sleep 1000' ".linux.devices = [{ path: \"/dev/mine\", type: \"c\", major: 10, minor: $minor, fileMode: 438 }] |
		.linux.resources.devices = [{ allow: true, type: \"c\", major: 10, minor: $minor, access: \"rw\" }]"
	run -0 nacelle exec "$ID" sh -c 'exec 3</dev/mine && echo opened'
	is opened
	nacelle update -r - "$ID" <<<'{ "devices": [{ "allow": false, "access": "rwm" }] }'
	run nacelle exec "$ID" sh -c 'exec 3</dev/mine && echo opened'
	has "Operation not permitted"
	run -0 nacelle exec "$ID" head -c 1 /dev/zero
	[ "$(kept .devices)" = '[{"allow":false,"access":"rwm"}]' ]
	# and back
	nacelle update -r - "$ID" <<<"{ \"devices\": [{ \"allow\": true, \"type\": \"c\", \"major\": 10, \"minor\": $minor, \"access\": \"r\" }] }"
	run -0 nacelle exec "$ID" sh -c 'exec 3</dev/mine && echo opened'
}

# bats test_tags=lab
@test "every option is in its file, and in the record" {
	detach 'sleep 1000' '.linux.resources = {}'
	nacelle update --memory 64m --memory-reservation 32m --memory-swap 96m --cpu-share 512 --cpu-period 50000 \
		--cpu-quota 20000 --cpu-burst 10000 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 32 --blkio-weight 500 "$ID"
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file memory.low)" = 33554432 ]
	[ "$(file memory.swap.max)" = 33554432 ]
	[ "$(file cpu.weight)" = 59 ]
	[ "$(file cpu.max)" = "20000 50000" ]
	[ "$(file cpu.max.burst)" = 10000 ]
	[ "$(file cpuset.cpus)" = 0 ]
	[ "$(file cpuset.mems)" = 0 ]
	[ "$(file pids.max)" = 32 ]
	[ "$(kept '[.memory.limit, .memory.reservation, .memory.swap]')" = '[67108864,33554432,100663296]' ]
	[ "$(kept '[.cpu.shares, .cpu.period, .cpu.quota, .cpu.burst, .cpu.cpus, .cpu.mems]')" = '[512,50000,20000,10000,"0","0"]' ]
	[ "$(kept '[.pids.limit, .blockIO.weight]')" = '[32,500]' ]
	# one alone leaves the others
	nacelle update --memory 80m "$ID"
	[ "$(file memory.max)" = 83886080 ]
	[ "$(file memory.swap.max)" = 16777216 ]
	[ "$(file pids.max)" = 32 ]
	nacelle update --cpu-quota -1 "$ID"
	[ "$(file cpu.max)" = "max 50000" ]
	# no limit on memory is none on swap
	nacelle update --memory -1 --pids-limit -1 "$ID"
	[ "$(file memory.max)" = max ]
	[ "$(file memory.swap.max)" = max ]
	[ "$(file pids.max)" = max ]
	nacelle update --cpu-idle 1 "$ID"
	[ "$(file cpu.idle)" = 1 ]
	[ "$(kept .cpu.idle)" = 1 ]
}

# bats test_tags=lab
@test "from a file, a pipe and standard input, of a container that is created, runs, or is paused" {
	payload 'sleep 1000' '.linux.resources = {}'
	create
	echo '{ "pids": { "limit": 11 } }' >limits.json
	nacelle update --resources limits.json "$ID"
	[ "$(file pids.max)" = 11 ]
	nacelle start "$ID"
	nacelle update -r <(echo '{ "pids": { "limit": 12 } }') "$ID"
	[ "$(file pids.max)" = 12 ]
	nacelle pause "$ID"
	nacelle update -r - "$ID" <<<'{ "unified": { "memory.high": "60000000" }, "hugepageLimits": [{ "pageSize": "2MB", "limit": 4194304 }] }'
	[ "$(file memory.high)" = 59998208 ]
	[ "$(file hugetlb.2MB.max)" = 4194304 ]
	[ "$(state .status)" = paused ]
	nacelle resume "$ID"
	nacelle update -r - "$ID" <<<'{ "hugepageLimits": [{ "pageSize": "2MB", "limit": 2097152 }] }'
	[ "$(kept .hugepageLimits)" = '[{"pageSize":"2MB","limit":2097152}]' ]
	[ "$(kept '.unified."memory.high"')" = '"60000000"' ]
}

# bats test_tags=lab
@test "what fails in the middle is taken back" {
	detach 'sleep 1000' '.linux.resources = { memory: { limit: 67108864 }, pids: { limit: 20 } }'
	before=$(kept .)
	run -125 nacelle update -r - "$ID" <<<'{ "memory": { "limit": 33554432 }, "pids": { "limit": 10 },
		"cpu": { "quota": 10000 }, "unified": { "memory.high": "nonsense" } }'
	has "memory.high"
	one_line
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file pids.max)" = 20 ]
	[ "$(file cpu.max)" = "max 100000" ]
	[ "$(kept .)" = "$before" ]
	run -125 nacelle update --memory-swap 32m "$ID"
	has "is less than the memory limit"
	run -125 nacelle update -r - "$ID" <<<'{ "memory": { "limit": 4096, "checkBeforeUpdate": true } }'
	has "more than the limit"
	[ "$(file memory.max)" = 67108864 ]
}
