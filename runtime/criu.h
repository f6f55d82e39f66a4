/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * criu - the program that writes a process tree to files, and makes it anew from them
 *
 * Private to checkpoint.c and restore.c; checkpoint.h has the verbs.
 */

#include <sys/types.h>

#include "runtime/criu-message.h"

struct checkpoint_options;
struct spec;
struct spec_process;

/* What the program is run for. */
struct criu_job {
	enum criu_request request;
	const struct checkpoint_options *options;
	const char *log;		/* name of its log, in the working folder */
	struct criu_bytes *fields;	/* options of the request, which the caller began; criu_run() adds those of both verbs */
	/* in the program's process, before it becomes that; NULL: nothing. Return: 0 or a recorded failure */
	int (*enter)(void *arg);
	/* at each point where it tells how far it has come; @fd is -1, or a descriptor that it gave with it, closed by criu.c */
	int (*notify)(void *arg, const char *script, pid_t pid, int fd);
	void *arg;
};

/* criu_is_there() - Return: 0, or a recorded failure that says how to get it. */
int criu_is_there(const struct checkpoint_options *options);

/* criu_judge() - whether a container of @spec can be put aside at all. Return: 0 or a recorded failure that names what not. */
int criu_judge(const struct spec *spec);

/*
 * criu_cache_forget() - before criu_run(), when a label is at stake: what criu remembers of the kernel goes
 * @profile: the label that is to be restored instead, or NULL
 *
 * It may be from before securityfs was mounted, and says then, until the next boot, that there is no LSM: the label would be
 * left out of the images, or what is restored would run without one, in silence. criu looks anew, in a fraction of a second.
 * Return: 0 or a recorded failure.
 */
int criu_cache_forget(const struct spec_process *process, const char *profile);

/*
 * criu_run() - have it done
 * @images: directory fd, where the files are
 *
 * Return: 0 or a recorded failure with the first error of its log.
 */
int criu_run(const struct criu_job *job, int images);
