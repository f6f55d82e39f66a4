/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stats - what the monitor counts, in a page that it shares with whoever started it
 *
 * The reader maps the same memfd: no call, no thread of the monitor, and nothing the guest could
 * delay is between a reader and the numbers. Fields are written by one thread each.
 */

#include <stdint.h>

enum vm_exit {
	VM_EXIT_IO_IN,
	VM_EXIT_IO_OUT,
	VM_EXIT_MMIO_READ,
	VM_EXIT_MMIO_WRITE,
	VM_EXIT_HLT,
	VM_EXIT_INTERRUPTED, /* a signal of ours, or one that was pending */
	VM_EXIT_END, /* the guest stopped, or cannot go on */
	VM_EXIT_OTHER,
	VM_EXIT_KINDS,
};

/* Why a machine is no more. The order is kept: the numbers are shared between builds. */
enum vm_end_reason {
	VM_END_NONE, /* it runs */
	VM_END_POWEROFF, /* the guest switched itself off */
	VM_END_RESET, /* the guest asked for a reset */
	VM_END_TRIPLE_FAULT, /* the guest's processor gave up; also how some kernels reboot */
	VM_END_HALTED, /* hlt without anything that could wake the processor */
	VM_END_KVM, /* KVM cannot go on with the guest */
	VM_END_MONITOR, /* a failure of the monitor itself */
	VM_END_ASKED, /* somebody outside asked */
	VM_END_HYPERVISOR, /* another hypervisor's process failed */
	VM_END_TEMPLATE, /* it stands still to be copied */
	VM_END_REASONS,
};

/* struct vm_kvm_stats - what KVM counts, of all processors */
struct vm_kvm_stats {
	uint64_t exits; /* all of them, those to user space too */
	uint64_t faults; /* second-level page faults (pf_fixed) */
	uint64_t interrupts; /* of the exits those for an interrupt of the host's (irq_exits): so many a second */
};

struct vm_stats {
	uint64_t exits[VM_EXIT_KINDS]; /* exits to user space, all vcpus */
	uint64_t unclaimed; /* accesses to ports and addresses where nothing is */
	uint64_t refused; /* writes to device registers that came out of order */
	uint64_t broken; /* queues given up because the guest broke their rules */
	uint64_t lost; /* packets of the guest's that the host did not take */
	uint64_t returned; /* bytes of its memory that the guest said it has no use for */
	struct vm_kvm_stats kvm; /* read when somebody asks, and when the machine ends */
	uint32_t end; /* enum vm_end_reason */
	uint32_t said_hello; /* 1: the following are known */
	uint32_t other, unused; /* other is 1: the machine is another hypervisor's, who counts no exits and faults here */
	uint64_t hello_us; /* from the machine's making to the agent's first word */
	uint64_t hello_exits; /* until then */
	struct vm_kvm_stats hello_kvm;
};

/* vm_exit_name() - a word for it, as in JSON. @exit: below VM_EXIT_KINDS */
const char *vm_exit_name(enum vm_exit exit);

/* vm_end_text() - the reason in words, never NULL. */
const char *vm_end_text(uint32_t reason);
