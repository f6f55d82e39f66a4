/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm-kernel - the guest's kernel: found, unpacked once, its release known
 */

struct vm_kernel {
	int fd;		/* an ELF image */
	char *release;	/* "6.1.0-56-amd64"; NULL: it is no Linux */
	int modules;	/* directory of the release's modules; -1: it is no Linux */
};
#define VM_KERNEL_NONE { .fd = -1, .release = NULL, .modules = -1 }
void vm_kernel_done(struct vm_kernel *kernel);

/*
 * vm_kernel_open() - a kernel that can be booted
 * @path: an image (ELF or bzImage); NULL: /boot/vmlinuz- of the running release, else the newest there
 * @cache: directory fd, where unpacked images are kept
 *
 * Linux' modules are in /lib/modules/RELEASE, or in lib/modules/RELEASE beside the image. An ELF image that does not call
 * itself Linux is another kernel, which has neither.
 * Return: 0 or a recorded failure.
 */
int vm_kernel_open(const char *path, int cache, struct vm_kernel *ret_kernel);
