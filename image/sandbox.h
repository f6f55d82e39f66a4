/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sandbox - a child process for bytes that nobody vouches for
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SANDBOX_FDS_MAX = 1100 };

struct sandbox {
	const char *name;		/* of the process, at most 15 characters */
	bool files;			/* it makes files below @write; otherwise it only reads and writes its fds */
	int write;			/* folder, -1: none */
	const int *read;		/* folders it may read */
	size_t read_count;
	const int *keep;		/* other fds it keeps; all the rest is closed */
	size_t keep_count;
	int64_t file_size_max;		/* of one file */
	int cpu_seconds_max;
};

/* What a child says at its end. */
struct sandbox_report {
	int errnum;			/* 0: all is well */
	bool opaque;			/* the layer hides all below it */
	int64_t bytes, inodes;
	char text[1024];
};

typedef int sandbox_main(void *arg, struct sandbox_report *report);

struct sandbox_child {
	pid_t pid;
	int report;			/* pipe, read end */
};

/*
 * sandbox_start() - fork, shut the child in, run @main in it
 *
 * The child has no new privileges, empty network, mount, IPC and host name namespaces where they can be had, its root in
 * the folder it writes to, no path but those folders (Landlock), a list of system calls, no capability but those that
 * file ownership needs, and dies with its parent. Return: 0 with @ret, or a recorded failure.
 */
int sandbox_start(const struct sandbox *s, sandbox_main *main, void *arg, struct sandbox_child *ret);

/*
 * sandbox_end() - wait for the child and take its report
 *
 * A failure of the child's is recorded as ours. Return: 0 or a recorded failure; @child is done with in any case.
 */
int sandbox_end(struct sandbox_child *child, struct sandbox_report *ret);

/* sandbox_discard() - kill the child and wait for it, if there is one (pid > 0); nothing is recorded */
void sandbox_discard(struct sandbox_child *child);

/* sandbox_caps_drop() - give up every capability. Return: 0 or a recorded failure. */
int sandbox_caps_drop(void);

/*
 * sandbox_program_enter() - shut ourselves in, to execute a program of somebody else's
 * @read_dir: folder it may read, with all below; beside it, what programs and libraries need
 * @write_file: the one file it may write
 *
 * No new privileges, Landlock where the kernel has it, no capability but to read, and a list of calls that fail: sockets,
 * mounts, tracing. Namespaces are the caller's. Return: 0 or a recorded failure.
 */
int sandbox_program_enter(int read_dir, int write_file);
