/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `delete`: remove what is left of containers. */
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"

struct delete_options {
	bool force;
};

const struct option_row delete_options[] = {
	{ "force", 'f', OPTION_FLAG, offsetof(struct delete_options, force), NULL,
	  "kill what runs; an unknown container is no failure" },
	{ .name = NULL },
};

static int delete_one(const struct globals *globals, const char *id, const void *data)
{
	const struct delete_options *o = data;
	int r = container_delete(&globals->place, id, o->force);

	return r == CONTAINER_NOT_FOUND ? container_no_such(id) : r;
}

int cmd_delete(const struct globals *globals, int argc, char **argv)
{
	struct delete_options o = { .force = false };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return for_each_id(globals, &operands, delete_one, &o);
}
