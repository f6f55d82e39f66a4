/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel shows the memory in which execve(2) laid the arguments. To move what it shows elsewhere (PR_SET_MM) takes a
 * capability that containers' hosts often lack; to overwrite it takes nothing but that nobody needs it any more.
 */
#include "runtime/base/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"

static int count;
static char **shown;

int cmdline_take(int argc, char **argv, char ***ret)
{
	size_t room = 0, n = (size_t)argc + 1;
	char **copy, *text;

	for (int i = 0; i < argc; i++)
		room += strlen(argv[i]) + 1;
	copy = calloc(1, n * sizeof(*copy) + room);
	if (!copy)
		return fail(ENOMEM, "keep the arguments");
	text = (char *)(copy + n);
	for (int i = 0; i < argc; i++) {
		size_t size = strlen(argv[i]) + 1;

		copy[i] = memcpy(text, argv[i], size);
		text += size;
	}
	count = argc;
	shown = argv;
	*ret = copy;
	return 0;
}

void cmdline_hide(void)
{
	for (int i = 0; i < count; i++)
		memset(shown[i], 0, strlen(shown[i]));
}
