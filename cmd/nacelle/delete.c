/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `delete`: remove what is left of containers. */
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"

struct delete_options {
	bool force, regex, volumes;
};

const struct option_row delete_options[] = {
	{ "force", 'f', OPTION_FLAG, offsetof(struct delete_options, force), NULL,
	  "kill what runs; an unknown container is no failure" },
	{ "volumes", 'v', OPTION_FLAG, offsetof(struct delete_options, volumes), NULL, "and the volumes that were made for it alone" },
	{ "regex", 'r', OPTION_FLAG, offsetof(struct delete_options, regex), NULL,
	  "ID is a regular expression: all that it fits" },
	{ .name = NULL },
};

static int delete_one(const struct globals *globals, const char *id, const void *data)
{
	const struct delete_options *o = data;
	int r = (o->volumes ? container_delete_whole : container_delete)(&globals->place, id, o->force);

	return r == CONTAINER_NOT_FOUND ? container_no_such(id) : r;
}

static int delete_fitting(const struct globals *globals, const struct operands *operands, const struct delete_options *o)
{
	struct str_list ids = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < operands->count; i++)
		r = ids_find(globals, operands->items[i], &ids);
	if (r == 0)
		r = for_each_id(globals, &(struct operands){ .items = ids.items, .count = ids.count }, delete_one, o);
	str_list_done(&ids);
	return r;
}

int cmd_delete(const struct globals *globals, int argc, char **argv)
{
	struct delete_options o = { .force = false };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return o.regex ? delete_fitting(globals, &operands, &o) : for_each_id(globals, &operands, delete_one, &o);
}
