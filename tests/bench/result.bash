# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a bench of several programs found, in the form that compare reads. Sourced by benches.

# result FILE ROUNDS NAME KEY NUMBER [KEY NUMBER...] [-- NAME KEY NUMBER...] - write it, a line of numbers for each NAME. Of all of them
# less is better. KEY is ratio_PEER (a time or rate of ours, over that of PEER in the same rounds), exits_WHAT, faults, or WHAT_kib.
result()
{
	local file=$1 rounds=$2
	shift 2
	# shellcheck disable=SC2016 # jq's own
	jq -n --arg kernel "$(uname -r)" --argjson cpus "$(nproc)" --argjson rounds "$rounds" --arg lab "${NACELLE_LAB_BOOT-}" --arg lines "$*" \
		'def pairs: if length == 0 then {} else { (.[0]): (.[1] | tonumber) } + (.[2:] | pairs) end;
		{ host: ({ kernel: $kernel, cpus: $cpus } + if $lab == "" then {} else { emulated: true } end), rounds: $rounds,
		  contestants: ($lines | split(" -- ") | map(split(" ") | { name: .[0] } + (.[1:] | pairs))) }' >"$file.new"
	mv "$file.new" "$file"
}
