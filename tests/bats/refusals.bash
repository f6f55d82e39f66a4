# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # set by who loads it, or in the environment
#
# Documents that nacelle has to refuse, one after the other. Loaded by spec-hostile.bats, and run by it as a program of
# its own with the documents on standard input (NAME, PATH, DOCUMENT, separated by tabs): within a test bats looks at every command, and
# that costs more than the thousand runs do.

# judge_refusal NAME PATH - run what lies in the bundle; count in $refused and $wrong
judge_refusal()
{
	local status=0 text
	"${bounded[@]}" "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >said 2>&1 </dev/null || status=$?
	text=$(<said)
	if { [ $status -ge 125 ] && [ $status -le 127 ]; } || [ "${ACCEPTED_TOO:-0}:$status" = 1:0 ]; then
		[ "${ACCEPTED_TOO:-0}" = 0 ] || set -- "$1" ""
		[ $status = 0 ] || refusal_named "$text" "$2" || {
			echo "$1: no '$2' in: ${text:0:300}"
			wrong=$((wrong + 1))
		}
		refused=$((refused + (status != 0)))
	else
		echo "$1: status $status: ${text:0:300}"
		wrong=$((wrong + 1))
	fi
	[ ! -e "$STATE/$ID" ] || {
		echo "$1: state is left"
		"$NACELLE" --root "$STATE" --data "$DATA" delete --force "$ID"
		wrong=$((wrong + 1))
	}
}

# One line, no control characters, with the path, or file, line and column where it is no JSON at all.
refusal_named()
{
	[[ $1 != *[[:cntrl:]]* && -n $1 ]] && { [[ $1 == *"$2"* ]] || [[ $1 =~ config\.json:[0-9]+:[0-9]+ ]]; }
}

bounded=(timeout -k 5 10)
[ "${BASH_SOURCE[0]}" = "$0" ] || return 0
# one limit for all of them, the caller's
bounded=()
refused=0 wrong=0
while IFS=$'\t' read -r name path doc; do
	echo "$name" >running
	printf '%s' "$doc" >"$BUNDLE/config.json"
	judge_refusal "$name" "$path"
done
echo "$refused $wrong" >counts
