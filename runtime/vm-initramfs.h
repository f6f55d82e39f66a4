/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-initramfs - the guest's first file system: the agent and the kernel's modules, packed once for both
 */

struct vm_kernel;

/*
 * vm_initramfs_open() - the archive, made when there is none yet
 * @cache: directory fd where it is kept, named after the kernel's release and the agent
 * @agent: nacelle-guest, statically linked
 *
 * In it: /init, /modules with the modules' names in their order, the modules themselves in /lib.
 * Return: the archive's fd, or a recorded failure.
 */
int vm_initramfs_open(const struct vm_kernel *kernel, int cache, int agent);
