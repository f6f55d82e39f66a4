#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Terminals of virtual machines: the same things are seen at them as at a container's (terminal.bats).
load helpers
load vm-helpers
export SHELL=/bin/sh

# at_terminal COMMAND - run it at a terminal of 24 rows and 80 columns, input from our standard input
at_terminal()
{
	script -qefc "stty rows 24 cols 80; $1" /dev/null
}

# keys_when TEXT KEYS - write them once the file `seen` holds the text
keys_when()
{
	for ((n = 0; n < 600; n++)); do
		! grep -qs "$1" seen || break
		sleep 0.1
	done
	printf %b "$2"
	sleep 1
}

command_line="timeout --foreground -k 5 50 $NACELLE --root \$STATE --data \$DATA"

# bats test_tags=lab, vm
@test "with -t a virtual machine says at a terminal what a container says" {
	export STATE DATA BUNDLE ID
	vm_setup
	script='tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; stty -a; ls /dev/pts
		echo x >/dev/tty; cut -d" " -f 6,7 /proc/self/stat; echo e >&2; exit 3'
	payload "$script" '.process.terminal = true'
	run -3 at_terminal "$command_line run -t -b \$BUNDLE \$ID"
	container=$output
	payload "$script" '.process.terminal = true | .vm = {}'
	run -3 at_terminal "stty -g >before; $command_line run -t -b \$BUNDLE \$ID; s=\$?; stty -g >after; exit \$s"
	# what `script` types at the end of its input is echoed by whoever has the terminal then
	diff <(echo "${container//^@/}") <(echo "${output//^@/}")
	has "24 80"
	cmp before after
}

# bats test_tags=lab, vm, full
@test "keys reach a virtual machine's process, ^C as a signal, and so does a change of the size" {
	export STATE DATA BUNDLE ID command_line
	export -f keys_when
	vm_setup
	payload 'trap "echo stopped; exit 6" INT; trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done' \
		'.process.terminal = true | .vm = {}'
	# the front's own terminal changes, behind its back
	run -6 bash -o pipefail -c '{ keys_when ready ""; stty -F "$(cat tty)" rows 50 cols 132; keys_when "50 132" "\003"; } |
		script -qefc "tty >tty; '"$command_line"' run -t -b \$BUNDLE \$ID" /dev/null | tee seen'
	has "50 132"
	has stopped
}

# bats test_tags=lab, vm, full
@test "exec -t in a virtual machine has a terminal of its own" {
	export STATE DATA ID
	vm_detach 'echo ready; sleep 1000'
	until_true 200 log_has ready
	run -5 at_terminal "$command_line exec -t $ID sh -c 'tty; stty size; read line; echo got \$line; exit 5'" <<<hello
	has /dev/pts/0
	run -0 at_terminal "$command_line exec -t $ID sh -c 'sleep 0.5; stty size'"
	has "24 80"
	run -0 nacelle exec "$ID" sh -c 'tty || echo none'
	has none
}

# bats test_tags=lab, vm, full
@test "a virtual machine is left by the keys and lives on, and a terminal that is closed is told" {
	export STATE DATA BUNDLE ID command_line
	export -f keys_when
	keeps
	vm_setup
	payload 'trap "echo hung >/dev/pts/0; exit 9" HUP; echo ready; while :; do sleep 0.1; echo tick; done' \
		'.process.terminal = true | .vm = {}'
	run -0 bash -o pipefail -c 'keys_when ready "\020\021" |
		script -qefc "'"$command_line"' run -t -b \$BUNDLE \$ID" /dev/null | tee seen'
	status_is running
	until_true 20 log_has tick
	run -0 nacelle exec "$ID" echo there
	is there
	nacelle kill "$ID" HUP
	run -9 nacelle wait "$ID"
}

# bats test_tags=lab, vm, full
@test "the console socket of a virtual machine gets its terminal before it is started" {
	keeps
	vm_setup
	payload 'stty size; read line; echo "got $line"; exit 4' \
		'.process.terminal = true | .process.consoleSize = { height: 30, width: 90 } | .vm = {}'
	"$BATS_TEST_DIRNAME/../../build/tools/console-socket" "$BATS_TEST_TMPDIR/sock" said &
	until_true 10 test -S sock
	nacelle create -b "$BUNDLE" --console-socket "$BATS_TEST_TMPDIR/sock" "$ID"
	status_is created
	nacelle start "$ID"
	until_true 200 grep -q "got typed" said
	grep -q "30 90" said
	until_true 20 dead "$(init_pid)"
}
