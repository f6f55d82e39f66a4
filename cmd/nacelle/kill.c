/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kill`: a signal to the container's process, or to all that are in it. */
#include <signal.h>
#include <stddef.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"

struct kill_options {
	bool all;
};

const struct option_row kill_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct kill_options, all), NULL, "to every process in the container" },
	{ .name = NULL },
};

int cmd_kill(const struct globals *globals, int argc, char **argv)
{
	struct kill_options o = { .all = false };
	struct operands operands;
	char quoted[STR_QUOTE_SIZE];
	int signal = SIGTERM, r = options_parse(globals->command, argc, argv, 1, 2, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (operands.count > 1)
		signal = str_signal(operands.items[1]);
	if (signal < 0)
		return usage_fail(globals->command, "%s is not a signal", str_quote(quoted, operands.items[1]));
	return container_signal(&globals->place, operands.items[0], signal, o.all);
}
