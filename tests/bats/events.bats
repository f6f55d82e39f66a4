#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# events and stats: what a container uses.
load helpers

@test "events --stats has the document that runc prints" {
	detach 'while :; do :; done'
	sleep 0.3
	run -0 nacelle events --stats "$ID"
	[ "${#lines[@]}" = 1 ]
	jq -e --arg id "$ID" '.type == "stats" and .id == $id' <<<"$output"
	jq -e '.data | .cpu.usage.total > 0 and .cpu.usage.user > 0 and (.cpu | has("throttling"))' <<<"$output"
	jq -e '.data | (.memory.usage | has("limit") and has("failcnt")) and has("pids") and has("blkio") and has("hugetlb") and
		has("intel_rdt") and (.network_interfaces | type) == "array" and (.cpuset | has("cpu_exclusive"))' <<<"$output"
}

@test "events goes on until the container ends" {
	detach 'sleep 1.5'
	run -0 nacelle events --interval 300ms "$ID"
	[ "${#lines[@]}" -ge 2 ]
	for line in "${lines[@]}"; do jq -e '.type == "stats"' <<<"$line"; done
}

@test "events and stats of what does not run" {
	run -125 nacelle events nobody
	has "no container 'nobody'"
	run -125 nacelle stats nobody
	has "no container 'nobody'"
	detach 'exit 0'
	until_true 10 status_is stopped
	run -125 nacelle events --stats "$ID"
	has "not running"
	one_line
	run -125 nacelle stats --no-stream "$ID"
	has "not running"
	run -0 nacelle stats --no-stream
	lacks "$ID"
	run -125 nacelle events --interval 0 "$ID"
	has "--interval"
}

@test "stats: a table, JSON, one container or all" {
	detach 'while :; do :; done'
	run -0 nacelle stats --no-stream
	[[ ${lines[0]} == "ID "*"CPU %"*"MEM USAGE / LIMIT"*"PIDS" ]]
	[[ ${lines[1]} == "$ID "*%* ]]
	run -0 nacelle stats --no-stream --interval 300ms --format json "$ID"
	jq -e --arg id "$ID" 'length == 1 and .[0].id == $id and .[0].cpu_percent > 5 and .[0].memory_limit > 0' <<<"$output"
	run -125 nacelle stats --format xml
	has "neither 'table' nor 'json'"
}

# bats test_tags=lab
@test "the numbers are those of the cgroup" {
	detach 'dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null; while :; do sleep 1; done' '
		.mounts += [{ destination: "/tmp", type: "tmpfs", source: "tmpfs" }] |
		.linux.resources = { memory: { limit: 67108864, swap: 100663296 }, pids: { limit: 20 }, cpu: { cpus: "0" } }'
	until_true 30 bash -c "[ \$(cat $(cgroup_dir)/memory.current) -gt 8000000 ]"
	sleep 2
	run -0 nacelle events --stats "$ID"
	jq -e '.data.memory | .usage.limit == 67108864 and .usage.usage > 8000000 and .swap.limit == 100663296 and .raw.shmem > 8000000' <<<"$output"
	jq -e '.data | .pids.limit == 20 and .pids.current >= 1 and .cpuset.cpus == [0] and (.hugetlb | type == "object")' <<<"$output"
	nacelle update --memory -1 "$ID"
	run -0 nacelle events --stats "$ID"
	has '"limit":18446744073709551615'
	run -0 nacelle stats --no-stream -f json "$ID"
	jq -e '.[0] | .memory_usage > 8000000 and .pids >= 1' <<<"$output"
}

# bats test_tags=lab
@test "a kill for memory is an event" {
	detach 'sleep 3; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1; exec dd if=/dev/zero of=/dev/null bs=64M count=1' '
		.linux.resources.memory = { limit: 33554432, swap: 33554432 }'
	run -0 nacelle events --interval 1h "$ID"
	[ "${#lines[@]}" -ge 1 ]
	for line in "${lines[@]}"; do [ "$line" = "{\"type\":\"oom\",\"id\":\"$ID\"}" ]; done
}
