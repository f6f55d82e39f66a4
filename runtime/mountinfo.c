/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/mountinfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"

/* "\040" is a blank, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (text[0] == '\\' && text[1] && text[2] && text[3]) {
			*to = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /mnt ro,nosuid …" */
int mountinfo_next(char **text, struct mountinfo *ret)
{
	char *line, *fields[6];

	do
		line = strsep(text, "\n");
	while (line && !*line);
	if (!line)
		return 0;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		fields[i] = strsep(&line, " ");
	if (!fields[5])
		return fail_plain(EINVAL, "mountinfo: a line makes no sense");
	*ret = (struct mountinfo){
		.id = strtoul(fields[0], NULL, 10), .on = strtoul(fields[1], NULL, 10), .path = fields[4], .options = fields[5],
	};
	unescape(ret->path);
	return 1;
}
