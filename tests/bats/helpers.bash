# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # output and lines are set by bats' run
#
# What every bats file loads: a bundle and a state folder of the test's own, and a check at the end
# that nothing is left: no state, no mount, no cgroup, no process of ours.
#
# Tags (# bats test_tags=...): `lab` needs real controllers, and runs in the lab alone; `smoke` runs
# natively and in the lab; `kernel` runs in the lab on the newer kernel too. In the lab no test may skip.

here=${BATS_TEST_DIRNAME:?}
. "$here/trace.bash"
NACELLE=${NACELLE:-$(cd "$here/../.." && pwd)/build/bin/nacelle}
CGROUP=/sys/fs/cgroup
[ "$(stat -fc %T $CGROUP)" = cgroup2fs ] || CGROUP=/sys/fs/cgroup/unified

if [ "${NACELLE_NO_SKIP:-0}" = 1 ]; then
	skip()
	{
		echo "skip is not allowed here: $*" >&2
		return 1
	}
fi

# One root file system a file, and the bundle's config.json as it is before a test says otherwise; a test that writes to
# the root makes its own with rootfs_own.
setup_file()
{
	file_root
}
file_root()
{
	bats_require_minimum_version 1.8.0
	"$here/../rootfs" "$BATS_FILE_TMPDIR/rootfs"
	BUNDLE=$BATS_FILE_TMPDIR ROOTFS=$BATS_FILE_TMPDIR/rootfs bundle .
}

# What runs before and after every one of some hundred tests is done by the shell itself, as far as it can: a process costs
# more than what it would do here.
setup()
{
	local config
	trace_failures
	cd "$BATS_TEST_TMPDIR" || return
	STATE=$BATS_TEST_TMPDIR/state
	DATA=$BATS_TEST_TMPDIR/data
	BUNDLE=$BATS_TEST_TMPDIR/bundle
	ROOTFS=$BATS_FILE_TMPDIR/rootfs
	# names are the test's own too: cgroups are found by them
	ID=t${CELL:-}$BATS_SUITE_TEST_NUMBER-$$
	mkdir "$BUNDLE"
	mapfile config <"$BATS_FILE_TMPDIR/config.json"
	printf '%s' "${config[@]}" >"$BUNDLE/config.json"
	mounts_before=()
	mounts mounts_before
}

# A test that leaves a container to be deleted here says so with keeps (create and detach do).
# After all others nothing may be left as it is.
teardown()
{
	local id status=0
	if [ -n "${keeps:-}" ] || [ "${BATS_TEST_COMPLETED:-0}" != 1 ]; then
		for id in "$STATE"/*/; do
			[ ! -d "$id" ] || nacelle delete --force "$(basename "$id")" || status=1
		done
	fi
	if [ "${BATS_TEST_COMPLETED:-0}" = 1 ]; then
		[ $status = 0 ] && nothing_left || status=1
	fi
	# what a failure left must not be there when the folders are removed
	unmount_below "$BATS_TEST_TMPDIR"
	[ $status = 0 ] && [ "${BATS_TEST_COMPLETED:-0}" = 1 ] ||
		find $CGROUP -mindepth 1 -depth -type d -name "*$ID*" -exec rmdir {} + 2>/dev/null
	return $status
}
teardown_file()
{
	unmount_below "$BATS_FILE_TMPDIR"
}
unmount_below()
{
	local lines target n
	mapfile -t lines </proc/self/mountinfo
	for ((n = ${#lines[@]} - 1; n >= 0; n--)); do
		read -r _ _ _ _ target _ <<<"${lines[n]}"
		[[ $target != "$1"/* ]] || umount -l "$target"
	done
}
keeps()
{
	keeps=1
}

# nacelle ARG... - the program, with the test's state folder, bounded in time
nacelle()
{
	timeout -k 5 "${LIMIT:-50}" "$NACELLE" --root "$STATE" --data "$DATA" "$@"
}

# bundle FILTER [JQ-OPTION...] - write the bundle's config.json: the stored one, changed by a jq filter
bundle()
{
	local filter=$1
	shift
	jq --arg rootfs "$ROOTFS" "$@" ".root.path = \$rootfs | $filter" "$here/config.json" \
		>"$BUNDLE/config.json"
}

# payload SCRIPT [FILTER] - a bundle whose process is a shell script
payload()
{
	bundle ".process.args = [\"sh\", \"-c\", \$script] | ${2:-.}" --arg script "$1"
}

# in_container SCRIPT [FILTER] - run a shell script in a container and show what it said
in_container()
{
	payload "$@" && nacelle run -b "$BUNDLE" "$ID"
}

# create [ARG...], detach SCRIPT [FILTER] - a container that the end of the test deletes
create()
{
	keeps
	nacelle create -b "$BUNDLE" "$@" "$ID"
}
detach()
{
	keeps
	payload "$@" && nacelle run -d -b "$BUNDLE" "$ID"
}

# spec_file JSON - a spec in the short form; its path is $SPEC
spec_file()
{
	SPEC=$BATS_TEST_TMPDIR/spec.json
	jq --arg rootfs "$ROOTFS" '{ layers: [$rootfs] } + .' <<<"$1" >"$SPEC"
}

# rootfs_own - a copy of the root file system that the test may change
rootfs_own()
{
	cp -a "$ROOTFS" "$BATS_TEST_TMPDIR/rootfs"
	ROOTFS=$BATS_TEST_TMPDIR/rootfs
	bundle .
}

# What there is too much of for every day: a third a day, another one each day; all of it with THOROUGH=1.
# sample_of - one in how many; sampled - such lines of standard input; in_sample N - is the N-th among them?
sample_of()
{
	[ "${THOROUGH:-0}" = 1 ] && echo 1 || echo 3
}
sampled()
{
	awk -v of="$(sample_of)" -v day="$(date +%j)" 'NR % of == day % of'
}
in_sample()
{
	[ "${THOROUGH:-0}" = 1 ] || [ $(($1 % 3)) = $((10#$(date +%j) % 3)) ]
}

# not COMMAND... - it fails (a bare ! is no check in bats)
not()
{
	! "$@" 2>/dev/null
}
# dead PID - it has ended, though whoever has to reap it may not have done so yet
dead()
{
	! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null
}
no_mount()
{
	not grep -F "$1" /proc/self/mountinfo
}

# has TEXT - $output holds it; lacks TEXT - it does not
has()
{
	[[ $output == *"$1"* ]] || {
		printf 'no "%s" in:\n%s\n' "$1" "$output" >&2
		return 1
	}
}
lacks()
{
	[[ $output != *"$1"* ]] || {
		printf '"%s" in:\n%s\n' "$1" "$output" >&2
		return 1
	}
}

# is TEXT - $output is exactly this
is()
{
	[ "$output" = "$1" ] || {
		printf 'not "%s" but:\n%s\n' "$1" "$output" >&2
		return 1
	}
}

# one_line - a message is one line, and does not say what docker takes for "there is no such program"
one_line()
{
	[ "${#lines[@]}" = 1 ] || {
		printf 'not one line:\n%s\n' "$output" >&2
		return 1
	}
	lacks "o such file or directory"
}

# state KEY - one value of the container's state
state()
{
	nacelle state "$ID" | jq -r "$1"
}

# init_pid - pid of the container's process as seen from outside
init_pid()
{
	state .pid
}

# until_true SECONDS COMMAND... - poll; the lab is slow, so give time
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || {
			echo "still not true: $*" >&2
			return 1
		}
		sleep 0.05
	done
}

# says TEXT - wait until a detached container has said it
says()
{
	until_true 20 log_has "$1"
}
log_has()
{
	nacelle logs "$ID" | grep -qF -- "$1"
}

status_is()
{
	[ "$(state .status)" = "$1" ]
}

# cgroup_dir - the folder of the container's cgroup, as its init sees itself from outside
cgroup_dir()
{
	local line
	line=$(grep '^0::' "/proc/$(init_pid)/cgroup") && echo "$CGROUP${line#0::}"
}

# mounts ARRAY - "TARGET TYPE" of every mount, into an array of the caller's
mounts()
{
	local -n mounts_into=$1
	local lines line words tail
	mapfile -t lines </proc/self/mountinfo
	for line in "${lines[@]}"; do
		read -ra words <<<"$line"
		tail=${line##* - }
		mounts_into+=("${words[4]} ${tail%% *}")
	done
}
cgroups()
{
	find $CGROUP -mindepth 1 -type d -name "*$ID*" 2>/dev/null
}

# new_mounts - the mounts that were not there before the test
new_mounts()
{
	local now=() mount
	local -A many=()
	for mount in "${mounts_before[@]}"; do many[$mount]=$((${many[$mount]:-0} + 1)); done
	mounts now
	for mount in "${now[@]}"; do
		many[$mount]=$((${many[$mount]:-0} - 1))
		[ "${many[$mount]}" -ge 0 ] || printf 'mount: %s\n' "$mount"
	done
}

# A zombie has no command line, and one whose parent has still to reap it holds nothing.
processes()
{
	local file pid words
	for file in /proc/[0-9]*/cmdline; do
		pid=${file//[!0-9]/}
		[ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && mapfile -d '' words <"$file" || continue
		[[ ${words[*]} != *"$STATE"* ]] || printf 'process: %s %s\n' "$pid" "${words[*]}"
	done 2>/dev/null
	return 0
}

# nothing_left - what was before is what is now, but for the cache of compiled filters. Namespaces die
# a little after their last process.
nothing_left()
{
	local n
	for ((n = 0; n < 100; n++)); do
		left=$(
			find "$STATE" "$DATA" $CGROUP -mindepth 1 \( -path "$STATE/.seccomp" -prune -o -name .systemd -prune -o \
				-path "$STATE/*" -printf 'state: %p\n' -o -path "$DATA/*" -name "*$ID*" -printf 'data: %p\n' -o \
				-path "$CGROUP/*" -type d -name "*$ID*" -printf 'cgroup: %p\n' \) 2>/dev/null
			new_mounts
			processes
		)
		[ -n "$left" ] || return 0
		sleep 0.05
	done
	printf 'left behind:\n%s\n' "$left" >&2
	return 1
}
