# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # DATA is for the tests
# What tests with virtual machines share. The guest's kernel is the lab's.

# Kernels and archives are made once for all tests.
vm_setup()
{
	DATA=$BATS_FILE_TMPDIR/data
}

vm_detach()
{
	vm_setup
	detach "$1" ".vm = {} | ${2:-.}"
}

# vm_at_once N SECONDS COMMAND... - the payload of the bundle, which says something nobody else says, waits for a line and ends with 5:
# N machines of it at once; when all of them wait, each within so many seconds, the command has its say
vm_at_once()
{
	local n pids=() status hold
	mkfifo go
	for ((n = 0; n < $1; n++)); do
		LIMIT=590 nacelle run -i -b "$BUNDLE" "$ID-$n" <go >"out-$n" &
		pids+=($!)
	done
	exec {hold}>go
	for ((n = 0; n < $1; n++)); do
		until_true "$2" grep -q . "out-$n"
	done
	[ "$(cat out-* | sort -u | wc -l)" = "$1" ]
	"${@:3}"
	exec {hold}>&-
	for ((n = 0; n < $1; n++)); do
		status=0; wait "${pids[n]}" || status=$?; [ "$status" = 5 ]
	done
	not pgrep -f nacelle-vmm
}
