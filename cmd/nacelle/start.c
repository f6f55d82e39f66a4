/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `start`: let a created container go; start a detached one again that has ended; give one that lost its keeper another. */
#include "cmd/nacelle/again.h"
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/stop.h"
#include "runtime/keep.h"

enum { TELL_MS = 30000 };

const struct option_row start_options[] = {
	{ .name = NULL },
};

/* One that waits to be started again, or has ended just now, has its keeper: there must never be two. */
static int start_stopped(const struct globals *globals, const char *id, const struct container_info *info)
{
	int r = container_tell(&globals->place, id, KEEPER_START, NULL, TELL_MS, NULL, NULL);

	if (r == 0)
		return again_await(globals, id, info);
	if (r == KEEPER_SILENT)
		return keeper_silent(id);
	return r < 0 ? r : again_detached(globals, id);
}

int cmd_start(const struct globals *globals, int argc, char **argv)
{
	struct operands operands;
	struct container_info info = { .kept = false };
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = container_look(&globals->place, operands.items[0], &info);
	if (r == 0 && info.kept && info.keeper_lost && (info.status == CONTAINER_RUNNING || info.status == CONTAINER_PAUSED))
		r = again_adopt(globals, operands.items[0]);
	else if (r != 0 || !info.kept || info.status != CONTAINER_STOPPED)
		r = container_start(&globals->place, operands.items[0]);
	else
		r = start_stopped(globals, operands.items[0], &info);
	container_info_done(&info);
	return r;
}
