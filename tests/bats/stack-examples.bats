#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2154 # output and lines are set by run
#
# The stacks of examples/ are brought up, asked, and taken down, as their README says.
load helpers
load vm-helpers
load network-helpers
load stack-helpers

# example FOLDER [FILE] - that example's stack, called after the test, with the test's root file system
example()
{
	STACK=$BATS_TEST_DIRNAME/../../examples/stacks/$1/${2:-stack.json}
	[ -e "$STACK" ] || STACK=$1/$2
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

# store_says COMMAND... - a real client of the store
store_says()
{
	nacelle exec "$S-store-1" redis-cli -a sesame --no-auth-warning "$@"
}
# heals PORT WHAT - pages come again, and the count went on
heals()
{
	before=$(visits)
	until_true "${WAIT:-20}" page "$1" /cgi-bin/visit 'visit [0-9]+, says' || { echo "not healed: $2"; return 1; }
	[ "$(visits)" -gt "$before" ]
}
# keeper_killed ID, payload_killed ID - that process of the container's
keeper_killed()
{
	kill -KILL "$(jq -r .keeperPid "$STATE/$1/state.json")"
}
payload_killed()
{
	kill -KILL "$(jq -r .pid "$STATE/$1/state.json")"
}
@test "shop: a web server, an application, a store; killed in every part it heals, and the data outlive it" {
	export STORE=$BATS_TEST_TMPDIR/store
	"$BATS_TEST_DIRNAME/../../examples/stacks/shop/make-store" "$STORE"
	example shop
	until_true 20 page 8082 /cgi-bin/visit 'visit [0-9]+, says'
	# the store is in a network of its own
	run ! nacelle exec "$S-web-1" nc -w 1 store 6379
	run -0 nacelle scale "$S" app=1
	is "remove $S-app-2 (one replica less)"
	store_says set kept yes
	for service in web app store; do
		payload_killed "$S-$service-1"
		heals 8082 "payload of $service"
	done
	keeper_killed "$S-web-1"
	heals 8082 "the page without a keeper"
	run -0 nacelle up --name "$S" "$STACK"
	has "start $S-web-1 (its keeper was killed)"
	heals 8082 "keeper of web"
	keeper_killed "$S-store-1"
	payload_killed "$S-store-1"
	run -0 nacelle up --name "$S" "$STACK"
	has "start $S-store-1 ("
	heals 8082 "keeper and payload of the store"
	for bridge in $(host ip -br link show type bridge | cut -d' ' -f1); do host ip link del "$bridge"; done
	host nft flush ruleset
	run -0 nacelle up --dry-run --name "$S" "$STACK"
	[ "${#lines[@]}" = 2 ]
	run -0 nacelle up --name "$S" "$STACK"
	has "mend network ${S}_front (its bridge or its rules were taken away)"
	heals 8082 "bridges and rules"
	[ "$(store_says get kept)" = yes ]
	run -0 nacelle up --name "$S" "$STACK"
	is ""
	nacelle down "$S"
	example shop
	heals 8082 "all of it"
	[ "$(store_says get kept)" = yes ]
	nacelle down --volumes "$S"
	not nacelle volume inspect "${S}_data"
	nacelle network ls --quiet | not grep "$S"
}

# bats test_tags=lab, vm, full
@test "shop with the application in a virtual machine: killed in every part it heals, and the data are there" {
	vm_setup
	export STORE=$BATS_TEST_TMPDIR/store WAIT=200 LIMIT=400
	"$BATS_TEST_DIRNAME/../../examples/stacks/shop/make-store" "$STORE"
	# as it is, but for the time that a machine in an emulated machine takes
	cp -r "$BATS_TEST_DIRNAME/../../examples/stacks/shop" shop
	jq '.services[].health? |= (if . then . + { start_period: "300s", timeout: "100s" } else empty end)' \
		"$BATS_TEST_DIRNAME/../../examples/stacks/shop/vm.json" >shop/vm.json
	example "$PWD/shop" vm.json || {
		nacelle state "$S-app-1"
		nacelle logs "$S-app-1"
		false
	}
	until_true 100 page 8083 /cgi-bin/visit 'visit [0-9]+, says'
	# one kernel is the host's, the other the machine's own
	[ "$(nacelle exec "$S-app-1" cat /proc/sys/kernel/random/boot_id)" != "$(cat /proc/sys/kernel/random/boot_id)" ]
	store_says set kept yes
	nacelle exec "$S-app-1" sh -c 'kill -KILL $(pidof httpd)' || :
	heals 8083 "the payload in the machine"
	payload_killed "$S-app-1"
	heals 8083 "its attendant"
	monitor_killed
	heals 8083 "its monitor"
	for bridge in $(host ip -br link show type bridge | cut -d' ' -f1); do host ip link del "$bridge"; done
	nacelle up --name "$S" "$STACK"
	heals 8083 "bridges"
	keeper_killed "$S-app-1"
	nacelle up --name "$S" "$STACK"
	heals 8083 "its keeper"
	[ "$(store_says get kept)" = yes ]
	nacelle down --volumes "$S"
	until_true 10 not pgrep nacelle-vmm
}
# the attendant's second process, which is all of the machine
monitor_killed()
{
	kill -KILL "$(pgrep -f -P "$(jq -r .pid "$STATE/$S-app-1/state.json")" .)"
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
