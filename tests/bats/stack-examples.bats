#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # output and lines are set by run
#
# The stacks of examples/ are brought up, asked, and taken down, as their README says.
load helpers
load network-helpers
load stack-helpers

# example NAME - that folder's stack, called after the test, with the test's root file system
example()
{
	STACK=$BATS_TEST_DIRNAME/../../examples/stacks/$1/stack.json
	export ROOTFS
	keeps
	nacelle up --name "$S" "$STACK"
}

# page PORT PATH TEXT - what the host sees there has it; it is left in ./page
page()
{
	host timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && cat <&3' "$1" "$2" >page
	grep -qE "$3" page
}
visits()
{
	sed -n 's/^visit \([0-9]*\), says.*/\1/p' page
}

@test "site: a static web site" {
	PORT=8081 example site
	until_true 10 page 8081 / 'hello from a stack'
	PORT=8081 run -0 nacelle up --wait --name "$S" "$STACK"
	lacks replace
}

@test "shop: a web server, an application, a store whose data outlive it" {
	export STORE=$BATS_TEST_TMPDIR/store
	run -0 "$BATS_TEST_DIRNAME/../../examples/stacks/shop/make-store" "$STORE"
	example shop
	until_true 20 page 8082 /cgi-bin/visit 'visit [0-9]+, says'
	before=$(visits)
	run -0 nacelle scale "$S" app=1
	is "remove $S-app-2 (one replica less)"
	nacelle down "$S"
	example shop
	until_true 20 page 8082 /cgi-bin/visit 'visit [0-9]+, says'
	[ "$(visits)" -gt "$before" ]
	# the store is in a network of its own
	run ! nacelle exec "$S-web-1" nc -w 1 store 6379
}

@test "job: one that comes to its end, one that waits for it, one that is asked for" {
	example job >said
	grep -qx "wait for prepare" said
	ID=$S-use-1 says 'the sum is 5050'
	run -0 nacelle up --name "$S" "$STACK"
	is ""
	nacelle up --name "$S" "$STACK" clean
	run -0 nacelle wait "$S" clean
	is "$S-clean-1 0"
}
