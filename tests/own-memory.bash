# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What tests of a keeper's memory share.

# own_memory PID - KiB that are a keeper's own: what it shares with others comes and goes with them. While it makes the next start it
# is another program, if only for moments: the middle of several looks.
own_memory()
{
	local n=0 value
	while [ "$n" -lt 11 ]; do
		[ "$(cat "/proc/$1/comm")" = nacelle-keeper ] &&
			value=$(awk '/^Anonymous:/ { print $2 }' "/proc/$1/smaps_rollup") &&
			[ "$(cat "/proc/$1/comm")" = nacelle-keeper ] && n=$((n + 1)) && echo "$value"
		sleep 0.02
	done | sort -n | sed -n 6p
}
