/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `pause` and `resume`: freeze and thaw all of a container's processes. */
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"

const struct option_row pause_options[] = {
	{ .name = NULL },
};
const struct option_row resume_options[] = {
	{ .name = NULL },
};

static int freeze(const struct globals *globals, int argc, char **argv, bool paused)
{
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return container_pause(&globals->place, operands.items[0], paused);
}

int cmd_pause(const struct globals *globals, int argc, char **argv)
{
	return freeze(globals, argc, argv, true);
}

int cmd_resume(const struct globals *globals, int argc, char **argv)
{
	return freeze(globals, argc, argv, false);
}
