/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * boot - a kernel, its command line and its first file system into guest memory
 */

#include <stdint.h>

#include "runtime/kvm/config.h"

struct vm;
struct x86_entry;

/* Fixed places in low memory. */
#define BOOT_PARAMS   0x7000ULL /* boot_params, or hvm_start_info */
#define BOOT_MODULES  0x7f00ULL /* hvm_modlist_entry */
#define BOOT_MAP      0x8000ULL /* PVH's memory map */
#define BOOT_SEED     0x10000ULL /* setup_data with random bytes */
#define BOOT_CMDLINE  0x20000ULL
#define BOOT_LOW_END  0x9fc00ULL /* where usable low memory ends */
#define BOOT_HIGH_MEM 0x100000ULL

/*
 * boot_load() - everything that is in memory before the first instruction
 * @config: kernel_fd, initrd_fd, cmdline, boot_kind
 * @rsdp: address of the ACPI root pointer
 *
 * The image is an ELF file for x86-64 whose segments lie at 1 MiB or above; it is the operator's, but
 * it is not believed. Return: 0 with @ret_entry filled, or a recorded failure.
 */
int boot_load(struct vm *vm, const struct vm_config *config, uint64_t rsdp,
	      struct x86_entry *ret_entry);
