/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * restore - the step of the parent in which criu makes the container's processes
 *
 * Private to the life of a container; checkpoint.h has the verbs. What checkpoint.c names, this finds again.
 */

#include <stddef.h>

#include "runtime/spec.h"

struct parent;

/* In the folder of images: what the standard streams were. */
#define RESTORE_STREAMS "descriptors.json"

/* A namespace that is joined: criu's name for it is the spec's business no more. */
struct restore_namespace {
	enum spec_ns kind;
	const char *proc;	/* in /proc/PID/ns */
	const char *name;	/* under which its descriptor is given */
};
enum { RESTORE_NAMESPACES = 2 };
extern const struct restore_namespace restore_namespaces[RESTORE_NAMESPACES];

/* restore_judge() - can it be restored from there? Nothing is made yet. Return: 0 or a recorded failure. */
int restore_judge(struct parent *p);

/* What the parent does meanwhile; each returns 0 or a recorded failure. */
struct restore_points {
	int (*namespaces_made)(struct parent *p, pid_t pid);	/* its first process is there, and nothing in it runs */
	int (*processes_made)(struct parent *p, pid_t pid);	/* all are, as they were, and none runs yet */
};

/* restore_processes() - the step. They run when it returns 0; a failure leaves none of them. */
int restore_processes(struct parent *p, const struct restore_points *points);
