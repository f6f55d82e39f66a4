#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What judges the results of benches.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

# result FILE RATIO RSS
result()
{
	mkdir -p "${1%/*}"
	cat >"$1" <<-END
		{"host": {"kernel": "k", "cpus": 2}, "rounds": 3, "contestants": [
		  {"name": "nacelle", "command": "x", "median_ms": 1, "min_ms": 1, "p90_ms": 1, "max_rss_kib": $3, "ratio_floor": null, "ratio_crun": $2},
		  {"name": "crun", "command": "y", "median_ms": 2, "min_ms": 2, "p90_ms": 2, "max_rss_kib": 3000, "ratio_floor": null, "ratio_crun": 1.000}]}
	END
}

@test "a bench's result beside the last: what is worse is named, and is a failure" {
	compare=$here/../bench/compare
	export OLD=$PWD/old
	result new/exec.json 0.500 1700
	run -0 "$compare" new
	has "exec: nothing to compare with"
	run -0 "$compare" --keep new
	is "kept: exec"
	lacks_command=$(jq -r '.contestants[0] | has("command")' old/exec.json)
	[ "$lacks_command" = false ]
	result new/exec.json 0.540 1700
	run -0 "$compare" new
	has "0.54"
	lacks WORSE
	result new/exec.json 0.560 1700
	run -1 "$compare" new
	has WORSE
	result new/exec.json 0.500 1900
	run -1 "$compare" new
	grep -q 'max_rss_kib.*1700.*1900.*WORSE' <<<"$output"
	THRESHOLD=1.2 run -0 "$compare" new
	echo '{' >new/exec.json
	run -125 "$compare" new
	one_line
	run -125 "$compare" none
	one_line
	THRESHOLD=x run -125 "$compare" new
	one_line
}
