/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `restart`: end it as `stop` does, and start it again: by its keeper, who is told beforehand, or, when there is none any
 * more, by us.
 */
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/again.h"
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/stack.h"
#include "cmd/nacelle/stop.h"
#include "runtime/keep.h"

enum { TELL_MS = 30000 };

const struct option_row restart_options[] = {
	{ "time", 't', OPTION_NUMBER, offsetof(struct stop_options, time), "SECONDS", "until KILL is sent (10, or as the spec says)" },
	{ .name = NULL },
};

/* @before is from before the keeper was told: one that waited is started at once, and must not be stopped for that. */
static int by_keeper(const struct globals *globals, const char *id, const struct container_info *before, const struct stop_options *o)
{
	struct container_info info;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	if (info.status != CONTAINER_STOPPED && info.status != CONTAINER_CREATING && !again_is_another(before, &info))
		r = stop_payload(globals, id, &info, o);
	container_info_done(&info);
	return r < 0 ? r : again_await(globals, id, before);
}

static int by_us(const struct globals *globals, const char *id, const struct container_info *info, const struct stop_options *o)
{
	int r = 0;

	if (info->status != CONTAINER_STOPPED && info->status != CONTAINER_CREATING)
		r = stop_payload(globals, id, info, o);
	return r < 0 ? r : again_detached(globals, id);
}

static int restart_one(const struct globals *globals, const char *id, const void *data)
{
	struct container_info info;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	r = again_is_kept(&info);
	if (r == 0)
		r = container_tell(&globals->place, id, KEEPER_RESTART, NULL, TELL_MS, NULL, NULL);
	if (r == 0)
		r = by_keeper(globals, id, &info, data);
	else if (r == KEEPER_GONE)
		r = by_us(globals, id, &info, data);
	else if (r == KEEPER_SILENT)
		r = keeper_silent(id);
	container_info_done(&info);
	return r;
}

int cmd_restart(const struct globals *globals, int argc, char **argv)
{
	struct stop_options o = { .time = UINT64_MAX };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (stack_is_meant(globals, operands.items[0]))
		return stack_restart(globals, &operands, restart_one, &o);
	return for_each_id(globals, &operands, restart_one, &o);
}
