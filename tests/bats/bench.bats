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

@test "a bench's counts and memory are compared as well, and ratios of an emulated machine loosely" {
	compare=$here/../bench/compare
	export OLD=$PWD/old NACELLE_LAB_BOOT=1
	. "$here/../bench/result.bash"
	mkdir new
	result new/vm.json 1 boot exits_user 132 faults 48 ratio_qemu 0.200 -- clone own_kib 700 ratio_boot 0.040
	jq -e '.host.emulated and .rounds == 1 and .contestants[1] == { name: "clone", own_kib: 700, ratio_boot: 0.04 }' new/vm.json
	run -0 "$compare" --keep new
	result new/vm.json 1 boot exits_user 132 faults 48 ratio_qemu 0.290 -- clone own_kib 700 ratio_boot 0.040
	run -0 "$compare" new
	grep 'boot *ratio_qemu *0.2 *0.29 *1.45' <<<"$output"
	lacks WORSE
	result new/vm.json 1 boot exits_user 132 faults 48 ratio_qemu 0.310 -- clone own_kib 780 ratio_boot 0.040
	run -1 "$compare" new
	grep 'boot *ratio_qemu .*WORSE' <<<"$output"
	grep 'clone *own_kib *700 *780 *1.11 *WORSE' <<<"$output"
	result new/vm.json 1 boot exits_user 160 faults 48 ratio_qemu 0.200 -- clone own_kib 700 ratio_boot 0.040
	run -1 "$compare" new
	grep 'boot *exits_user *132 *160 .*WORSE' <<<"$output"
}
