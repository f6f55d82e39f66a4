/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `start`: let a created container go. */
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"

const struct option_row start_options[] = {
	{ .name = NULL },
};

int cmd_start(const struct globals *globals, int argc, char **argv)
{
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return container_start(&globals->place, operands.items[0]);
}
