/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * lines - whole lines of what comes through a pipe that poll(2) watches: stdio would hide from it what it has read
 */

#include <stddef.h>

/* What was read, and is not yet a whole line. All zero at the start; free(data) in the end. */
struct lines {
	char *data;
	size_t size;
};

/*
 * lines_read() - read what there is once, and hand on each whole line
 * @take: a line without its newline, ended by NUL, which it may write to. Return: 0; or what ends it, a recorded failure or above 0
 *
 * At the end of the stream a line without a newline counts as one. Return: what @take has returned last, when it is not 0;
 * LINES_MORE, 0 at the end, or a recorded failure.
 */
enum { LINES_MORE = 1 };
int lines_read(struct lines *lines, int fd, int (*take)(char *line, size_t size, void *data), void *data);
