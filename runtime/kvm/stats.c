/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words for the numbers, for those who show them.
 */
#include "runtime/kvm/stats.h"

static const char *const exit_names[VM_EXIT_KINDS] = {
	[VM_EXIT_IO_IN] = "io_in",
	[VM_EXIT_IO_OUT] = "io_out",
	[VM_EXIT_MMIO_READ] = "mmio_read",
	[VM_EXIT_MMIO_WRITE] = "mmio_write",
	[VM_EXIT_HLT] = "hlt",
	[VM_EXIT_INTERRUPTED] = "interrupted",
	[VM_EXIT_END] = "end",
	[VM_EXIT_OTHER] = "other",
};

static const char *const end_texts[VM_END_REASONS] = {
	[VM_END_NONE] = "it runs",
	[VM_END_POWEROFF] = "the guest switched itself off",
	[VM_END_RESET] = "the guest asked for a reset",
	[VM_END_TRIPLE_FAULT] = "the guest's processor gave up (triple fault)",
	[VM_END_HALTED] = "the guest halted for good",
	[VM_END_KVM] = "KVM cannot go on with the guest",
	[VM_END_MONITOR] = "the monitor failed",
	[VM_END_HYPERVISOR] = "the hypervisor failed",
	[VM_END_ASKED] = "it was asked to end",
	[VM_END_TEMPLATE] = "it became a template",
};

const char *vm_exit_name(enum vm_exit exit)
{
	return exit_names[exit];
}

const char *vm_end_text(uint32_t reason)
{
	return reason < VM_END_REASONS ? end_texts[reason] : "unknown reason";
}
