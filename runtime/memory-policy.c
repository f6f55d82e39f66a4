/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One system call, which the C library leaves to libnuma. Source: set_mempolicy(2).
 */
#include "runtime/memory-policy.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/spec.h"

int memory_policy_set(const struct spec_memory_policy *policy)
{
	const unsigned long *nodes = policy->nodes.set ? policy->nodes.bits : NULL;
	/* The kernel looks at one bit less than it is told. Source: get_nodes() in mm/mempolicy.c */
	unsigned long count = nodes ? SPEC_MASK_BITS + 1 : 0;

	if (!policy->set || syscall(SYS_set_mempolicy, policy->mode | (int)policy->flags, nodes, count) == 0)
		return 0;
	if (errno == ENOSYS)
		return fail(errno, "linux.memoryPolicy: this kernel knows no NUMA (CONFIG_NUMA)");
	if (errno == EINVAL)
		return fail(errno, "linux.memoryPolicy (are the nodes there, and in the container's cpuset, and "
			    "does this kernel know the mode?)");
	return fail(errno, "linux.memoryPolicy");
}
