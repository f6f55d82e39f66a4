/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware leaves behind on a real machine, reduced to what a kernel looks at. The guest's cpuid
 * is what KVM supports on this host, less what would only widen the way into it (nested
 * virtualisation, performance counters), with a topology of our own: every vcpu is a core of one
 * package. Sources: Intel SDM volumes 2 and 3; AMD APM volumes 2 and 3; Documentation/virt/kvm/api.rst.
 */
#include "runtime/kvm/x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/vm.h"

enum {
	CPUID_ENTRIES = 256,
	PAGE_SIZE_4K = 4096,
	SELECTOR_CODE = 0x10,
	SELECTOR_DATA = 0x18,
	SELECTOR_TSS = 0x20,
	/* segment types */
	TYPE_CODE = 11, /* execute, read, accessed */
	TYPE_DATA = 3, /* read, write, accessed */
	TYPE_TSS_BUSY = 11, /* what hardware asks for while a task runs */
};

#define CR0_PE   (1ULL << 0)
#define CR0_ET   (1ULL << 4)
#define CR0_PG   (1ULL << 31)
#define CR4_PAE  (1ULL << 5)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)

#define PAGE_PRESENT_WRITE 0x3ULL
#define PAGE_LARGE         0x80ULL

#define MSR_MISC_ENABLE   0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff

/* A segment descriptor as the GDT holds it. @flags: G, D/B, L, AVL in bits 12-15; P, DPL, S, type below. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint16_t flags)
{
	return (uint64_t)(base & 0xff000000) << 32 | (uint64_t)flags << 40 |
	       (uint64_t)(limit & 0xf0000) << 32 | (uint64_t)(base & 0xffffff) << 16 |
	       (limit & 0xffff);
}

int x86_tables_write(const struct vm *vm, enum x86_mode mode)
{
	uint64_t *gdt = vm_guest(vm, X86_GDT, 6 * sizeof(*gdt), VM_WRITE);
	uint64_t *tables = vm_guest(vm, X86_PAGE_TABLES, 6ULL * PAGE_SIZE_4K, VM_WRITE);

	if (!gdt || !tables)
		return fail_plain(EFAULT, "the guest has too little memory for its tables");
	gdt[SELECTOR_CODE / 8] = descriptor(0, 0xfffff, mode == X86_LONG ? 0xa09b : 0xc09b);
	gdt[SELECTOR_DATA / 8] = descriptor(0, 0xfffff, 0xc093);
	gdt[SELECTOR_TSS / 8] = descriptor(0, 0xffff, 0x008b);
	if (mode != X86_LONG)
		return 0;
	tables[0] = (X86_PAGE_TABLES + PAGE_SIZE_4K) | PAGE_PRESENT_WRITE;
	for (uint64_t i = 0; i < 4; i++)
		tables[512 + i] = (X86_PAGE_TABLES + (2 + i) * PAGE_SIZE_4K) | PAGE_PRESENT_WRITE;
	for (uint64_t i = 0; i < 4 * 512ULL; i++)
		tables[1024 + i] = i << 21 | PAGE_PRESENT_WRITE | PAGE_LARGE;
	return 0;
}

/* The smallest number of bits that tells @vcpus processors apart. */
static unsigned int id_bits(unsigned int vcpus)
{
	unsigned int bits = 0;

	while ((1U << bits) < vcpus)
		bits++;
	return bits;
}

/* Leaves 0xb and 0x1f: level 0 is the thread, level 1 the core; all beyond is empty. */
static void cpuid_topology(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int vcpus)
{
	e->eax = e->index == 1 ? id_bits(vcpus) : 0;
	e->ebx = e->index == 0 ? 1 : e->index == 1 ? vcpus : 0;
	e->ecx = e->index | (e->index < 2 ? (e->index + 1) << 8 : 0);
	e->edx = index;
}

static void cpuid_patch(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int vcpus,
			bool deadline)
{
	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xff00) | index << 24 | vcpus << 16 | (e->ebx & 0xff);
		e->edx = (e->edx & ~(1U << 28)) | (vcpus > 1 ? 1U << 28 : 0); /* HTT */
		e->ecx &= ~(1U << 5 | 1U << 15); /* VMX, PDCM */
		e->ecx |= 1U << 31 | (deadline ? 1U << 24 : 0);
		break;
	case 4: /* no cache is shared with anybody, but the last level with all */
		e->eax &= ~0xfc000000U & ~0x03ffc000U;
		e->eax |= (vcpus - 1) << 26;
		if (((e->eax >> 5) & 7) == 3)
			e->eax |= (vcpus - 1) << 14;
		break;
	case 0xa: /* no performance counters */ e->eax = e->ebx = e->ecx = e->edx = 0; break;
	case 0xb:
	case 0x1f: cpuid_topology(e, index, vcpus); break;
	case 0x80000001:
		e->ecx &= ~(1U << 2 | 1U << 23 | 1U << 24 | 1U << 28);
		break; /* SVM, counters */
	case 0x80000008: e->ecx = vcpus > 1 ? id_bits(vcpus) << 12 | (vcpus - 1) : 0; break;
	case 0x8000000a: e->eax = e->ebx = e->ecx = e->edx = 0; break; /* SVM's features */
	case 0x8000001e:
		e->eax = index;
		e->ebx = index;
		e->ecx = 0;
		break;
	default: break;
	}
}

int x86_cpuid_set(const struct vm *vm, int vcpu_fd, unsigned int index, unsigned int vcpus)
{
	bool deadline = ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	cleanup_free struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return fail(ENOMEM, "read the processor's features");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		/* cppcheck-suppress memleak ; its cleanup attribute */
		return fail(errno, "KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < cpuid->nent; i++)
		cpuid_patch(&cpuid->entries[i], index, vcpus, deadline);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
		return fail(errno, "KVM_SET_CPUID2");
	return 0;
}

/*
 * KVM gives a processor 32 banks of machine check registers unless it is told otherwise. A guest sets up and clears each of
 * them: four exits a bank, and nothing will ever be reported there. One is the least that KVM takes. Source: kvm's
 * kvm_vcpu_ioctl_x86_setup_mce().
 */
static int banks_reduce(int vcpu_fd)
{
	uint64_t banks = 1;

	return ioctl(vcpu_fd, KVM_X86_SETUP_MCE, &banks) < 0 ? fail(errno, "KVM_X86_SETUP_MCE") : 0;
}

int x86_msrs_set(int vcpu_fd)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = {
		.head = { .nmsrs = 2 },
		.entries = {
			{ .index = MSR_MISC_ENABLE, .data = 1 }, /* fast string operations */
			{ .index = MSR_MTRR_DEF_TYPE, .data = 1 << 11 | 6 }, /* on, write-back */
		},
	};
	int n, r = banks_reduce(vcpu_fd);

	if (r < 0)
		return r;
	n = ioctl(vcpu_fd, KVM_SET_MSRS, &msrs);
	if (n < 0)
		return fail(errno, "KVM_SET_MSRS");
	if (n != (int)msrs.head.nmsrs)
		return fail_plain(EINVAL, "KVM_SET_MSRS: KVM does not know MSR 0x%x",
				  msrs.entries[n].index);
	return 0;
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, enum x86_mode mode)
{
	bool code = type == TYPE_CODE;

	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !(code && mode == X86_LONG),
		.l = code && mode == X86_LONG,
	};
}

static void sregs_flat(struct kvm_sregs *sregs, enum x86_mode mode)
{
	struct kvm_segment data = segment(SELECTOR_DATA, TYPE_DATA, mode);

	sregs->cs = segment(SELECTOR_CODE, TYPE_CODE, mode);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){
		.limit = 0xffff,
		.selector = SELECTOR_TSS,
		.type = TYPE_TSS_BUSY,
		.present = 1,
	};
	sregs->gdt = (struct kvm_dtable){ .base = X86_GDT, .limit = 6 * 8 - 1 };
	sregs->idt = (struct kvm_dtable){ .base = 0, .limit = 0 };
	sregs->cr0 = CR0_PE | CR0_ET;
	if (mode == X86_LONG) {
		sregs->cr0 |= CR0_PG;
		sregs->cr4 = CR4_PAE;
		sregs->cr3 = X86_PAGE_TABLES;
		sregs->efer = EFER_LME | EFER_LMA;
	}
}

int x86_registers_set(int vcpu_fd, const struct x86_entry *entry)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsi = entry->rsi,
		.rbx = entry->rbx,
		.rsp = X86_STACK,
		.rbp = X86_STACK,
		.rflags = 2,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
		return fail(errno, "KVM_GET_SREGS");
	if (entry->mode == X86_REAL) {
		sregs.cs.selector = 0;
		sregs.cs.base = 0;
	} else {
		sregs_flat(&sregs, entry->mode);
	}
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &sregs) < 0)
		return fail(errno, "KVM_SET_SREGS");
	if (ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return fail(errno, "KVM_SET_REGS");
	return 0;
}
