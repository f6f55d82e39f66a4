# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# bats notes where it is before every command, for the line of a failure, by a trap that costs several times what a command of
# the shell costs. The trap for errors finds that line when there is one, and its loops run at the shell's own speed.
trace_failures()
{
	trap - DEBUG
	# shellcheck disable=SC2034 # what bats' trap had noted so far
	BATS_DEBUG_LAST_STACK_TRACE=() BATS_DEBUG_LASTLAST_STACK_TRACE=() BATS_DEBUG_LAST_LINENO=()
	trap 'bats_error_trap; trace_note' ERR
}
trace_note()
{
	bats_capture_stack_trace
}
