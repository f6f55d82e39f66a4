/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keeper - what stays with a detached container: reaps it, logs what it says, writes down how it ended
 *
 * Its memory counts once for every container, so it is a static program of its own (cmd/nacelle-keeper.c) that uses
 * neither the heap nor stdio, and it never fails because of a log: lines that cannot be written are dropped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What it has been given; an fd that is -1 is not there. */
struct keeper {
	pid_t pid;		/* of the payload, our child */
	int exit;		/* file for its end, see keeper_ending_write() */
	int log;		/* file for what it says, from its present end on */
	int out, err;		/* pipes of what it says; a terminal's master is `out` alone */
	int events;		/* memory.events of its cgroup */
	char **removal;		/* what to execute at the end, or NULL */
};

/*
 * keeper_run() - stay until the payload has ended
 *
 * Return: 0, or -errno when the process is no child of ours or `removal` could not be executed; nothing recorded.
 */
int keeper_run(const struct keeper *keeper);

/*
 * keeper_ending_write() - {"status":N,"time":"…","oomKilled":true|false} and a newline, at the start of the file @fd
 *
 * In one pwrite(2): a reader sees nothing or all. Return: 0 or -errno, nothing recorded.
 */
int keeper_ending_write(int fd, int status, bool oom_killed);

/* An open log. */
struct keeper_log {
	int fd;
	off_t end;		/* where the next line goes */
};

/*
 * keeper_log_line() - append {"log":"…","stream":"…","time":"…"} and a newline, as docker's json-file driver has it
 * @stream: "stdout" or "stderr"
 * @text: a line with its newline, or a piece of a long one without; any bytes, what is no UTF-8 becomes U+FFFD
 *
 * What cannot be written whole is taken back. Return: 0 or -errno, nothing recorded.
 */
int keeper_log_line(struct keeper_log *log, const char *stream, const char *text, size_t size);

/* keeper_time() - now as RFC 3339 in UTC with nanoseconds and a NUL. */
enum { KEEPER_TIME_SIZE = 32 };
void keeper_time(char buf[KEEPER_TIME_SIZE]);
