/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * x86-state - all that KVM knows of a machine that stands still, taken out and put into another one
 *
 * The structs are KVM's own: they are good for this host's kernel and processor, which whoever keeps them
 * has to make sure of. They come back from a file, and KVM judges what it is given.
 */

#include <linux/kvm.h>
#include <stdint.h>

struct vcpu;
struct vm;

enum { X86_MSRS_MAX = 384, X86_CHIPS = 3 };

struct x86_vcpu_state {
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	uint32_t msr_count, reserved;
	struct kvm_msr_entry msrs[X86_MSRS_MAX];
};

struct x86_vm_state {
	struct kvm_irqchip chips[X86_CHIPS];
	struct kvm_clock_data clock;
};

/*
 * x86_vcpu_save() - a processor whose thread is gone; what it was doing at a device is brought to its end first
 *
 * Return: 0 or a recorded failure.
 */
int x86_vcpu_save(const struct vcpu *vcpu, struct x86_vcpu_state *ret);

/*
 * x86_vcpu_restore() - into a processor that never ran
 * @tsc: the time-stamp counter, the same for all processors, which KVM then keeps in step
 *
 * Its timer is not armed yet, but in @vcpu->deadline. Return: 0 or a recorded failure.
 */
int x86_vcpu_restore(struct vcpu *vcpu, const struct x86_vcpu_state *state, uint64_t tsc);

/* x86_timer_arm() - if it has a deadline, which is none then. Return: 0 or a recorded failure. */
int x86_timer_arm(struct vcpu *vcpu);

/* x86_state_tsc() - the time-stamp counter of a saved processor, 0: it has none. */
uint64_t x86_state_tsc(const struct x86_vcpu_state *state);

/* x86_vm_save(), x86_vm_restore() - interrupt controllers and clock; to restore before processors. Return: 0 or a recorded failure. */
int x86_vm_save(const struct vm *vm, struct x86_vm_state *ret);
int x86_vm_restore(const struct vm *vm, const struct x86_vm_state *state);
