/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * verbs - the courses of commands in which something is made to go wrong, and the judgement of what came of it
 */

#include "tests/faults/trace.h"
#include "tests/faults/world.h"

struct verb {
	const char *name;
	const char *spec;		/* template of the bundle, below tests/faults */
	const char *args;		/* of the payload, as JSON */
	const char *const *before;	/* commands up to NULL, each ended by NULL; what must be there */
	const char *const *traced;
	const char *const *after;	/* when the traced one succeeded; or NULL */
	int success;			/* its exit status when all goes well */
	bool reports;			/* the payload is to have run then */
	bool stays;			/* what `before` makes serves all points */
	const char *controllers;	/* of cgroup2, which it needs, as cgroup.controllers has them in a row; or NULL */
	bool all;			/* our processes that outlive the command are traced too */
};
extern const struct verb verbs[];

/* One point: process 0 is a run without a fault. */
struct point {
	int process, call, error;
};

enum outcome { CLEAN, NOT_REACHED, FAILED };

struct verdict {
	enum outcome outcome;
	int nr;			/* of the system call that went wrong */
	int status;
	bool ran;		/* the payload did */
	char text[TEXT_SIZE];	/* what was wrong; "" when nothing */
	char said[TEXT_SIZE];	/* what the command said */
};

/* verb_baseline() - a run without a fault, whose report (malloc'ed) is what others are measured by; it must be clean. */
int verb_baseline(struct world *w, const struct verb *v, char **ret_report);

/* verb_count() - the system calls of a run without a fault. */
int verb_count(struct world *w, const struct verb *v, struct trace_result *ret_result);

/* verb_try() - one point. */
void verb_try(struct world *w, const struct verb *v, const char *baseline, const struct point *p, struct verdict *ret);

/* verb_end() - away with what served all points. Return: whether that was clean, else told in @text. */
bool verb_end(struct world *w, const struct verb *v, char text[TEXT_SIZE]);
