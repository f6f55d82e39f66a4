/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-spawn - what a stack does to containers, by our own program's commands
 *
 * `run -d` forks, and the child becomes the container's keeper; what it does about signals, standard streams, its terminal
 * and the files that it holds open fits a process that does just this. So that is what we start: one process for each,
 * with the spec on its standard input. A failure of one can leave nothing in us, and a person can do by hand what we do.
 */

#include <sys/types.h>

struct container_place;

/* A command that runs. */
struct stack_command {
	pid_t pid;
	int said;	/* a file of what it wrote to its standard error */
};

/*
 * stack_command_start() - start `nacelle ARGS…`
 * @args: the command and what follows, ended by NULL
 * @input: text on its standard input; NULL: nothing
 * @folder: its working directory; NULL: ours
 *
 * Return: 0 with @ret for stack_command_finish(), or a recorded failure.
 */
int stack_command_start(const struct container_place *place, const char *const *args, const char *input, const char *folder,
			struct stack_command *ret);

/* stack_command_finish() - wait for its end. Return: 0, or a recorded failure that is its own text. */
int stack_command_finish(struct stack_command *command);

/* stack_command_run() - both. */
int stack_command_run(const struct container_place *place, const char *const *args, const char *input, const char *folder);

/*
 * stack_command_read() - start one whose output, both streams of it, is read by us; it ends with us
 * @ret_fd: the caller's; its end is the command's
 *
 * Return: its pid, which the caller reaps, or a recorded failure.
 */
pid_t stack_command_read(const struct container_place *place, const char *const *args, int *ret_fd);
