/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * trace - run a command, count the system calls of our processes, or let one of them go wrong
 *
 * Processes are numbered from 1 in the order in which they begin, system calls from 1 for each process. What a
 * process does once it has executed a program that is not ours (the payload, a hook) is no concern of the tracer:
 * it runs on untraced.
 */

#include <stdbool.h>
#include <stddef.h>

enum { TRACE_KILL = -1 };

struct trace_plan {
	const char *output;	/* file for standard output and error */
	int process, call;	/* where it goes wrong; 0: nowhere, all calls are counted */
	int error;		/* errno of that call, or TRACE_KILL: the process is killed in front of it */
	bool all;		/* wait for all our processes, not for the first alone */
	int timeout_ms;
};

/* One system call, as counted. */
struct trace_call {
	short process, nr;
	bool loader;		/* the dynamic loader's, before our first line of code */
};

struct trace_result {
	struct trace_call *calls;	/* when counting; malloc'ed */
	size_t count;
	bool reached;		/* the call of the plan came */
	bool hung;		/* not ended in time, and killed */
	int status;		/* of the first process, as waitpid(2) has it */
	int nr;			/* the number of the system call that went wrong */
};

/* trace_run() - Return: 0, or -1 with errno when nothing could be started. */
int trace_run(char *const argv[], const struct trace_plan *plan, struct trace_result *ret_result);
