# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # output is set by bats' run; S and STACK are for the tests
#
# What the bats files about stacks load, after helpers: every stack is called after its test, and taken down at the end.

eval "$(declare -f setup | sed '1s/setup/setup_before_stack/')"
eval "$(declare -f teardown | sed '1s/teardown$/teardown_after_stack/;1s/teardown /teardown_after_stack /')"

setup()
{
	setup_before_stack || return
	S=${ID//_/-}
	STACK=$BATS_TEST_TMPDIR/stack.json
}

teardown()
{
	local status=0
	[ ! -e "$DATA/stacks/$S" ] || nacelle down --volumes --time 0 "$S" >/dev/null || status=1
	teardown_after_stack || status=1
	return $status
}

# stack_file JQ - the stack file; service(SCRIPT; {…}) is one with the test's root file system, without a network
stack_file()
{
	jq -n --arg rootfs "$ROOTFS" --arg s "$S" '
		def service(script; more): { layers: [$rootfs], args: ["sh", "-c", script], network: "none", stop_timeout: 0,
			update: { timeout: "20s", watch: "300ms" } } + more;
		{ name: $s } + ('"$1"')' >"$STACK"
}

# rootfs_share - a folder that services may share with the test: ./share
rootfs_share()
{
	mkdir -p share
	chmod 1777 share
}

# rolling VALUE - services of an update: web tells when it comes, and is healthy unless the test says that it is bad
rolling()
{
	echo '{ services: { web: service("case $V in two) echo $V $(hostname) >>/share/log; [ ! -e /share/bad-$${HOSTNAME##*-} ] || exec sleep 1000; ;; esac; echo ok >/tmp/ok; exec sleep 1000";
		{ replicas: 2, env: { V: "'"$1"'" }, volumes: ["./share:/share"], tmpfs: ["/tmp"],
		  health: { cmd: ["test", "-e", "/tmp/ok"], interval: "100ms", retries: 3 } }) } }'
}

# pids - of all containers of the stack
pids()
{
	nacelle ps --format json "$STACK" | jq -c '[.[].pid]'
}

state_of()
{
	[ "$(nacelle state "$1" | jq -r .status)" = "$2" ]
}

# no_run - no `nacelle run` of the test's is on its way
no_run()
{
	! pgrep -f -- "$STATE.* run --detach" >/dev/null
}
