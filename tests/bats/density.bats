#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Many instances of one spec, and what each costs.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

ready='{ "args": ["sh", "-c", "echo ready; exec sleep 1000"] }'

# bats test_tags=smoke
@test "as many as were asked for run, are measured, and are gone" {
	spec_file "$ready"
	run -0 nacelle density -n 3 --parallel 2 --settle 1s --tsv out.tsv --json out.json "$SPEC"
	[[ ${lines[0]} == KIND*STARTED* ]]
	[ "${#lines[@]}" = 4 ]
	[[ ${lines[3]} =~ ^container\ +3\  ]]
	[ "$(cut -f 2 out.tsv | tr '\n' ' ')" = "n 1 2 3 " ]
	# every column of every line is a number, but that of a memory controller
	awk -F '\t' 'NR > 1 { for (i = 2; i <= NF; i++) if ($i !~ /^-?[0-9]+$/ && i != 8) exit 1; if (NF != 16) exit 1 }' out.tsv
	[ "$(jq '.series[0].startsNs | length' out.json)" = 3 ]
	jq -e '.series[0] | .kind == "container" and ([.startsNs[] | .created > 0 and .created < .started and .started < .answered] | all)' out.json
	jq -e '.series[0].steps[-1] | .n == 3 and .payload.pss > 0 and .overhead.pss > 0 and .payload.pss >= .payload.uss' out.json
	[ "$(nacelle list -q)" = "" ]
	nothing_left
}

@test "a text is waited for, and an instance that says nothing has no time" {
	spec_file '{ "args": ["sh", "-c", "echo no; sleep 0.6; echo it is ready; exec sleep 1000"] }'
	run -0 nacelle density -n 1 --settle 5s --answer ready --json out.json "$SPEC"
	[ "$(jq '.series[0].startsNs[0] | .answered - .started > 300000000' out.json)" = true ]
	spec_file '{ "args": ["sleep", "1000"] }'
	run -0 nacelle density -n 1 --settle 500ms --json out.json "$SPEC"
	[ "$(jq '.series[0].startsNs[0].answered' out.json)" = null ]
	[[ ${lines[1]} == *" -" ]]
}

@test "options of run stand behind two dashes, and words behind the spec are the command" {
	spec_file "$ready"
	run -0 nacelle density -n 1 --settle 500ms -- --env A=b "$SPEC" sh -c 'echo "A is $A"; exec sleep 1000'
	run -125 nacelle density -n 1 --settle 500ms --answer b -- --no-such "$SPEC"
	has no-such
}

@test "every word of a long command comes through, and too many are refused" {
	spec_file "$ready"
	# shellcheck disable=SC2016 # for the shell inside
	run -0 nacelle density -n 1 --settle 5s --answer "24 words" --json out.json "$SPEC" sh -c 'echo "$# words"; exec sleep 1000' sh {1..24}
	jq -e '.series[0].startsNs[0].answered > 0' out.json
	run -125 nacelle density -n 1 "$SPEC" {1..29}
	has "more than 29 words"
	one_line
	nothing_left
}

@test "what ends by itself, or cannot start, is told; the others are deleted" {
	spec_file '{ "args": ["true"] }'
	run -125 nacelle density -n 2 --settle 1s "$SPEC"
	has "has ended"
	nothing_left
	spec_file '{ "args": ["/no/such"] }'
	run -125 nacelle density -n 2 --settle 1s "$SPEC"
	has "cannot be started"
	nothing_left
}

@test "it stops while there is memory, and when it is interrupted" {
	spec_file "$ready"
	run -0 nacelle density -n 1000 --leave 100000g --settle 500ms "$SPEC"
	has "would leave less than"
	nothing_left
	"$NACELLE" --root "$STATE" --data "$DATA" density -n 1000 --settle 500ms "$SPEC" >table 2>&1 3>&- &
	job=$!
	several()
	{
		[ "$(nacelle list -q | wc -l)" -ge 2 ]
	}
	until_true 20 several
	kill -TERM "$job"
	status=0
	wait "$job" || status=$?
	[ "$status" = 130 ]
	grep -q ^KIND table
	nothing_left
}

@test "wrong options are told before anything is started" {
	spec_file "$ready"
	for wrong in "-n 0" "--as pod" "--as vm --as vm" "--parallel 0" "--leave x" "--settle soon" "--plot out.gif"; do
		# shellcheck disable=SC2086 # words
		run -125 nacelle density $wrong "$SPEC"
		one_line
		has "${wrong%% *}" || has "--count"
	done
	run -125 nacelle density
	one_line
	run -125 nacelle run --moments 7 "$SPEC"
	has "--moments"
	run -125 nacelle run -d --moments 77 "$SPEC"
	has "no open fd"
	nothing_left
}

@test "charts, where gnuplot is" {
	spec_file "$ready"
	if [ -x /usr/bin/gnuplot ]; then
		for kind in svg png; do
			run -0 nacelle density -n 2 --settle 500ms --plot "out'.$kind" "$SPEC"
			[ -s "out'.$kind" ]
		done
		grep -q 'memory no longer available' "out'.svg"
	else
		run -125 nacelle density -n 1 --plot out.svg "$SPEC"
		has "gnuplot-nox"
		one_line
	fi
}

@test "moments: created comes before started, and the container has no descriptor of it" {
	keeps
	spec_file '{ "args": ["sh", "-c", "ls /proc/self/fd; exec sleep 1000"] }'
	nacelle run -d --moments 5 --name "$ID" "$SPEC" 5>moments
	[ "$(cut -d ' ' -f 1 moments | tr '\n' ' ')" = "created started " ]
	[ "$(sed -n 's/created //p' moments)" -lt "$(sed -n 's/started //p' moments)" ]
	until_true 20 log_has 3
	[ "$(nacelle logs "$ID" | tr '\n' ' ')" = "0 1 2 3 " ]
}
