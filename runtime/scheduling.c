/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three system calls, for two of which the C library has no function. All they set is inherited by execve.
 * Source: sched_setattr(2), ioprio_set(2), sched_setaffinity(2).
 */
#include "runtime/scheduling.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/spec.h"

static int scheduler_set(pid_t pid, const struct spec_scheduler *want)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = (unsigned int)want->policy,
		.sched_flags = want->flags,
		.sched_nice = (int)want->nice,
		.sched_priority = (unsigned int)want->priority,
		.sched_runtime = want->runtime,
		.sched_deadline = want->deadline,
		.sched_period = want->period,
	};

	if (syscall(SYS_sched_setattr, pid, &attr, 0) == 0)
		return 0;
	if (errno == EPERM)
		return fail(errno, "process.scheduler: set the policy (needs CAP_SYS_NICE on the host, and where the "
			    "kernel groups real-time processes a share of their time for the cgroup)");
	if (errno == EBUSY)
		return fail(errno, "process.scheduler: set the policy (the CPUs have no time left for another "
			    "SCHED_DEADLINE)");
	return fail(errno, "process.scheduler: set the policy");
}

static int io_priority_set(pid_t pid, const struct spec_io_priority *want)
{
	/* The idle class has no levels: the kernel refuses any but 0. */
	int level = want->io_class == IOPRIO_CLASS_IDLE ? 0 : (int)want->priority;

	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_PRIO_VALUE(want->io_class, level)) == 0)
		return 0;
	if (errno == EPERM)
		return fail(errno, "process.ioPriority: set it (IOPRIO_CLASS_RT needs CAP_SYS_NICE on the host)");
	return fail(errno, "process.ioPriority: set it");
}

int scheduling_set(pid_t pid, const struct spec_process *process)
{
	int r = 0;

	if (process->io_priority.set)
		r = io_priority_set(pid, &process->io_priority);
	if (r == 0 && process->scheduler.set)
		r = scheduler_set(pid, &process->scheduler);
	return r;
}

int cpus_set(pid_t pid, const struct spec_mask *cpus, const char *field)
{
	if (!cpus->set || syscall(SYS_sched_setaffinity, pid, sizeof(cpus->bits), cpus->bits) >= 0)
		return 0;
	if (errno == EINVAL)
		return fail(errno, "%s: none of these CPUs is there, or in the container's cpuset", field);
	return fail(errno, "%s: set the CPUs", field);
}

int cpus_borrow(const struct spec_mask *cpus, const char *field, struct cpus_saved *ret_saved)
{
	*ret_saved = (struct cpus_saved){ .saved = false };
	if (!cpus->set)
		return 0;
	if (syscall(SYS_sched_getaffinity, 0, sizeof(ret_saved->bits), ret_saved->bits) < 0)
		return fail(errno, "%s: look at our own CPUs", field);
	ret_saved->saved = true;
	return cpus_set(0, cpus, field);
}

void cpus_return(const struct cpus_saved *saved)
{
	if (saved->saved && syscall(SYS_sched_setaffinity, 0, sizeof(saved->bits), saved->bits) < 0)
		log_warn("our own CPUs could not be set back, ignoring");
}
