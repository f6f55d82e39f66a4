/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One text per thread, built in a fixed buffer so that recording a failure cannot itself fail.
 * A text that is too long loses its end, but never the errno text that fail() puts there, nor the
 * innermost cause's beginning: the prefix that fail_in() adds is cut first.
 */
#include "runtime/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 4096 };

static _Thread_local char text[TEXT_MAX];
static _Thread_local int status = STATUS_OURS;

const char *error_text(int errnum)
{
	const char *known;

	/* Docker turns "no such file or directory" in any message into exit status 127. */
	if (errnum == ENOENT)
		return "not found";
	known = strerrordesc_np(errnum);
	return known ? known : "unknown error";
}

/* Among the arguments may be fail_text() itself, so the new text is made beside the old one. */
static int record(int errnum, const char *made)
{
	memcpy(text, made, strlen(made) + 1);
	status = STATUS_OURS;
	return errnum > 0 ? -errnum : -EINVAL;
}

int fail(int errnum, const char *fmt, ...)
{
	const char *known = error_text(errnum);
	char made[TEXT_MAX];
	va_list args;
	size_t n;

	/* The cause must not be what is cut. */
	made[0] = '\0';
	va_start(args, fmt);
	(void)vsnprintf(made, sizeof(made) - strlen(known) - 2, fmt, args);
	va_end(args);
	n = strlen(made);
	(void)snprintf(made + n, sizeof(made) - n, ": %s", known);
	return record(errnum, made);
}

int fail_plain(int errnum, const char *fmt, ...)
{
	char made[TEXT_MAX];
	va_list args;

	made[0] = '\0';
	va_start(args, fmt);
	(void)vsnprintf(made, sizeof(made), fmt, args);
	va_end(args);
	return record(errnum, made);
}

int fail_in(int r, const char *fmt, ...)
{
	char before[TEXT_MAX];
	size_t room, have = strlen(text);
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(before, sizeof(before) - 2, fmt, args);
	va_end(args);
	if (n < 0)
		return r;
	room = sizeof(text) - 1 - have;
	if (room < 3)
		return r;
	if ((size_t)n > room - 2)
		n = (int)(room - 2);
	memmove(text + n + 2, text, have + 1);
	memcpy(text, before, (size_t)n);
	memcpy(text + n, ": ", 2);
	return r;
}

int fail_exit(int r, int exit_status)
{
	status = exit_status;
	return r;
}

const char *fail_text(void)
{
	return text;
}

int fail_status(void)
{
	return status;
}
