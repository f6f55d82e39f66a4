# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # what helpers.bash sets
#
# What the escape-*.bats files load behind helpers.bash: a root file system with the attack programs in /attack, things
# of the host to be reached for, and canaries that are compared after every test.

ATTACK=${ATTACK:-$(cd "$here/../.." && pwd)/build/attack}

eval "usual_$(declare -f setup)"
eval "usual_$(declare -f setup_file)"
eval "usual_$(declare -f teardown)"

setup_file()
{
	usual_setup_file
	mkdir "$BATS_FILE_TMPDIR/rootfs/attack"
	cp "$ATTACK"/* "$BATS_FILE_TMPDIR/rootfs/attack"
	# that only the wall keeps a user namespace's root out
	chmod 711 "$BATS_RUN_TMPDIR" "${BATS_FILE_TMPDIR%/*}" "$BATS_FILE_TMPDIR"
}

setup()
{
	usual_setup
	HOST=$BATS_TEST_TMPDIR/host
	mkdir "$HOST"
	echo untouched >"$HOST/canary"
	chmod 640 "$HOST/canary"
	touch -d @1000000000 "$HOST/canary" "$HOST"
	chmod 711 "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR"
	"$ATTACK/host" "nacelle-$ID" >host.says 3>&- &
	host_job=$!
	until_true 10 grep -q ' ' host.says
	read -r HOST_PID HOST_SHM HOST_KEY <host.says
	told=$(jq -cn --arg pid "$HOST_PID" --arg shm "$HOST_SHM" --arg key "$HOST_KEY" --arg file "$HOST/canary" \
		--arg sock "nacelle-$ID" '["HOST_PID=\($pid)", "HOST_SHM=\($shm)", "HOST_KEY=\($key)",
			"HOST_FILE=\($file)", "HOST_SOCKET=\($sock)"]')
	canaries_before=$(canaries)
}

teardown()
{
	local status=0
	diff <(echo "$canaries_before") <(canaries) || status=1
	kill "$host_job"
	wait "$host_job" 2>/dev/null
	usual_teardown || status=1
	return $status
}

# canaries - what of the host a payload might change, as one text
canaries()
{
	sha256sum "$NACELLE" "$(dirname "$NACELLE")"/nacelle-keeper
	stat -c '%n %a %u:%g %s %Y' "$HOST/canary" "$HOST"
	ls -A "$HOST"
	cat "$HOST/canary"
	hostname
	stat -c '%n %F %a %u:%g %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
	tail -n +1 /proc/sys/kernel/{core_pattern,modprobe,domainname,pid_max,sysrq,panic} /proc/sys/vm/overcommit_memory \
		/proc/sys/fs/suid_dumpable 2>/dev/null
	cat /sys/kernel/uevent_helper 2>/dev/null || echo "no uevent_helper"
	awk '$(NF - 2) == "cgroup2" { print $5, $6, $NF }' /proc/self/mountinfo
	kill -0 "$HOST_PID" && echo "the host's process lives"
}

# attack ARGS-JSON [FILTER] - run it in a container of the stored config, with the usual masks, and see that nothing got out
attack()
{
	local masks
	masks=$(nacelle spec -f - | jq -c .linux.maskedPaths)
	bundle ".process.args = $1 | .process.env += \$told | .linux.maskedPaths = \$masks | ${2:-.}" \
		--argjson told "$told" --argjson masks "$masks"
	run -0 nacelle run -b "$BUNDLE" "$ID"
	held
}

# attack_short ARGS-JSON [MORE-JSON] - the same in the short form, with all its defaults
attack_short()
{
	jq -n --argjson args "$1" --argjson env "$told" --arg rootfs "$ROOTFS" --argjson more "${2:-"{}"}" \
		'{ layers: [$rootfs], args: $args, env: $env } + $more' >short.json
	run -0 nacelle run ./short.json
	held
}

# held - $output is an attack program's: it tried, to its end, and nothing got out
held()
{
	lacks "OUT "
	[[ $output =~ tried\ ([1-9][0-9]*) ]] || {
		printf 'the attack did not come to its end:\n%s\n' "$output" >&2
		return 1
	}
	# how many there were, all together, for whoever wants to know
	[ -z "${ATTACK_TALLY:-}" ] || echo "$BATS_TEST_DESCRIPTION: ${BASH_REMATCH[1]}" >>"$ATTACK_TALLY"
}

# userns [HOST-ID] - a filter: a user namespace with every capability
# shellcheck disable=SC2016
userns()
{
	printf '.linux.namespaces += [{ type: "user" }]
		| .linux.uidMappings = [{ containerID: 0, hostID: %d, size: 65536 }] | .linux.gidMappings = .linux.uidMappings
		| %s' "${1:-100000}" "$(capabilities all)"
}

# capabilities all|CAP... - a filter: exactly these
capabilities()
{
	if [ "$1" = all ]; then
		printf '.process.capabilities |= (%s as $c | { bounding: $c, effective: $c, permitted: $c })' \
			"$(nacelle features | jq -c .linux.capabilities)"
	else
		printf '.process.capabilities |= (%s as $c | { bounding: $c, effective: $c, permitted: $c })' \
			"$(jq -cn '$ARGS.positional' --args "$@")"
	fi
}

# The capabilities that engines give by default: the short form's, and docker's three more.
engine_caps()
{
	capabilities CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_NET_BIND_SERVICE CAP_SETFCAP CAP_SETGID \
		CAP_SETPCAP CAP_SETUID CAP_SYS_CHROOT CAP_MKNOD CAP_NET_RAW CAP_AUDIT_WRITE
}
