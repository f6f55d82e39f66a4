#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016,SC2154 # what stands in single quotes is expanded elsewhere; output and lines are set by run
#
# Stacks that change: edits, updates and the way back, what was killed, two at once.
load helpers
load stack-helpers

@test "an edit touches only its service, a new and a lost service come and go" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}), b: service("exec sleep 1000"; {}) } }'
	nacelle up "$STACK"
	a=$(nacelle state "$S-a-1" | jq .pid)
	stack_file '{ services: { a: service("exec sleep 1000"; {}), b: service("exec sleep 1001"; {}) } }'
	run -0 nacelle up --format json "$STACK"
	jq -e --arg id "$S-b-1" '. == { action: "replace", subject: $id, why: "its spec has changed" }' <<<"$output"
	[ "$(nacelle state "$S-a-1" | jq .pid)" = "$a" ]
	stack_file '{ services: { a: service("exec sleep 1000"; {}), c: service("exec sleep 1000"; {}) } }'
	run -0 nacelle up "$STACK"
	is "remove $S-b-1 (its service is no longer there)
create $S-c-1"
	[ "$(nacelle state "$S-a-1" | jq .pid)" = "$a" ]
}

@test "an update goes one replica after another, when the new one is healthy" {
	rootfs_share
	stack_file "$(rolling one)"
	nacelle up --wait "$STACK"
	stack_file "$(rolling two)"
	run -0 nacelle up "$STACK"
	is "replace $S-web-1 (its spec has changed)
replace $S-web-2 (its spec has changed)"
	# each of the new ones came when the one before it was healthy
	run -0 cat share/log
	is "two $S-web-1
two $S-web-2"
	run -0 nacelle exec "$S-web-2" cat /proc/1/environ
	has V=two
}

@test "an update that is not healthy goes back, all of the service" {
	rootfs_share
	stack_file "$(rolling one)"
	nacelle up --wait "$STACK"
	touch share/bad-2
	stack_file "$(rolling two)"
	run -125 nacelle up "$STACK"
	has "replace $S-web-1 (its spec has changed)"
	has "put back $S-web-2 (its new one is no good)"
	has "put back $S-web-1 (its new one is no good)"
	has "service 'web' is back to what it was: container '$S-web-2' is unhealthy"
	for i in 1 2; do
		run -0 nacelle exec "$S-web-$i" cat /proc/1/environ
		has V=one
	done
	# it is tried again, and is good now
	rm share/bad-2
	nacelle up "$STACK"
	run -0 nacelle exec "$S-web-1" cat /proc/1/environ
	has V=two
	run -0 nacelle up "$STACK"
	is ""
}

@test "a new one that ends at once goes back without a health check, and with a restart policy" {
	for policy in no always; do
		stack_file '{ services: { a: service("exec sleep 1000"; { restart: "'$policy'" }) } }'
		nacelle up "$STACK"
		stack_file '{ services: { a: service("echo no good; exit 7"; { restart: "'$policy'" }) } }'
		run -125 nacelle up "$STACK"
		has "service 'a' is back to what it was: container '$S-a-1' "
		has "ended with status 7"
		has ', and said last: "no good"'
		[ "$(nacelle state "$S-a-1" | jq -r .status)" = running ]
		nacelle down -t 0 "$STACK"
	done
}

@test "what has ended, lost its keeper, or is half made is mended by the next up" {
	stack_file '{ services: { a: service("exec sleep 1000"; {}), b: service("exec sleep 1000"; {}), c: service("exec sleep 1000"; {}) } }'
	nacelle up "$STACK"
	nacelle kill "$S-a-1" KILL
	until_true 20 state_of "$S-a-1" stopped
	keeper=$(nacelle state "$S-b-1" | jq .keeperPid)
	[ "$keeper" != null ] || keeper=$(awk '/^PPid/ { print $2 }' "/proc/$(nacelle state "$S-b-1" | jq .pid)/status")
	kill -KILL "$keeper"
	until_true 20 dead "$keeper"
	nacelle delete --force "$S-c-1"
	bundle '.annotations = { "io.nacelle.stack": $s, "io.nacelle.stack_service": "c" } | .process.args = ["sleep", "1000"]' --arg s "$S"
	nacelle create -b "$BUNDLE" "$S-c-1" </dev/null >/dev/null 2>&1
	run -0 nacelle up "$STACK"
	is "start $S-a-1 (it has ended)
start $S-b-1 (its keeper was killed)
replace $S-c-1 (it was left half made)"
	run -0 nacelle up "$STACK"
	is ""
}

@test "up that is killed anywhere is finished by the next" {
	stack_file '{ volumes: { v: null }, configs: { c: { content: "x" } }, services: {
		a: service("exec sleep 1000"; { volumes: ["v:/v"], configs: ["c"], replicas: 2 }), b: service("exec sleep 1000"; { depends_on: ["a"] }) } }'
	for ms in 001 005 010 020 040; do
		timeout -s KILL 0.$ms "$NACELLE" --root "$STATE" --data "$DATA" up "$STACK" >/dev/null 2>&1 || true
		# what it had started comes to its own end
		until_true 20 no_run
		nacelle up "$STACK" >/dev/null
		[ "$(nacelle ps --format json "$STACK" | jq '[.[] | select(.status == "running")] | length')" = 3 ]
		run -0 nacelle up "$STACK"
		is ""
		# what a kill in the middle of a write leaves, if none of these met it
		: >"$DATA/stacks/$S/.left"
		nacelle down -v -t 0 "$STACK" >/dev/null
		nothing_left
		[ ! -e "$DATA/stacks/$S" ]
	done
}

@test "two at once: one waits for the other" {
	stack_file '{ services: { a: service("exec sleep 1000"; { replicas: 3 }) } }'
	nacelle up "$STACK" >one 2>&1 &
	first=$!
	nacelle up "$STACK" >two 2>&1
	wait $first
	[ "$(cat one two | grep -c '^create')" = 3 ]
}
