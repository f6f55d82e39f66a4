/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kvm-stats - what KVM itself counted
 */

#include "runtime/kvm/stats.h"

struct vcpu;

/* kvm_stats_read() - sum over @count vcpus, into kvm_exits, kvm_faults and kvm_interrupts; a KVM that tells nothing leaves them 0. */
void kvm_stats_read(const struct vcpu *vcpus, unsigned int count, struct vm_stats *stats);
