#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # what stands in single quotes is expanded elsewhere
#
# The command line itself: help, versions, wrong words, and output that nobody can take.
load helpers

# Every command and its options, as they are promised.
options()
{
	cat <<-'END'
		run bundle config name detach rm keep tty interactive detach-keys env env-file volume tmpfs device memory cpus pids-limit user workdir hostname read-only cap-add cap-drop network publish dns entrypoint ulimit sysctl security-opt label stop-signal stop-timeout pid-file console-socket pidfd-socket preserve-fds no-subreaper
		exec process detach tty interactive detach-keys env user additional-gids workdir cwd cap no-new-privs apparmor process-label cgroup pid-file console-socket pidfd-socket preserve-fds ignore-paused
		create bundle config pid-file console-socket pidfd-socket preserve-fds no-subreaper no-new-keyring no-pivot
		start
		state
		kill all regex
		stop time
		delete force regex
		update resources memory memory-reservation memory-swap cpu-share cpu-period cpu-quota cpu-burst cpu-idle cpu-rt-period cpu-rt-runtime cpuset-cpus cpuset-mems pids-limit blkio-weight kernel-memory kernel-memory-tcp l3-cache-schema mem-bw-schema
		events stats interval
		checkpoint image-path work-path parent-path leave-running pre-dump tcp-established ext-unix-sk shell-job file-locks auto-dedup empty-ns manage-cgroups-mode lazy-pages page-server status-fd
		restore bundle image-path work-path detach pid-file console-socket tcp-established tcp-close ext-unix-sk shell-job file-locks auto-dedup empty-ns manage-cgroups-mode lsm-profile lsm-mount-context no-subreaper no-pivot lazy-pages
		list quiet format
		ps format
		logs follow tail timestamps
		wait
		pause
		resume
		network
		spec bundle file expand rootless
		features
	END
}

@test "--help lists every command" {
	run -0 nacelle --help
	while read -r command _; do
		has "  $command "
	done < <(options)
	for option in root data log log-format debug version help; do
		has "--$option"
	done
}

@test "the help of each command lists each of its options" {
	while read -r command rest; do
		run -0 nacelle "$command" --help
		[[ ${lines[0]} == "usage: nacelle $command"* ]]
		for option in $rest; do
			has "--$option"
		done
	done < <(options)
}

@test "--version is what engines read" {
	run -0 nacelle --version
	[[ ${lines[0]} =~ ^nacelle\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
	[[ ${lines[1]} == "commit: "* ]]
	[[ ${lines[2]} =~ ^spec:\ 1\.[0-9]+\.[0-9]+ ]]
	[ "${#lines[@]}" = 3 ]
	first=$output
	run -0 nacelle -v
	is "$first"
}

@test "an unknown command names a near one, and only a near one" {
	run -125 nacelle rnu
	has "'run'"
	one_line
	run -125 nacelle delte x
	has "'delete'"
	run -125 nacelle frobnicate
	lacks "did you mean"
	one_line
	run -125 nacelle
	one_line
}

@test "an unknown option is refused, with a near one" {
	run -125 nacelle run --memroy 64M x
	has "'--memory'"
	has "nacelle run --help"
	one_line
	run -125 nacelle --rot /x list
	has "'--root'"
	one_line
	run -125 nacelle list -Z
	has "-Z"
	one_line
}

@test "what is not supported is refused by name" {
	run -125 nacelle checkpoint --lazy-pages "$ID"
	has "--lazy-pages: not supported"
	one_line
	nothing_left
}

@test "values are taken in every spelling" {
	payload 'echo $A$B$C$D'
	run -0 nacelle run -eA=1 -e B=2 --env=C=3 --env D=4 --bundle="$BUNDLE" "$ID"
	is 1234
	bundle '.process.args = ["cat"]'
	run -0 nacelle run -i=false -b="$BUNDLE" "$ID" </dev/null
	is ""
}

@test "what stands behind the spec is the command's own" {
	run -0 nacelle run "$BUNDLE/" echo --help -v --unknown
	is "--help -v --unknown"
}

@test "options may stand behind operands where no command follows" {
	create
	nacelle delete "$ID" --force
	nothing_left
}

@test "wrong values are refused before anything is made" {
	for words in '--pids-limit x' '--preserve-fds x' '--preserve-fds 7' '--sysctl x' '--env-file /nowhere' '-d=perhaps' \
		'--detach-keys ctrl-1 -t' '--keep --detach' '--name a'; do
		# shellcheck disable=SC2086 # the words are several
		run -125 nacelle run $words -b "$BUNDLE" "$ID"
		one_line
	done
	nothing_left
}

@test "a missing operand, and one too many" {
	for words in run exec "exec $ID" create start state kill delete ps logs wait stop pause resume 'start a b' 'list a' \
		'state a b' 'kill a TERM c' 'features x'; do
		# shellcheck disable=SC2086
		run -125 nacelle $words
		has "--help"
		one_line
	done
}

@test "output that cannot be written is a failure" {
	for words in --version --help list features 'spec -f -' 'run --help'; do
		# shellcheck disable=SC2016,SC2086 # expanded inside
		run -125 sh -c 'exec "$0" --root "$1" $2 >/dev/full' "$NACELLE" "$STATE" "$words"
		has "write to standard output: No space left on device"
		one_line
	done
}

@test "closed standard streams are never somebody else's file" {
	payload 'readlink /proc/self/fd/1 >/dev/shm/1 2>&1; cat /dev/shm/1 >&2'
	run -0 sh -c 'exec "$0" --root "$1" run -b "$2" "$3" <&- >&-' "$NACELLE" "$STATE" "$BUNDLE" "$ID"
	lacks "$STATE"
}

@test "--log gets the failure as a line of JSON, and stderr as text" {
	run -125 nacelle --log "$BATS_TEST_TMPDIR/log" --log-format json state nobody
	is "nacelle: no container 'nobody': it does not exist (see 'nacelle list')"
	[ "$(jq -r .level log)" = error ]
	[ "$(jq -r .msg log)" = "no container 'nobody': it does not exist (see 'nacelle list')" ]
	jq -e .time log
	run -125 nacelle --log-format yaml list
	has yaml
}

@test "logs: the last lines, times, and streams apart" {
	# two pipes: which is read first is open
	detach 'echo one; echo two >&2; sleep 0.3; echo three'
	nacelle wait "$ID"
	[ "$(nacelle logs "$ID" 2>/dev/null)" = $'one\nthree' ]
	[ "$(nacelle logs "$ID" 2>&1 >/dev/null)" = two ]
	[ "$(nacelle logs --tail 1 "$ID" 2>/dev/null)" = three ]
	[ "$(nacelle logs -n 0 "$ID" 2>&1)" = "" ]
	[[ $(nacelle logs -t -n1 "$ID") =~ ^20[0-9-]+T[0-9:.]+Z\ three$ ]]
	run -125 nacelle logs --tail many "$ID"
	one_line
}

@test "logs and wait of a container that has no keeper say so" {
	create
	run -125 nacelle logs "$ID"
	has "run --detach"
	nacelle start "$ID"
	run -125 nacelle wait "$ID"
	has "known only to the parent"
	one_line
}

@test "run --keep leaves the stopped container and its exit status" {
	payload 'exit 6'
	keeps
	run -6 nacelle run --keep -b "$BUNDLE" "$ID"
	[ "$(state .exitStatus)" = 6 ]
	run -6 nacelle wait "$ID"
	run -0 nacelle list
	has "stopped (6)"
}

@test "without -i a spec file's process has no input, with it it has ours" {
	bundle '.process.args = ["cat"]'
	run -0 nacelle run "$BUNDLE/" <<<"typed"
	is ""
	run -0 nacelle run -i "$BUNDLE/" <<<"typed"
	is typed
}

@test "the flags change the spec" {
	payload 'echo $(id -u; id -g; pwd; hostname; echo $X; touch /x 2>/dev/null || echo read-only; ulimit -n)'
	run -0 nacelle run -u 7:8 -w /etc --hostname other -e X=y --read-only --ulimit nofile=99:99 -b "$BUNDLE" "$ID"
	is "7 8 /etc other y read-only 99"
}

@test "spec prints and writes the default, and never over a file" {
	mkdir empty
	nacelle spec -b empty
	diff <(nacelle spec -f - | jq -S .) <(jq -S . empty/config.json)
	run -125 nacelle spec -b empty
	has "not overwritten"
	one_line
	# as crun and runc do, in the bundle around us
	cd empty
	run -125 nacelle spec
	rm config.json
	nacelle spec
	diff <(jq -S . config.json) <(nacelle spec -f - | jq -S .)
	nacelle spec --file other.json
	cmp config.json other.json
	run -125 nacelle spec -f other.json
}

@test "a keeper costs little memory" {
	! grep -q __asan_init "${NACELLE%/*}/nacelle-keeper" || skip "built with sanitizers, which take memory of their own"
	payload 'sleep 1000'
	keeps
	for n in 1 2 3 4 5 6 7 8; do
		nacelle run -d -b "$BUNDLE" "$ID-$n" >/dev/null
	done
	sum=0
	for n in 1 2 3 4 5 6 7 8; do
		ID=${ID%-?}-$n
		keeper=$(awk '/^PPid/ { print $2 }' "/proc/$(init_pid)/status")
		[ "$(cat "/proc/$keeper/comm")" = nacelle-keeper ]
		sum=$((sum + $(awk '/^Pss:/ { print $2 }' "/proc/$keeper/smaps_rollup")))
	done
	echo "$((sum / 8)) KiB"
	[ $((sum / 8)) -le 250 ]
}

@test "check says what is there, and what is not, with its remedy" {
	run -0 nacelle check
	[[ $output =~ seccomp\ +ok ]]
	run -0 nacelle check --format json
	[ "$(jq -r '.[] | select(.name == "programs").result' <<<"$output")" = ok ]
	echo "nodev tmpfs" >filesystems
	echo "allow" >actions
	run -125 unshare --mount --propagation private bash -c 'mount --bind filesystems /proc/filesystems &&
		mount --bind actions /proc/sys/kernel/seccomp/actions_avail && exec "$@"' mounts "$NACELLE" check
	[[ $output =~ overlay\ +limited.*modprobe\ overlay ]]
	[[ $output =~ seccomp\ +missing ]]
	has "no container can run here"
}
