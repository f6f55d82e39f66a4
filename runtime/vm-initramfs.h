/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-initramfs - the guest's first file system: the agent and the kernel's modules, packed once for both
 */

struct str_list;
struct vm_kernel;

enum { VM_INITRAMFS_MORE = 10 };

/*
 * vm_initramfs_open() - the archive, made when there is none yet
 * @more: names of further modules, at most VM_INITRAMFS_MORE
 * @cache: directory fd where it is kept, named after the kernel's release, the agent and @more
 * @agent: nacelle-guest, statically linked
 *
 * In it: /init, /modules with the modules' names in their order, the modules themselves in /lib, their signatures beside them
 * in NAME.sig.
 * Return: the archive's fd, or a recorded failure.
 */
int vm_initramfs_open(const struct vm_kernel *kernel, const struct str_list *more, int cache, int agent);
