# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # what is set here is used by the scripts
#
# What the engines' scripts share. Each drives its engine twice for every case, once with nacelle and once with a runtime
# that people already use beside it (BESIDE names another than the engine's usual), and speaks TAP: a case has passed when
# nacelle's output holds what is expected, and both outputs, which end in the exit status, are the same.
#
# This runs in the lab alone: engines are daemons, or leave things behind, and the machine must not keep them.

[ "${NACELLE_LAB:-0}" = 1 ] || {
	echo "tests/engines: these run in the lab: make engines" >&2
	exit 125
}
work=/tmp/engines
# away from what the machine's owner may build meanwhile
NACELLE=$work/bin/nacelle
mkdir -p $work/bin && cp build/bin/nacelle{,-shared,-keeper,-vmm,-guest} $work/bin/ || exit
tests=0 failed=0
ONLY=${1:-}	# an extended regular expression: the cases to run, all without it

# runtimes OTHER [OTHER...] - nacelle's name is always the first; the first other is beside it where a case says nothing
runtimes()
{
	local name
	other=$1
	declare -gA program=([nacelle]=$NACELLE)
	for name; do program[$name]=$(command -v "$name"); done
}

# wanted NAME - is this case to run?
wanted()
{
	[ -z "$ONLY" ] || [[ $1 =~ $ONLY ]]
}

# try NAME EXPECTED COMMAND... - EXPECTED is a pattern of bash that nacelle's output has to match somewhere. The two
# runtimes run beside each other: what a case makes outside is named after its runtime.
try()
{
	local name=$1 expected=$2 start=$SECONDS sides=()
	shift 2
	wanted "$name" || return 0
	tests=$((tests + 1))
	for runtime in nacelle "$other"; do
		side "$@" &
		sides+=($!)
	done
	wait "${sides[@]}"
	# shellcheck disable=SC2053 # a pattern
	if [[ $(<$work/nacelle.out) == *$expected* ]] && cmp -s $work/nacelle.out "$work/$other.out"; then
		printf 'ok %d - %s # in %d s, of %d\n' $tests "$name" $((SECONDS - start)) $SECONDS
		return
	fi
	failed=$((failed + 1))
	printf 'not ok %d - %s # in %d s, of %d\n' $tests "$name" $((SECONDS - start)) $SECONDS
	printf 'expected: %s\n' "$expected" | sed 's/^/# /'
	sed 's/^/# nacelle: /' $work/nacelle.out
	sed "s/^/# $other: /" "$work/$other.out"
}

# side COMMAND... - a case with the runtime of the moment; what differs from run to run is taken out
side()
{
	bounded "$@" >"$work/$runtime.out" 2>&1 </dev/null
	printf 'status %d\n' $? >>"$work/$runtime.out"
	sed -Ei "s/[0-9a-f]{64}/ID/g; s/-$runtime\\b/-RUNTIME/g; s/time=\"[^\"]*\"//; s/\r\$//" "$work/$runtime.out"
}

# bounded COMMAND... - 124 when it is not over in time; what it started is ended
bounded()
{
	local pid clock r
	set -m
	("$@") &
	pid=$!
	# a group of its own: its sleep goes with it, and holds nobody's descriptors for so long
	(sleep "${LIMIT:-300}" && kill -KILL -- -$pid) >/dev/null 2>&1 &
	clock=$!
	set +m
	wait $pid
	r=$?
	kill -- -$clock 2>/dev/null
	wait $clock 2>/dev/null
	return $r
}

# check NAME COMMAND... - what has nothing to be compared with
check()
{
	local name=$1 start=$SECONDS
	shift
	wanted "$name" && needed "$name" "$@"
}
# needed NAME COMMAND... - the same, whatever cases are asked for: the others build on it. With nacelle, not what a case
# before it ended with.
needed()
{
	local name=$1 start=$SECONDS runtime=nacelle
	shift
	tests=$((tests + 1))
	if bounded "$@" >$work/check.out 2>&1 </dev/null; then
		printf 'ok %d - %s # in %d s, of %d\n' $tests "$name" $((SECONDS - start)) $SECONDS
	else
		failed=$((failed + 1))
		printf 'not ok %d - %s # in %d s, of %d\n' $tests "$name" $((SECONDS - start)) $SECONDS
		sed 's/^/# /' $work/check.out
		return 1
	fi
}
# begin NAME COMMAND... - the same, and without it there is nothing to be said about the others
begin()
{
	needed "$@" || {
		finish
		exit
	}
}

# the last line of a script
finish()
{
	# what had to be waited for
	[ ! -s $work/moment ] || sed 's/^/# at first: /' $work/moment
	printf '1..%d\n' $tests
	[ $failed = 0 ]
}

# status COMMAND... - its exit status alone; messages differ from runtime to runtime
status()
{
	local out r
	out=$("$@" 2>&1)
	r=$?
	echo "exit status $r"
	[ -z "${VERBOSE:-}" ] || printf '%s\n' "$out" >&2
}

# until_true SECONDS COMMAND... - poll
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || {
			echo "not in time: $*"
			return 1
		}
		sleep 0.2
	done
}

# image_tar FILE - a root file system as an archive, from busybox-static
image_tar()
{
	tests/rootfs $work/rootfs && tar -C $work/rootfs -cf "$1" .
}

# The cgroups, states and keepers of containers that are gone must be gone as well. What ends after the engine's last word
# needs its moment: conmon stays in its scope until what podman told it to run at the end (`podman container cleanup`) is over.
# What then is left is told with the processes in it.
nothing_left()
{
	no_cgroups "$1" >$work/moment
	until_true 60 no_cgroups "$1" || {
		no_cgroups "$1"
		return 1
	}
	until_true 20 no_states || {
		no_states
		return 1
	}
	until_true 20 sh -c '! pgrep "^(nacelle|nacelle-keeper)\$"' || {
		pgrep -a '^(nacelle|nacelle-keeper)$'
		return 1
	}
}
no_cgroups()
{
	local group left
	left=$(find /sys/fs/cgroup -mindepth 1 -type d | grep -E "$1") || return 0
	while read -r group; do
		printf 'left: %s\n' "$group"
		xargs -r -a "$group/cgroup.procs" ps -o pid,stat,args -p 2>/dev/null
	done <<<"$left"
	return 1
}
no_states()
{
	local left
	# the cache of filters stays, and the note that systemd once made cgroups here
	left=$(find /run/nacelle -mindepth 1 -maxdepth 1 ! -name .seccomp ! -name .systemd 2>/dev/null)
	[ -z "$left" ] || {
		printf 'state left: %s\n' "$left"
		return 1
	}
}

# image_archive FILE NAME - the same as an image that engines load: docker's archive, made by hand
image_archive()
{
	local dir=$work/archive layer
	mkdir -p $dir/layer && image_tar $dir/layer/layer.tar || return
	layer=$(sha256sum $dir/layer/layer.tar | cut -d' ' -f1)
	jq -nc --arg layer "sha256:$layer" '{ architecture: "amd64", os: "linux",
		config: { Env: ["PATH=/usr/bin:/bin"], Cmd: ["sleep", "1000000"] },
		rootfs: { type: "layers", diff_ids: [$layer] }, history: [{ created_by: "tests" }] }' >$dir/config.json
	jq -nc --arg name "$2" '[{ Config: "config.json", RepoTags: [$name], Layers: ["layer/layer.tar"] }]' >$dir/manifest.json
	tar -C $dir -cf "$1" manifest.json config.json layer
}
