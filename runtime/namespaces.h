/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * namespaces - which are made, which are joined, and the clone that does it
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/spec.h"

struct ns_plan {
	uint64_t flags;		/* CLONE_NEW* of the new ones */
	int joins[NS_COUNT];	/* fds of those to join; -1 */
	int target;		/* pidfd of whom the others are joined, in one call: borrowed */
	uint64_t shared;	/* CLONE_NEW* of those; 0: none */
	bool helper;		/* an intermediate process is needed, see namespaces.c */
	const struct spec *spec;
	/* When we may not enter the cgroup ourselves, systemd can move us there: its scope and path; NULL: it cannot. */
	const char *unit, *cgroup_path;
};

/* namespaces_plan() - open what is to be joined and check that it is of its kind. ns_plan_done() it. Return: 0 or a recorded failure. */
int namespaces_plan(const struct spec *spec, struct ns_plan *ret_plan);
/*
 * namespaces_plan_pid() - the plan of `exec`: join every namespace of a process that is not ours already
 * @pidfd: of @pid; open until namespaces_clone() has returned
 */
int namespaces_plan_pid(const struct spec *spec, pid_t pid, int pidfd, struct ns_plan *ret_plan);
void ns_plan_done(struct ns_plan *plan);

/*
 * namespaces_clone() - make the child, in its cgroup and namespaces
 * @cgroup: directory fd that it is born in, or -1
 * @run: called in the child with @arg; never returns
 * @ret_pid: our own child, to be reaped by us, whether a helper was between or not
 * @ret_pidfd: the caller closes it
 *
 * Return: 0 or a recorded failure.
 */
int namespaces_clone(struct ns_plan *plan, int cgroup, void (*run)(void *arg, const struct ns_plan *plan),
		     void *arg, pid_t *ret_pid, int *ret_pidfd);

/* namespaces_join() - setns(2) for each of @joins. Return: 0 or a recorded failure that names it. */
int namespaces_join(const int joins[NS_COUNT], const struct spec *spec);
