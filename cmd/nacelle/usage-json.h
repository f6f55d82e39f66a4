/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * usage-json - a container's usage as runc's `events` prints it, for those who read that
 */

#include <stdint.h>

struct usage;

/*
 * usage_print() - {"type":"stats","id":…,"data":{…}} and a newline, on standard output
 *
 * Source: runc, types/events.go. Values that are not known are left out, or 0 where runc never leaves them out.
 */
void usage_print(const char *id, const struct usage *usage);

/* oom_print() - {"type":"oom","id":…} and a newline. */
void oom_print(const char *id);
