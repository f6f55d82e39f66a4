/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order counts in both directions: asking for the MP state settles what is pending at the local
 * interrupt controller, so it comes first; the special registers hold that controller's base; and its timer's
 * deadline is an MSR that arms it, so that one is last, and has its own moment. Source: Documentation/virt/kvm/api.rst.
 */
#include "runtime/kvm/x86-state.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/vm.h"

enum {
	MSR_TSC = 0x10,
	MSR_TSC_DEADLINE = 0x6e0,
};

struct msr_one {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* An ioctl and the member it fills or takes. */
struct piece {
	unsigned long get, set;
	size_t offset;
	const char *name;
};

#define STATE(member) offsetof(struct x86_vcpu_state, member)

static const struct piece pieces[] = {
	{ KVM_GET_MP_STATE, KVM_SET_MP_STATE, STATE(mp), "MP state" },
	{ KVM_GET_REGS, KVM_SET_REGS, STATE(regs), "registers" },
	{ KVM_GET_SREGS, KVM_SET_SREGS, STATE(sregs), "special registers" },
	{ KVM_GET_XSAVE, KVM_SET_XSAVE, STATE(xsave), "extended state" },
	{ KVM_GET_XCRS, KVM_SET_XCRS, STATE(xcrs), "extended control registers" },
	{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, STATE(debug), "debug registers" },
	{ KVM_GET_LAPIC, KVM_SET_LAPIC, STATE(lapic), "local interrupt controller" },
};

/* The list of this KVM's MSRs. Return: NULL and a recorded failure. */
static struct kvm_msr_list *msr_list(const struct vm *vm)
{
	struct kvm_msr_list *list =
		calloc(1, sizeof(*list) + X86_MSRS_MAX * sizeof(list->indices[0]));

	if (!list) {
		(void)fail(ENOMEM, "list the processor's MSRs");
		return NULL;
	}
	list->nmsrs = X86_MSRS_MAX;
	if (ioctl(vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		(void)fail(errno, "KVM_GET_MSR_INDEX_LIST");
		free(list);
		return NULL;
	}
	return list;
}

/* Some that are listed belong to what this guest was not given: those cannot be read. */
static int msrs_save(const struct vcpu *vcpu, struct x86_vcpu_state *ret)
{
	cleanup_free struct kvm_msr_list *list = msr_list(vcpu->vm);

	if (!list)
		return -EIO;
	ret->msr_count = 0;
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		struct msr_one one = { .head = { .nmsrs = 1 }, .entry = { .index = list->indices[i] } };
		int n = ioctl(vcpu->fd, KVM_GET_MSRS, &one);

		if (n < 0)
			return fail(errno, "KVM_GET_MSRS");
		if (n == 1)
			ret->msrs[ret->msr_count++] = one.entry;
	}
	return 0;
}

int x86_vcpu_save(const struct vcpu *vcpu, struct x86_vcpu_state *ret)
{
	int r;

	memset(ret, 0, sizeof(*ret));
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0 && errno != EINTR)
		return fail(errno, "bring vcpu %u to a stop", vcpu->index);
	if (ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2) > (int)sizeof(ret->xsave))
		return fail_plain(ENOTSUP, "the extended state of this processor is too large");
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		if (ioctl(vcpu->fd, pieces[i].get, (uint8_t *)ret + pieces[i].offset) < 0)
			return fail(errno, "read the %s of vcpu %u", pieces[i].name, vcpu->index);
	r = msrs_save(vcpu, ret);
	if (r < 0)
		return r;
	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &ret->events) < 0)
		return fail(errno, "read the events of vcpu %u", vcpu->index);
	return 0;
}

static const struct kvm_msr_entry *msr_find(const struct x86_vcpu_state *state, uint32_t index)
{
	for (uint32_t i = 0; i < state->msr_count && i < X86_MSRS_MAX; i++)
		if (state->msrs[i].index == index)
			return &state->msrs[i];
	return NULL;
}

uint64_t x86_state_tsc(const struct x86_vcpu_state *state)
{
	const struct kvm_msr_entry *tsc = msr_find(state, MSR_TSC);

	return tsc ? tsc->data : 0;
}

/* One that cannot be written has to have that value anyway. */
static int msr_restore(const struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct msr_one one = { .head = { .nmsrs = 1 }, .entry = { .index = index, .data = value } };

	if (ioctl(vcpu->fd, KVM_SET_MSRS, &one) == 1)
		return 0;
	one.entry.data = ~value;
	if (ioctl(vcpu->fd, KVM_GET_MSRS, &one) == 1 && one.entry.data == value)
		return 0;
	return fail_plain(EINVAL, "KVM does not take MSR 0x%x", index);
}

/* All but the timer's. */
static int msrs_restore(const struct vcpu *vcpu, const struct x86_vcpu_state *state, uint64_t tsc)
{
	int r = 0;

	if (state->msr_count > X86_MSRS_MAX)
		return fail_plain(EINVAL, "%u MSRs", state->msr_count);
	if (tsc)
		r = msr_restore(vcpu, MSR_TSC, tsc);
	for (uint32_t i = 0; r == 0 && i < state->msr_count; i++) {
		const struct kvm_msr_entry *msr = &state->msrs[i];

		if (msr->index != MSR_TSC && msr->index != MSR_TSC_DEADLINE)
			r = msr_restore(vcpu, msr->index, msr->data);
	}
	return r;
}

/*
 * A timer that has run out while its interrupt was not yet delivered reads as no timer at all: let it run out
 * at once, which costs an interrupt that nobody misses.
 */
static uint64_t deadline_of(const struct x86_vcpu_state *state, uint64_t tsc)
{
	const struct kvm_msr_entry *deadline = msr_find(state, MSR_TSC_DEADLINE);

	if (!deadline)
		return 0;
	return deadline->data ? deadline->data : tsc;
}

int x86_timer_arm(struct vcpu *vcpu)
{
	uint64_t deadline = vcpu->deadline;

	vcpu->deadline = 0;
	return deadline ? msr_restore(vcpu, MSR_TSC_DEADLINE, deadline) : 0;
}

int x86_vcpu_restore(struct vcpu *vcpu, const struct x86_vcpu_state *state, uint64_t tsc)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		if (ioctl(vcpu->fd, pieces[i].set, (const uint8_t *)state + pieces[i].offset) < 0)
			return fail(errno, "set the %s of vcpu %u", pieces[i].name, vcpu->index);
	r = msrs_restore(vcpu, state, tsc);
	if (r < 0)
		return fail_in(r, "vcpu %u", vcpu->index);
	if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events) < 0)
		return fail(errno, "set the events of vcpu %u", vcpu->index);
	vcpu->deadline = deadline_of(state, tsc);
	return 0;
}

int x86_vm_save(const struct vm *vm, struct x86_vm_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < X86_CHIPS; i++) {
		ret->chips[i].chip_id = i;
		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &ret->chips[i]) < 0)
			return fail(errno, "KVM_GET_IRQCHIP");
	}
	if (ioctl(vm->fd, KVM_GET_CLOCK, &ret->clock) < 0)
		return fail(errno, "KVM_GET_CLOCK");
	return 0;
}

int x86_vm_restore(const struct vm *vm, const struct x86_vm_state *state)
{
	/* Its flags tell how it was read; what it was is all that counts. */
	struct kvm_clock_data clock = { .clock = state->clock.clock };

	for (uint32_t i = 0; i < X86_CHIPS; i++) {
		if (state->chips[i].chip_id != i)
			return fail_plain(EINVAL, "an interrupt controller %u", state->chips[i].chip_id);
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &state->chips[i]) < 0)
			return fail(errno, "KVM_SET_IRQCHIP");
	}
	if (ioctl(vm->fd, KVM_SET_CLOCK, &clock) < 0)
		return fail(errno, "KVM_SET_CLOCK");
	return 0;
}
