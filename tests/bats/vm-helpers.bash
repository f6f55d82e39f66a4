# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # DATA is for the tests
# What tests with virtual machines share. The guest's kernel is the lab's.

# Kernels and archives are made once for all tests.
vm_setup()
{
	local release
	DATA=$BATS_FILE_TMPDIR/data
	release=$(uname -r)
	[ -e "/boot/vmlinuz-$release" ] || {
		mkdir -p /boot
		ln -s "$(readlink -f "/lib/modules/$release")/../../../image" "/boot/vmlinuz-$release"
	}
}

vm_detach()
{
	vm_setup
	detach "$1" ".vm = {} | ${2:-.}"
}
