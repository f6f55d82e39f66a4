/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * error - the one error idiom
 *
 * A function that can fail returns 0 (or a documented value >= 0), or a negative errno. Whoever sees
 * a failure first calls fail(), which keeps one text for the thread; everybody above returns the
 * value as it is, or adds what only they know with fail_in(). cmd/ prints fail_text() once.
 * Callers look only at the sign. An outcome that a caller must tell apart is a named value > 0.
 */

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Exit statuses of the command line, as docker and podman use them. */
enum {
	STATUS_OURS = 125,	  /* our own failure, usage included */
	STATUS_NOT_INVOKABLE = 126, /* the payload's program is there but cannot be run */
	STATUS_NOT_FOUND = 127,	  /* the payload's program is not there */
};

/*
 * fail() - record a failure: "<text>: <errno text>"
 * @errnum: positive errno value; its text is appended (ENOENT's is "not found", see ENGINES)
 *
 * Return: -@errnum. Never call functions that may change errno among the arguments.
 */
int fail(int errnum, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * fail_plain() - record a failure whose text says it all: no errno text is appended
 *
 * For input that is wrong by our own rules. Return: -@errnum.
 */
int fail_plain(int errnum, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * fail_in() - put what the caller knows in front of the recorded text: "<new>: <recorded>"
 * @r: the negative value that was returned
 *
 * Return: @r.
 */
int fail_in(int r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* fail_exit() - let the process exit with @status for the failure recorded. Return: @r. */
int fail_exit(int r, int status);

/* fail_text() - the recorded text; valid until the next fail*(). Never NULL. */
const char *fail_text(void);

/* fail_status() - exit status that belongs to the recorded failure; STATUS_OURS unless set. */
int fail_status(void);

/* error_text() - our text for an errno value, never NULL. Differs from strerror() for ENOENT. */
const char *error_text(int errnum);
