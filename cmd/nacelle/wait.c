/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `wait`: print how containers ended, and end in the same way. */
#include <stdint.h>
#include <stdio.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/stack.h"
#include "runtime/keep.h"

const struct option_row wait_options[] = {
	{ .name = NULL },
};

static int wait_one(const struct globals *globals, const char *id, const void *data)
{
	int status, r = container_wait(&globals->place, id, &status);

	(void)data;
	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	(void)printf("%d\n", status);
	/* the next one may take long */
	(void)fflush(stdout);
	return status;
}

int cmd_wait(const struct globals *globals, int argc, char **argv)
{
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (stack_is_meant(globals, operands.items[0]))
		return stack_wait(globals, &operands);
	return for_each_id(globals, &operands, wait_one, NULL);
}
