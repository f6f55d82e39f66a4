/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * scheduling - policy, I/O priority and CPUs of a process, set from outside by its pid
 *
 * Real-time policies count only with privileges in the initial user namespace, which the parent may have and
 * the child of a user namespace has not.
 */

#include <stdbool.h>
#include <sys/types.h>

struct spec_mask;
struct spec_process;

/*
 * scheduling_set() - process.scheduler and process.ioPriority, where the spec has them
 * @pid: of the child, which waits meanwhile, and hands them on through execve
 *
 * Return: 0 or a recorded failure.
 */
int scheduling_set(pid_t pid, const struct spec_process *process);

/* cpus_set() - @cpus, when they are set. @field: of the spec, for the message. @pid: 0 is the caller. */
int cpus_set(pid_t pid, const struct spec_mask *cpus, const char *field);

/* Where the caller may run, while it runs elsewhere. */
struct cpus_saved {
	bool saved;
	unsigned long bits[8192 / (8 * sizeof(unsigned long))];
};

/*
 * cpus_borrow() - let the caller run on @cpus, and thereby what it clones; nothing when they are not set
 * cpus_return() - where it could run before
 */
int cpus_borrow(const struct spec_mask *cpus, const char *field, struct cpus_saved *ret_saved);
void cpus_return(const struct cpus_saved *saved);
