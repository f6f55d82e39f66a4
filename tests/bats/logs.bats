#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What a keeper logs, and how it is read back.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

service()
{
	keeps
	spec_file "$1"
	nacelle run -d --name "$ID" "$SPEC"
}

files_are()
{
	[ "$(cd "$DATA/containers/$ID" && echo *)" = "$*" ]
}

# bats test_tags=smoke
@test "a log has its size and number of files, and logs reads all of them in order" {
	service '{ "args": ["sh", "-c", "i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"], "log": { "max_size": "8k", "max_file": 3 } }'
	nacelle wait "$ID"
	files_are log log.1 log.2
	for file in "$DATA/containers/$ID"/log*; do
		[ "$(stat -c %s "$file")" -le $((8192 + 200)) ]
	done
	run -0 nacelle logs "$ID"
	[ "${lines[-1]}" = "line 999" ]
	first=${lines[0]#line }
	[ "$first" -gt 0 ]
	[ "${#lines[@]}" = $((1000 - first)) ]
	# across the files
	run -0 nacelle logs -n 150 "$ID"
	[ "${lines[0]}" = "line 850" ]
	[ "${#lines[@]}" = 150 ]
	run -0 nacelle logs --tail 0 "$ID"
	is ""
	nacelle delete "$ID"
	[ ! -e "$DATA/containers/$ID" ]
}

@test "with one file alone it is emptied when it is full" {
	service '{ "args": ["sh", "-c", "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done"], "log": { "max_size": "4k", "max_file": 1 } }'
	nacelle wait "$ID"
	files_are log
	[ "$(stat -c %s "$DATA/containers/$ID/log")" -le 4300 ]
	run -0 nacelle logs "$ID"
	[ "${lines[-1]}" = "line 499" ]
}

@test "logs -f goes on over new files and restarts" {
	service '{ "args": ["sh", "-c", "i=0; while [ $i -lt 150 ]; do echo line $i; i=$((i+1)); done; sleep 0.3; exit 1"],
		"restart": "on-failure:2", "log": { "max_size": "4k", "max_file": 50 } }'
	run -0 nacelle logs -f "$ID"
	[ "${#lines[@]}" = 450 ]
	[ "${lines[-1]}" = "line 149" ]
	[ "$(sort <<<"$output" | uniq -c | awk '{ print $1 }' | sort -u)" = 3 ]
}

@test "--log-opt and --log-driver are docker's" {
	keeps
	spec_file '{ "args": ["sh", "-c", "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done"] }'
	nacelle run -d --name "$ID" --log-opt max-size=4k --log-opt max-file=2 "$SPEC"
	nacelle wait "$ID"
	files_are log log.1
	nacelle delete "$ID"
	nacelle run -d --name "$ID" --log-driver none "$SPEC"
	nacelle wait "$ID"
	run -125 nacelle logs "$ID"
	has "log driver 'none'"
	[ ! -e "$DATA/containers/$ID/log" ]
	nacelle delete "$ID"
	run -125 nacelle run -d --log-driver syslog "$SPEC"
	has 'log.driver: "syslog"'
	run -125 nacelle run -d --log-opt colour=red "$SPEC"
	has "colour=red"
	run -125 nacelle run -d --log-opt max-size=1 "$SPEC"
	has "4k or more"
}

@test "--since and --until, as times and as how long ago" {
	service '{ "args": ["sh", "-c", "echo one; sleep 2.2; echo two"] }'
	nacelle wait "$ID"
	time=$(nacelle logs -t "$ID" | sed -n 's/ two$//p')
	run -0 nacelle logs --since "$time" "$ID"
	is two
	run -0 nacelle logs --until "$time" "$ID"
	is $'one\ntwo'
	run -0 nacelle logs --until "$(date -ud "$time - 1 second" +%FT%T.%NZ)" "$ID"
	is one
	run -0 nacelle logs --since 1h "$ID"
	is $'one\ntwo'
	run -0 nacelle logs --since "$(date -d "$time - 1 second" +%s)" "$ID"
	is two
	run -0 nacelle logs --until 1h "$ID"
	is ""
	run -125 nacelle logs --since yesterday "$ID"
	has "'yesterday' is neither a time"
}

@test "logs -f --until ends by itself" {
	service '{ "args": ["sh", "-c", "while :; do echo x; sleep 0.1; done"] }'
	run -0 nacelle logs -f --until "$(date -ud '+1 second' +%FT%T.%NZ)" "$ID"
	has x
}

@test "both streams are apart" {
	service '{ "args": ["sh", "-c", "echo out; echo err >&2"] }'
	nacelle wait "$ID"
	run -0 --separate-stderr nacelle logs "$ID"
	is out
	# shellcheck disable=SC2154 # set by run
	[ "$stderr" = err ]
}

@test "a full disk stops no container, and is told" {
	mkdir small
	mount -t tmpfs -o size=64k none small
	DATA=$PWD/small
	service '{ "args": ["sh", "-c", "i=0; while [ $i -lt 5000 ]; do echo a line that takes some room in the log $i; i=$((i+1)); done; echo done >/dev/shm/done; sleep 1000"],
		"log": { "max_size": "1m" } }'
	until_true 30 nacelle exec "$ID" test -e /dev/shm/done
	until_true 20 bash -c "[ \$(stat -fc %f small) = 0 ] || df small | grep -q '9[0-9]%\|100%'"
	run -0 nacelle logs "$ID"
	has "a line that takes"
	nacelle stop -t 0 "$ID"
	[ "$(state .logLinesLost)" -gt 0 ]
	nacelle delete "$ID"
	DATA=$BATS_TEST_TMPDIR/data
	umount small
}

# journal_here - a socket where systemd has its journal's; /run is the test's own until journal_gone
journal_here()
{
	mount -t tmpfs none /run
	mkdir -p /run/systemd/journal
	"$here/../../build/tools/datagrams" /run/systemd/journal/socket >journal 2>&1 3>&- &
	journal_job=$!
	until_true 10 test -S /run/systemd/journal/socket
}
journal_gone()
{
	kill "$journal_job"
	wait "$journal_job" 2>/dev/null || true
	umount -l /run
}

@test "journald: each line is a datagram with docker's fields" {
	keeps
	journal_here
	spec_file '{ "args": ["sh", "-c", "echo one; echo two >&2; head -c 17000 /dev/zero | tr \"\\0\" x; sleep 1000"] }'
	nacelle run -d --name "$ID" --log-driver journald "$SPEC"
	until_true 20 grep -q CONTAINER_PARTIAL_MESSAGE journal
	nacelle delete --force "$ID"
	journal_gone
	[ "$(grep -c '^MESSAGE$' journal)" -ge 3 ]
	# the length in front, then the line itself
	grep -A 2 '^\.*one$' journal | grep -qx PRIORITY=6
	grep -A 2 '^\.*two$' journal | grep -qx PRIORITY=3
	[ "$(grep -cx "CONTAINER_NAME=$ID" journal)" = "$(grep -c '^MESSAGE$' journal)" ]
	grep -qx "SYSLOG_IDENTIFIER=$ID" journal
	grep -qx "CONTAINER_ID_FULL=$ID" journal
	[ ! -e "$DATA/containers/$ID/log" ]
}

@test "journald where there is none is refused, and so are bounds with it" {
	mount -t tmpfs none /run
	spec_file '{ "args": ["true"], "log": { "driver": "journald" } }'
	run -125 nacelle run -d --name "$ID" "$SPEC"
	umount -l /run
	has "/run/systemd/journal/socket"
	one_line
	nothing_left
	run -125 nacelle run -d --name "$ID" --log-driver journald --log-opt max-size=8k "$SPEC"
	has "bounds nothing"
	one_line
}

@test "journald: what the journal has, logs prints" {
	keeps
	# the real one, without its systemd, in a /run of the test's own
	mount -t tmpfs none /run
	mkdir -p /run/log/journal /run/systemd
	/lib/systemd/systemd-journald >journald.says 2>&1 3>&- &
	journald=$!
	until_true 20 test -S /run/systemd/journal/socket
	spec_file '{ "args": ["sh", "-c", "echo one; echo two >&2; sleep 1; echo three; printf four; sleep 1"], "log": { "driver": "journald" } }'
	nacelle run -d --name "$ID" "$SPEC"
	# follows until its end
	nacelle logs -f "$ID" >out 2>err
	[ "$(cat out)" = "$(printf 'one\nthree\nfour')" ]
	[ "$(cat err)" = two ]
	run -0 nacelle logs --tail 1 "$ID"
	has four
	lacks three
	run -0 nacelle logs -t "$ID"
	[[ ${lines[0]} =~ ^20[0-9-]+T[0-9:.]+Z\ (one|two)$ ]]
	[ "$(journalctl -o cat "CONTAINER_NAME=$ID" | grep -c .)" = 4 ]
	kill "$journald"
	wait "$journald" 2>/dev/null || true
	umount -l /run
}
