/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * guard - bring a process into a container that may trace whatever it sees
 *
 * A container without a user namespace, but with CAP_SYS_PTRACE, could take over exec's child as soon as that stands in
 * its pid namespace: with all our privileges, our fds, our program. So the container is frozen until the child
 * has become the launcher, with the payload's privileges and nothing of ours.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "cgroups/cgroup.h"

struct spec;
struct state;

struct guard {
	struct cgroup cgroup;	/* all of the container */
	bool frozen;
};
#define GUARD_NONE { .cgroup = CGROUP_NONE }

/* guard_needed() - whether what runs in the container could trace a process of ours that it sees */
bool guard_needed(const struct spec *spec);

/*
 * guard_begin() - freeze the container
 *
 * What cannot be frozen is refused: a container without a cgroup of its own, and one whose init is still ours. The child
 * is then to be born in our cgroup, not in the container's. Return: 0 or a recorded failure.
 */
int guard_begin(const struct state *state, bool created, struct guard *guard);

/* guard_follow() - before the child is let go: have it stop once it has become the launcher */
int guard_follow(pid_t pid);

/*
 * guard_finish() - wait for that, put the child into the container's @cgroup, and let all of them go on
 *
 * A child that ended instead is left to be reaped. Return: 0 or a recorded failure.
 */
int guard_finish(struct guard *guard, pid_t pid, const struct cgroup *cgroup);

/* guard_done() - thaw what is still frozen; safe to call in any case */
void guard_done(struct guard *guard);
