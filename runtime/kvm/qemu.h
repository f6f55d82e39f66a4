/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * qemu - the same machine with QEMU in the place of our own monitor
 *
 * QEMU's "microvm" has the processors, the memory and the register pages; the devices through which
 * a guest reaches the host (streams, files, disks) stay ours, by vhost-user. It runs without KVM as well.
 */

#include "runtime/base/str.h"
#include "runtime/kvm/config.h"

enum {
	QEMU_KERNEL_FD = 3,
	QEMU_INITRD_FD = 4,
	QEMU_DEVICE_FD = 5, /* that of the device in slot n is n more */
};

/*
 * qemu_command() - its command line, the program first
 * @config: checked, with a hypervisor
 * @ret: added to; str_list_done() is the caller's in either case
 *
 * Return: 0 or a recorded failure: there is a device that QEMU's machine cannot have.
 */
int qemu_command(const struct vm_config *config, struct str_list *ret);

/* qemu_serves() - whether a device of this kind stays ours. */
bool qemu_serves(uint32_t kind);

/* qemu_run() - as vmm_run(), for a configuration with a hypervisor. */
int qemu_run(const struct vm_config *config, enum vm_end_reason *ret_end);
