#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Something that every process usually has is missing: room on a disk, inodes, fds, standard streams.
load helpers

# small FOLDER OPTIONS - a file system of its own there, undone at the test's end
small()
{
	mkdir -p "$1"
	mount -t tmpfs -o "$2" tmpfs "$1"
	# shellcheck disable=SC2034 # nothing_left compares
	mounts_before=()
	mounts mounts_before
}
teardown()
{
	local id
	for id in "$STATE"/*/; do
		[ ! -d "$id" ] || nacelle delete --force "$(basename "$id")"
	done
	unmount_below "$BATS_TEST_TMPDIR"
}

# limited WORDS ARG... - nacelle behind a shell's words; $status and $output as run has them, any status is fine
limited()
{
	local words=$1
	shift
	output=$(timeout 50 bash -c "$words; exec \"\$@\"" bash "$NACELLE" --root "$STATE" --data "$DATA" "$@" 2>&1) &&
		status=0 || status=$?
}

@test "a full disk for the state: refused with the reason, nothing is left" {
	small "$STATE" size=16k
	head -c 1M /dev/zero >"$STATE/filler" 2>/dev/null || true
	for verb in 'run -b' 'create -b' 'run -d -b'; do
		# shellcheck disable=SC2086 # verb and flags
		run -125 nacelle $verb "$BUNDLE" "$ID"
		one_line
		has 'No space left on device'
		nothing_left_but_filler
	done
}
nothing_left_but_filler()
{
	[ -z "$(find "$STATE" -mindepth 1 ! -name filler ! -path '*/.seccomp*')" ]
	[ -z "$(cgroups)" ]
}

@test "a disk that fills up while a container runs: it is stopped and deleted all the same" {
	small "$STATE" size=64k
	detach 'sleep 1000'
	pid=$(init_pid)
	head -c 1M /dev/zero >"$STATE/filler" 2>/dev/null || true
	status_is running
	run -0 nacelle exec "$ID" true
	run -0 nacelle delete --force "$ID"
	dead "$pid"
	nothing_left_but_filler
}

@test "no inodes for the state: refused with the reason, nothing is left" {
	small "$STATE" nr_inodes=4
	while touch "$STATE/filler$((n++))" 2>/dev/null; do :; done
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	has 'No space left on device'
	rm "$STATE"/filler*
	# one for the folder, none for the record
	touch "$STATE/a"
	touch "$STATE/b"
	run -125 nacelle run -b "$BUNDLE" "$ID"
	one_line
	[ -z "$(find "$STATE" -mindepth 1 ! -name '[ab]' ! -name .seccomp)" ]
	[ -z "$(cgroups)" ]
}

@test "a read-only state folder: making is refused, looking works" {
	small "$STATE" size=1m
	create
	mount -o remount,ro "$STATE"
	status_is created
	run -0 nacelle list
	run -125 nacelle run -b "$BUNDLE" "other-$ID"
	one_line
	has 'Read-only file system'
	run -125 nacelle delete --force "$ID"
	has 'Read-only file system'
	mount -o remount,rw "$STATE"
	run -0 nacelle delete --force "$ID"
	[ -z "$(cgroups)" ]
}

@test "a full disk for the log: the payload is not held up, and its end is known" {
	small "$DATA" size=32k
	detach 'i=0; while [ $i -lt 3000 ]; do echo "line $i that fills the disk"; i=$((i + 1)); done; exit 7'
	until_true 40 status_is stopped
	[ "$(state .exitStatus)" = 7 ]
	run nacelle logs "$ID"
	has 'line 0 that'
}

@test "few fds: every number of them gives a container, or a reason" {
	for fds in 3 4 5 6 7 8 9 10 12 14 16 20 24 32; do
		limited "ulimit -n $fds" run -b "$BUNDLE" "$ID"
		# 127 is the loader's, that cannot open libc
		[ "$status" = 0 ] || [ "$status" = 127 ] || { [ "$status" = 125 ] && has 'Too many open files'; }
		run -0 nacelle delete --force "$ID"
		nothing_left
	done
	[ "$fds" = 32 ]
}

@test "few fds do not keep delete from telling the truth" {
	payload 'sleep 1000'
	for fds in 3 4 5 6 7 8 9 10 11 12; do
		nacelle create -b "$BUNDLE" "$ID"
		pid=$(init_pid)
		limited "ulimit -n $fds" delete --force "$ID"
		if [ "$status" = 0 ]; then
			dead "$pid"
			nothing_left
		fi
		run -0 nacelle delete --force "$ID"
		nothing_left
	done
}

@test "no file may have a size: refused with the reason, nothing is left" {
	limited "ulimit -f 0; trap '' XFSZ" run -b "$BUNDLE" "$ID"
	[ "$status" = 125 ]
	has 'File too large'
	nothing_left
}

@test "no file may have a size, and the signal is not ignored: still a reason, and nothing left" {
	bash -c "ulimit -f 0; exec \"\$@\"" bash "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >said 2>&1 &&
		ended=0 || ended=$?
	run -0 nacelle delete --force "$ID"
	nothing_left
	[ "$ended" != 0 ]
}

@test "no further process is allowed: refused with the reason, nothing is left" {
	# root is not bound by it; a user in a user namespace is
	run setpriv --reuid 4242 --regid 4242 --clear-groups bash -c "ulimit -u 1; exec \"\$@\"" bash "$NACELLE" \
		--root "$BATS_TEST_TMPDIR/none" run -b "$BUNDLE" "$ID"
	[ "$status" = 125 ]
	has nacelle
}

@test "closed standard streams: the container runs, and no file of ours becomes one" {
	payload 'for fd in /proc/$$/fd/*; do readlink "$fd"; done; true'
	for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
		bash -c "exec \"\$@\" $closed" bash "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID" >out 2>err && ended=0 ||
			ended=$?
		[ "$ended" = 0 ]
		! grep -vE '^(/dev/null|/dev/console|/|/out|/err|pipe:.*|socket:.*|.*/(out|err))$' out
		nothing_left
	done
}

@test "closed standard streams, detached" {
	payload 'echo said; exit 3'
	keeps
	for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		bash -c "exec \"\$@\" $closed" bash "$NACELLE" --root "$STATE" --data "$DATA" run -d -b "$BUNDLE" "$ID" >out 2>err
		until_true 20 status_is stopped
		[ "$(state .exitStatus)" = 3 ]
		run -0 nacelle logs "$ID"
		is said
		nacelle delete "$ID"
		nothing_left
	done
}

@test "a full standard output is told by the exit status" {
	run bash -c "\"\$@\" >/dev/full" bash "$NACELLE" --root "$STATE" list -f json
	[ "$status" = 125 ]
	has 'No space left on device'
	run bash -c "\"\$@\" >/dev/full" bash "$NACELLE" features
	[ "$status" = 125 ]
	# the payload's own failure is the payload's own
	payload 'echo x || exit 9'
	run bash -c "\"\$@\" >/dev/full" bash "$NACELLE" --root "$STATE" --data "$DATA" run -b "$BUNDLE" "$ID"
	[ "$status" = 9 ]
	nothing_left
}

@test "a full log file does not change what is done" {
	run -0 nacelle --log /dev/full run -b "$BUNDLE" "$ID"
	payload no-such-program
	run -127 nacelle --log /dev/full run -b "$BUNDLE" "$ID"
	nothing_left
}

@test "a full disk for the pid file: refused with the reason, nothing is left" {
	small small size=4k
	head -c 1M /dev/zero >small/filler 2>/dev/null || true
	run -125 nacelle create --pid-file small/pid -b "$BUNDLE" "$ID"
	has 'No space left on device'
	[ ! -e small/pid ]
	nothing_left
}
