/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kvm-stats - what KVM itself counted
 */

#include "runtime/kvm/stats.h"

struct vcpu;

/* kvm_stats_read() - sum over @count vcpus; 0 of a KVM that tells nothing */
void kvm_stats_read(const struct vcpu *vcpus, unsigned int count, struct vm_kvm_stats *ret);
