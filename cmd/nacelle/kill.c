/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `kill`: a signal to the container's process, or to all that are in it. */
#include <signal.h>
#include <stddef.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"

struct kill_options {
	bool all, regex;
	int signal;
};

const struct option_row kill_options[] = {
	{ "all", 'a', OPTION_FLAG, offsetof(struct kill_options, all), NULL, "to every process in the container" },
	{ "regex", 'r', OPTION_FLAG, offsetof(struct kill_options, regex), NULL,
	  "ID is a regular expression: all that it fits" },
	{ .name = NULL },
};

static int kill_one(const struct globals *globals, const char *id, const void *data)
{
	const struct kill_options *o = data;

	return container_signal(&globals->place, id, o->signal, o->all);
}

static int kill_fitting(const struct globals *globals, const char *expression, const struct kill_options *o)
{
	struct str_list ids = { .items = NULL };
	int r = ids_find(globals, expression, &ids);

	if (r == 0)
		r = for_each_id(globals, &(struct operands){ .items = ids.items, .count = ids.count }, kill_one, o);
	str_list_done(&ids);
	return r;
}

int cmd_kill(const struct globals *globals, int argc, char **argv)
{
	struct kill_options o = { .signal = SIGTERM };
	struct operands operands;
	char quoted[STR_QUOTE_SIZE];
	int r = options_parse(globals->command, argc, argv, 1, 2, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (operands.count > 1)
		o.signal = str_signal(operands.items[1]);
	if (o.signal < 0)
		return usage_fail(globals->command, "%s is not a signal", str_quote(quoted, operands.items[1]));
	return o.regex ? kill_fitting(globals, operands.items[0], &o) : kill_one(globals, operands.items[0], &o);
}
