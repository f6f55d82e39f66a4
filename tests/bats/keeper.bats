#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# attach, the small init, and what is when a keeper is killed or older than we are.
load helpers
export SHELL=/bin/sh

service()
{
	keeps
	spec_file "$1"
	shift
	nacelle run -d --name "$ID" "$@" "$SPEC"
}
keeper_pid()
{
	jq .keeperPid "$STATE/$ID/state.json"
}
at_terminal()
{
	script -qefc "stty rows 24 cols 80; $1" /dev/null
}
attach_line="timeout --foreground -k 5 50 \$NACELLE --root \$STATE --data \$DATA attach \$ID"

# --- attach

# bats test_tags=smoke
@test "attach: input goes in, both streams come out, and the status is the payload's" {
	service '{ "args": ["sh", "-c", "while read -r line; do echo got $line; echo err $line >&2; [ $line != quit ] || exit 6; done"] }' -i
	run -6 --separate-stderr bash -c '{ echo one; sleep 0.3; echo quit; sleep 5; } | "$0" --root "$1" --data "$2" attach "$3"' \
		"$NACELLE" "$STATE" "$DATA" "$ID"
	is $'got one\ngot quit'
	# shellcheck disable=SC2154 # set by run
	[ "$stderr" = $'err one\nerr quit' ]
	# and the log has it too
	run -0 nacelle logs "$ID"
	has "got one"
}

@test "the standard input of run -d -i stays open when one who was attached leaves" {
	service '{ "args": ["sh", "-c", "while read -r line; do echo got $line; done; echo end; exit 3"] }' -i
	# killed: any other signal would be handed on to the payload
	for word in one two; do
		timeout -k 5 20 bash -c '{ echo '$word'; sleep 0.5; } | timeout -s KILL 2 "$0" --root "$1" --data "$2" attach "$3"' \
			"$NACELLE" "$STATE" "$DATA" "$ID" || true
		says "got $word"
	done
	status_is running
}

@test "attach to a terminal: keys go in, the size is handed on, detach keys leave it running" {
	export NACELLE STATE DATA ID
	service '{ "args": ["sh", "-c", "while :; do read -r line; stty size; echo got $line; done"], "tty": true }'
	run -0 bash -o pipefail -c '{ sleep 1; echo one; sleep 1; printf "\020\021"; sleep 2; } | script -qefc "stty rows 24 cols 80; '"$attach_line"'" /dev/null'
	has "got one"
	has "24 80"
	status_is running
}

@test "several are attached at once, and one that does not read holds up nobody for long" {
	service '{ "args": ["sh", "-c", "read -r go; i=0; while [ $i -lt 20000 ]; do echo a line of some length to fill what there is $i; i=$((i+1)); done; exit 4"] }' -i
	nacelle attach --no-stdin "$ID" >seen &
	seen=$!
	# stopped before there is anything: its buffers fill
	"$NACELLE" --root "$STATE" --data "$DATA" attach --no-stdin "$ID" >stopped 2>/dev/null &
	stopped=$!
	sleep 1
	kill -STOP "$stopped"
	echo go | timeout -k 5 40 "$NACELLE" --root "$STATE" --data "$DATA" attach "$ID" >/dev/null || true
	run -4 nacelle wait "$ID"
	kill -CONT "$stopped"
	wait "$seen" || [ $? = 4 ]
	[ "$(grep -c 'a line' seen)" = 20000 ]
	wait "$stopped" || true
}

@test "attach is refused where there is nothing to attach to" {
	run -125 nacelle attach "$ID"
	has "no container"
	payload 'sleep 1000'
	create
	nacelle start "$ID"
	run -125 nacelle attach "$ID"
	has "was not started by 'run --detach'"
	nacelle delete --force "$ID"
	service '{ "args": ["true"] }'
	nacelle wait "$ID"
	run -125 nacelle attach "$ID"
	has "is not running"
	one_line
}

# --- init

# bats test_tags=smoke
@test "--init: the payload is a child, orphans are reaped, the status comes through" {
	spec_file '{ "args": ["sh", "-c", "echo $$; (sleep 0.1 & exec true); sleep 0.5; grep -l \"^State:.Z\" /proc/[0-9]*/status; readlink /proc/1/exe; exit 7"] }'
	run -7 nacelle run --init "$SPEC"
	[ "${lines[0]}" != 1 ]
	[[ "${lines[1]}" == *memfd:nacelle-init* ]]
	run -137 nacelle run --init "$SPEC" sh -c 'kill -KILL $$'
	run -127 nacelle run --init "$SPEC" /no-such-program
}

@test "--init hands on signals, which the payload could not get as the first process" {
	# no handler: a first process would not be ended by it
	service '{ "args": ["sleep", "1000"], "init": true }'
	nacelle kill "$ID" TERM
	run -143 nacelle wait "$ID"
	nacelle delete "$ID"
	service '{ "args": ["sh", "-c", "trap \"exit 9\" USR1; echo ready; while :; do sleep 0.05; done"], "init": true, "stop_signal": "USR1" }'
	says ready
	nacelle stop "$ID"
	[ "$(state .exitStatus)" = 9 ]
}

@test "--init at a terminal: ^C comes once" {
	export NACELLE STATE DATA BUNDLE ID
	payload 'trap "echo stopped >>/dev/shm/n; wc -l </dev/shm/n; sleep 0.5; exit 6" INT; echo ready; while :; do sleep 0.05; done' \
		'.process.terminal = true | .annotations["io.nacelle.init"] = "true"'
	run -6 bash -o pipefail -c '{ sleep 2; printf "\003"; sleep 2; } | script -qefc "timeout --foreground -k 5 50 $NACELLE --root $STATE --data $DATA run -t -b $BUNDLE $ID" /dev/null'
	has 1
	lacks 2
}

# --- a keeper's death

# bats test_tags=smoke
@test "the keeper killed: the container lives, state tells, restart gives it another" {
	service '{ "args": ["sh", "-c", "i=0; while :; do echo word $i; i=$((i+1)); sleep 0.05; done"], "restart": "always" }'
	says word
	keeper=$(keeper_pid) pid=$(init_pid)
	kill -KILL "$keeper"
	until_true 20 dead "$keeper"
	sleep 0.5
	# its words found no reader, and did not kill it
	[ -d "/proc/$pid" ]
	status_is running
	[ "$(state .keeper)" = killed ]
	run -0 nacelle list
	has "no keeper"
	run -125 nacelle attach "$ID"
	has "no keeper any more"
	nacelle restart "$ID"
	dead "$pid"
	[ "$(state .keeper)" = null ]
	status_is running
	nacelle stop "$ID"
	status_is stopped
}

@test "the keeper killed: start gives what runs another, which reads on what it says" {
	service '{ "args": ["sh", "-c", "i=0; while [ ! -e /end ]; do echo word $i; echo err $i >&2; i=$((i+1)); sleep 0.02; done; exit 5"],
		"restart": "on-failure:1", "health": { "cmd": "true", "interval": "200ms" } }'
	says word
	keeper=$(keeper_pid) pid=$(init_pid)
	kill -KILL "$keeper"
	until_true 20 dead "$keeper"
	sleep 0.3
	said=$(nacelle logs "$ID" 2>/dev/null | wc -l)
	nacelle start "$ID"
	[ "$(init_pid)" = "$pid" ]
	[ "$(keeper_pid)" != "$keeper" ]
	[ "$(state .keeper)" = null ]
	health_is()
	{
		[ "$(state .health.status)" = "$1" ]
	}
	until_true 20 health_is healthy
	# none of the words is lost
	until_true 20 bash -c "[ \$($NACELLE --root $STATE --data $DATA logs $ID 2>/dev/null | wc -l) -gt $((said + 30)) ]"
	[ "$(nacelle logs "$ID" 2>/dev/null | awk '{ print $2 - NR + 1 }' | sort -u | wc -l)" -le 2 ]
	run -125 nacelle start "$ID"
	has "it is running"
	# an end that nobody knows counts as a failure
	nacelle exec "$ID" touch /end
	until_true 20 bash -c "[ \$(jq .restarts $STATE/$ID/note) = 1 ]"
	until_true 20 status_is running
	[ "$(init_pid)" != "$pid" ]
}

@test "the keeper killed: stop, start and delete work" {
	service '{ "args": ["sh", "-c", "sleep 1000"] }'
	kill -KILL "$(keeper_pid)"
	nacelle stop -t 0 "$ID"
	status_is stopped
	run -125 nacelle wait "$ID"
	has "its keeper was killed"
	nacelle start "$ID"
	status_is running
	kill -KILL "$(keeper_pid)"
	pid=$(init_pid)
	nacelle delete --force "$ID"
	dead "$pid"
	nothing_left
}

@test "the keeper killed while it waits: the container has ended, and can be started" {
	service '{ "args": ["sh", "-c", "exit 1"], "restart": "always" }'
	until_true 20 bash -c "[ \$(jq .restarts $STATE/$ID/note) -ge 3 ]"
	until_true 20 status_is restarting
	kill -KILL "$(keeper_pid)"
	until_true 20 status_is stopped
	nacelle start "$ID"
	[ "$(jq .restarts "$STATE/$ID/note")" -le 2 ]
}

@test "the starter's death changes nothing, signals do not end a keeper" {
	service '{ "args": ["sleep", "1000"], "restart": "always" }'
	keeper=$(keeper_pid)
	for signal in TERM HUP INT QUIT USR1; do
		kill -$signal "$keeper"
	done
	sleep 0.2
	not dead "$keeper"
	[ "$(awk '/^PPid/ { print $2 }' "/proc/$(init_pid)/status")" = "$keeper" ]
}

@test "what an older nacelle started, without a socket and a note, is stopped and deleted" {
	service '{ "args": ["sleep", "1000"] }'
	rm "$STATE/$ID/keeper.sock" "$STATE/$ID/note"
	jq 'del(.openStdin)' "$STATE/$ID/state.json" >s.json
	cat s.json >"$STATE/$ID/state.json"
	status_is running
	nacelle stop -t 0 "$ID"
	[ "$(state .exitStatus)" = 137 ]
	nacelle delete "$ID"
	nothing_left
}

@test "a keeper answers who speaks another version" {
	service '{ "args": ["sleep", "1000"] }'
	python3 - "$STATE/$ID/keeper.sock" <<-'PY'
		import os, socket, struct, sys
		os.chdir(os.path.dirname(sys.argv[1]))
		def ask(data):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.settimeout(10)
		    s.connect("keeper.sock")
		    s.send(data)
		    return struct.unpack("=Ii", s.recv(64))
		# a word that it does not know, in a longer struct
		assert ask(struct.pack("=IIII", 99, 77, 1, 2)) == (1, 1)
		# a struct of a word alone
		assert ask(struct.pack("=I", 1)) == (1, 1)
		# and one that says nothing does not keep it from the next
		quiet = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		quiet.connect("keeper.sock")
		assert ask(struct.pack("=II", 1, 1)) == (1, 0)
	PY
	status_is running
}

@test "a keeper costs little memory with all that it can do" {
	! grep -q __asan_init "${NACELLE%/*}/nacelle-keeper" || skip "built with sanitizers, which take memory of their own"
	keeps
	spec_file '{ "args": ["sleep", "1000"], "restart": "always", "health": { "cmd": "true", "interval": "200ms" }, "log": { "max_size": "1m" } }'
	for ((n = 0; n < 20; n++)); do
		nacelle run -d --name "$ID-$n" "$SPEC" >/dev/null
	done
	sleep 2
	sum=0
	for ((n = 0; n < 20; n++)); do
		keeper=$(jq .keeperPid "$STATE/$ID-$n/state.json")
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$keeper/smaps_rollup")))
	done
	echo "$((sum / 20)) KiB"
	[ $((sum / 20)) -le 250 ]
}
