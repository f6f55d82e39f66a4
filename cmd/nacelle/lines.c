/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cmd/nacelle/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"

enum { PART = 64 * 1024 };

int lines_read(struct lines *lines, int fd, int (*take)(char *line, size_t size, void *data), void *data)
{
	char *grown = realloc(lines->data, lines->size + PART + 1), *line, *newline;
	ssize_t n;
	int r = 0;

	if (!grown)
		return fail(ENOMEM, "read what comes through a pipe");
	lines->data = line = grown;
	n = read(fd, grown + lines->size, PART);
	if (n < 0)
		return errno == EINTR ? LINES_MORE : fail(errno, "read what comes through a pipe");
	lines->size += (size_t)n;
	grown[lines->size] = '\0';
	while (r == 0 && (newline = memchr(line, '\n', lines->size))) {
		size_t size = (size_t)(newline - line);

		*newline = '\0';
		r = take(line, size, data);
		line = newline + 1;
		lines->size -= size + 1;
	}
	memmove(grown, line, lines->size + 1);
	if (r == 0 && n == 0 && lines->size > 0)
		r = take(grown, lines->size, data);
	return r != 0 ? r : n > 0 ? LINES_MORE : 0;
}
