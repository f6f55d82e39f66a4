/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * x86 - the state a processor of the guest starts in: cpuid, special registers, MSRs
 */

#include <stdint.h>

struct vm;

/* Fixed places in low memory; all are free for the kernel once it has its own tables. */
#define X86_GDT         0x0500ULL
#define X86_PAGE_TABLES 0x9000ULL /* 6 pages: 1 + 1 + 4, which map the first 4 GiB onto itself */
#define X86_STACK       0x8ff0ULL

enum x86_mode {
	X86_REAL, /* 16 bits, as after a reset, but at the address given */
	X86_PROTECTED, /* 32 bits, flat, no paging: what PVH asks for */
	X86_LONG, /* 64 bits, the first 4 GiB mapped onto itself */
};

/*
 * struct x86_entry - where the first processor starts, and with what
 * @rsi, @rbx: how the two boot protocols hand over their structures
 */
struct x86_entry {
	enum x86_mode mode;
	uint64_t rip, rsi, rbx;
};

/* x86_tables_write() - the GDT, and for X86_LONG the page tables, into guest memory. Return: 0 or a recorded failure. */
int x86_tables_write(const struct vm *vm, enum x86_mode mode);

/* x86_cpuid_set() - tell vcpu @index of @vcpus what it is. Return: 0 or a recorded failure. */
int x86_cpuid_set(const struct vm *vm, int vcpu_fd, unsigned int index, unsigned int vcpus);

/* x86_msrs_set() - MSRs that firmware would have set. Return: 0 or a recorded failure. */
int x86_msrs_set(int vcpu_fd);

/* x86_registers_set() - the state @entry describes. Return: 0 or a recorded failure. */
int x86_registers_set(int vcpu_fd, const struct x86_entry *entry);
