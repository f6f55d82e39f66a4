/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mountinfo - lines of /proc/PID/mountinfo, in text
 */

#include <stddef.h>

struct mountinfo {
	unsigned long id, on;	/* the mount's number, and that of what it is mounted on */
	char *path;		/* where, with respect to the process's root */
	char *options;		/* of the mount, not of its file system: "ro,nosuid" */
};

/*
 * mountinfo_next() - take the next line off @text
 * @text: the rest; changed in place, and what @ret points into. NULL at its end
 *
 * Source: proc(5). Return: 1, 0 at the end, or a recorded failure: it makes no sense.
 */
int mountinfo_next(char **text, struct mountinfo *ret);
