/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * moment - points in time as people write them, and as logs have them
 */

#include <time.h>

/*
 * moment_read() - a time, or how long ago it was
 * @now: what "10m" counts back from
 *
 * Taken: RFC 3339 ("2026-11-28T08:08:13.5Z", "+01:00"), the same without a zone (ours) and down to the day alone, seconds
 * since 1970 with a fraction ("1700000000.25"), and durations ("1h30m": that long before @now).
 * Return: 0 or -EINVAL; nothing recorded.
 */
int moment_read(const char *text, const struct timespec *now, struct timespec *ret);

/* moment_text() - as every log line has it: RFC 3339 in UTC with nine digits; such texts compare as the moments do. */
enum { MOMENT_SIZE = 32 };
void moment_text(const struct timespec *moment, char buf[MOMENT_SIZE]);
