#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Documents that are wrong, by the hundred: tests/data/hostile.jq makes them from one that is right. Each is refused in
# time, by one line that names the place, with nothing left behind. Every day has another third of them; THOROUGH=1 runs all.
# shellcheck disable=SC2154 # set by what is loaded
load helpers

# A document that has about every field, and runs; the generator changes one thing at a time.
full='.annotations = { "org.example.key": "value" } | .domainname = "example"
	| .process.user = { uid: 0, gid: 0, umask: 18, additionalGids: [1, 2] }
	| .process.rlimits = [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }] | .process.oomScoreAdj = 100
	| .linux.devices = [{ path: "/dev/zero2", type: "c", major: 1, minor: 5, fileMode: 438, uid: 0, gid: 0 }]
	| .linux.sysctl = { "net.core.somaxconn": "100" } | .linux.rootfsPropagation = "private"
	| .linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{ names: ["getcpu"], action: "SCMP_ACT_ERRNO", errnoRet: 1,
			args: [{ index: 0, value: 5, valueTwo: 6, op: "SCMP_CMP_MASKED_EQ" }] }] }
	| .linux.resources = { devices: [{ allow: false, access: "rwm" }, { allow: true, type: "c", major: 1, minor: 3, access: "rw" }] }
	| .hooks = { createRuntime: [{ path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 9 }] }'

eval "usual_$(declare -f setup)"
setup()
{
	usual_setup
	mkfifo pipe
	ln -s loop loop
	cp -a "$ROOTFS" own
	ROOTFS=$BATS_TEST_TMPDIR/own
	bundle "$full"
	refused=0 wrong=0
}

# refused_all GROUP AT-LEAST - run every document of the group, or the day's third: of them all so many are refused at least
refused_all()
{
	[ "${DO_NOT_RUN:-0}" = 1 ] || nacelle run -b "$BUNDLE" "$ID"	# the one that is right
	jq -r --arg group "$1" --arg pipe "$BATS_TEST_TMPDIR/pipe" --arg loop "$BATS_TEST_TMPDIR/loop" \
		-f "$here/../data/hostile.jq" "$BUNDLE/config.json" | sampled >documents
	"$here/../../build/tools/refusals" "$NACELLE" "$STATE" "$DATA" "$BUNDLE" "$ID" "${ACCEPTED_TOO:-0}" <documents >judged
	sed '$d' judged
	read -r refused wrong < <(tail -n 1 judged)
	echo "$1: $refused refused, $wrong not as they should be" | tee -a "${ATTACK_TALLY:-/dev/null}"
	[ "$wrong" = 0 ]
	[ $((refused * $(sample_of))) -ge $(($2 - $(sample_of) + 1)) ]
	nothing_left
}

# survived_all GROUP - as above, for what may well be accepted: no crash, no hang, no mess
survived_all()
{
	ACCEPTED_TOO=1
	refused_all "$@"
}

# judge_refusal NAME PATH - run what lies in the bundle; count in $refused and $wrong
judge_refusal()
{
	local status=0 text
	text=$(LIMIT=10 nacelle run -b "$BUNDLE" "$ID" 2>&1 </dev/null) || status=$?
	if [ $status -ge 125 ] && [ $status -le 127 ]; then
		refusal_named "$text" "$2" || {
			echo "$1: no '$2' in: ${text:0:300}"
			wrong=$((wrong + 1))
		}
		refused=$((refused + 1))
	else
		echo "$1: status $status: ${text:0:300}"
		wrong=$((wrong + 1))
	fi
	[ ! -e "$STATE/$ID" ] || {
		echo "$1: state is left"
		nacelle delete --force "$ID"
		wrong=$((wrong + 1))
	}
}

# One line, no control characters, with the path, or file, line and column where it is no JSON at all.
refusal_named()
{
	[[ $1 != *[[:cntrl:]]* && -n $1 ]] && { [[ $1 == *"$2"* ]] || [[ $1 =~ config\.json:[0-9]+:[0-9]+ ]]; }
}

@test "every field with every type that it is not" {
	refused_all types 1000
}

@test "every limit of the cgroup with every type that it is not" {
	# not run as it is: natively there are no controllers for these
	bundle '. as $d | { major: 8, minor: 0 } as $disk | .linux.resources = {
		memory: { limit: 99999999, reservation: 1, swap: 99999999, swappiness: 1, disableOOMKiller: false, checkBeforeUpdate: true },
		cpu: { shares: 100, quota: 1000, burst: 1, period: 1000, cpus: "0", mems: "0", idle: 0 }, pids: { limit: 10 },
		blockIO: { weight: 10, weightDevice: [$disk + { weight: 10 }], throttleReadBpsDevice: [$disk + { rate: 1 }],
			throttleWriteIOPSDevice: [$disk + { rate: 1 }] },
		hugepageLimits: [{ pageSize: "2MB", limit: 1 }], rdma: { mlx: { hcaHandles: 1, hcaObjects: 1 } },
		unified: { "memory.high": "1" }, devices: [{ allow: true, type: "c", major: 1, minor: 3, access: "rw" }] }
		| .linux.timeOffsets = { monotonic: { secs: 1, nanosecs: 1 }, boottime: { secs: 1, nanosecs: 1 } }
		| .linux.namespaces += [{ type: "time" }, { type: "user" }]
		| .linux.uidMappings = [{ containerID: 0, hostID: 0, size: 65536 }] | .linux.gidMappings = .linux.uidMappings
		| { linux, ociVersion, process, root }'
	DO_NOT_RUN=1 refused_all types 700
}

@test "null as an element" {
	refused_all nulls 30
}

@test "documents that make no sense" {
	refused_all senses 110
}

@test "numbers at and beyond every edge" {
	survived_all numbers 60
}

@test "strings that are empty, huge, full of control characters, or lead up" {
	survived_all strings 150
}

# text NAME BYTES... - a file that is no document: printf's arguments
text()
{
	local name=$1
	shift
	# shellcheck disable=SC2059
	printf "$@" >"$BUNDLE/config.json"
	judge_refusal "$name" config.json
}

@test "bytes that are no document" {
	valid=$(jq -c . "$BUNDLE/config.json")
	text empty ''
	text blanks '  \n\t '
	text null null
	text array '[]'
	text string '"x"'
	text number 1
	text "empty object" '{}'
	text "trailing document" '%s{}' "$valid"
	text "trailing comma" '%s' "${valid%?},}"
	text "trailing NUL" '%s\0' "$valid"
	text "cut short" '%s' "${valid:0:200}"
	text "cut by one" '%s' "${valid%?}"
	text "NUL in a string" '%s' "${valid/\"pod\"/\"p\\u0000d\"}"
	text "NUL in a key" '%s' "${valid/\"hostname\"/\"host\\u0000name\"}"
	text "a raw NUL" '{ "a": "\0" }'
	text "a raw control character" '{ "a": "\001" }'
	text "half a surrogate" '{ "hostname": "\\ud800" }'
	text "not UTF-8" '{ "hostname": "\377\376" }'
	text "overlong UTF-8" '{ "hostname": "\300\257" }'
	text "a byte order mark" '\357\273\277%s' "$valid"
	text "UTF-16" '{\0}\0'
	text "a comment" '/* x */ %s' "$valid"
	text "a key twice" '%s' "${valid/\"hostname\"/\"hostname\":\"a\",\"hostname\"}"
	text "a key twice, deep" '%s' "${valid/\"terminal\"/\"cwd\":\"\/\",\"terminal\"}"
	text "a key twice, by escape" '%s' "${valid/\"hostname\"/\"host\\u006eame\":\"a\",\"hostname\"}"
	text "single quotes" "{ 'a': 1 }"
	text "a bare word" '{ a: 1 }'
	text "NaN" '{ "a": NaN }'
	text "hexadecimal" '{ "a": 0x10 }'
	text "a leading zero" '{ "a": 01 }'
	text "a plus" '{ "a": +1 }'
	text "a huge number" '{ "a": 1%0400d }' 0
	text "a huge exponent" '{ "a": 1e99999 }'
	text "a huge integer" '{ "a": 99999999999999999999999999 }'
	text "deep arrays" '{ "a": %s }' "$(printf '[%.0s' {1..500})$(printf ']%.0s' {1..500})"
	text "deep objects" '%s1%s' "$(printf '{"a":%.0s' {1..500})" "$(printf '}%.0s' {1..500})"
	text "deep and open" '%s' "$(printf '[%.0s' {1..100000})"
	{ printf '{ "a": "'; head -c 17825792 /dev/zero | tr '\0' x; printf '" }'; } >"$BUNDLE/config.json"
	judge_refusal "17 MiB" config.json
	truncate -s 64G "$BUNDLE/config.json" || truncate -s 1G "$BUNDLE/config.json"
	judge_refusal "a huge hole" config.json
	[ "$wrong" = 0 ]
	[ "$refused" -ge 39 ]
	nothing_left
}

@test "a config.json that is no regular file" {
	for kind in pipe folder null zero full loop gone socket tty; do
		rm -rf "$BUNDLE/config.json"
		case $kind in
		pipe) mkfifo "$BUNDLE/config.json" ;;
		folder) mkdir "$BUNDLE/config.json" ;;
		null | zero | full | tty) ln -s /dev/$kind "$BUNDLE/config.json" ;;
		loop) ln -s config.json "$BUNDLE/config.json" ;;
		gone) ln -s /no/such "$BUNDLE/config.json" ;;
		socket) mknod "$BUNDLE/config.json" c 1 5 ;;
		esac
		judge_refusal "$kind" config.json
	done
	echo "$refused refused, $wrong not as they should be"
	[ "$wrong" = 0 ]
	[ "$refused" = 9 ]
}
