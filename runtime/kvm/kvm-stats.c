/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM_GET_STATS_FD (Linux 5.14): a file that begins with a header, then describes each number by
 * name and place, then holds the numbers. Asking a vcpu for it waits until that leaves its guest, so
 * each is asked before it runs; reading the file waits for nobody. Source: Documentation/virt/kvm/api.rst, 4.133.
 */
#include "runtime/kvm/kvm-stats.h"

#include <linux/kvm.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/kvm/vcpu.h"

enum { NAME_MAX_SIZE = 64, DESCRIPTORS_MAX = 256 };

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static void one_read(int fd, struct vm_kvm_stats *stats)
{
	struct {
		struct kvm_stats_desc desc;
		char name[NAME_MAX_SIZE];
	} each;
	struct kvm_stats_header header;
	uint64_t *const wanted[] = { &stats->exits, &stats->faults, &stats->interrupts };
	static const char *const names[] = { "exits", "pf_fixed", "irq_exits" };

	if (!read_at(fd, &header, sizeof(header), 0) || header.name_size > NAME_MAX_SIZE)
		return;
	for (uint32_t i = 0; i < header.num_desc && i < DESCRIPTORS_MAX; i++) {
		size_t size = sizeof(each.desc) + header.name_size;
		uint64_t value;

		if (!read_at(fd, &each, size, header.desc_offset + i * size))
			return;
		each.name[NAME_MAX_SIZE - 1] = '\0';
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			if (strcmp(each.name, names[k]) == 0 &&
			    read_at(fd, &value, sizeof(value),
				    header.data_offset + each.desc.offset))
				*wanted[k] += value;
	}
}

void kvm_stats_read(const struct vcpu *vcpus, unsigned int count, struct vm_kvm_stats *ret)
{
	struct vm_kvm_stats now = { .exits = 0 };

	for (unsigned int i = 0; i < count; i++) {
		if (vcpus[i].stats_fd >= 0)
			one_read(vcpus[i].stats_fd, &now);
	}
	*ret = now; /* which others read meanwhile */
}
