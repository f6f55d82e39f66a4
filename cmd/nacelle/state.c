/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `state`: OCI's state document, with a few things more that a container's owner wants to know. */
#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"

const struct option_row state_options[] = {
	{ .name = NULL },
};

static void put(json_t *v, const char *key, const char *text)
{
	if (text)
		(void)json_object_set_new(v, key, json_string(text));
}

/* As docker's inspect has them, where it has them. */
static void put_tended(json_t *v, const struct globals *globals, const struct container_info *info)
{
	const struct container_tended *t = &info->tended;

	(void)json_object_set_new(v, "restartCount", json_integer(t->restarts));
	if (t->restarting)
		(void)json_object_set_new(v, "restarting", json_true());
	if (t->last_status >= 0 && !info->exit_known)
		(void)json_object_set_new(v, "lastExit", json_pack("{s:I, s:b, s:b}", "status", (json_int_t)t->last_status,
								   "oomKilled", t->last_oom_killed, "unhealthy", t->last_unhealthy));
	if (t->lost > 0)
		(void)json_object_set_new(v, "logLinesLost", json_integer(t->lost));
	if (t->health && *t->health)
		(void)json_object_set_new(v, "health", json_pack("{s:s, s:I, s:o*}", "status", t->health, "failingStreak",
								 (json_int_t)t->failing, "last",
								 container_health(&globals->place, info->id)));
}

int cmd_state(const struct globals *globals, int argc, char **argv)
{
	struct container_info info;
	struct operands operands;
	json_t *v;
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	v = container_state_json(&info);
	if (v) {
		put(v, "rootfs", info.rootfs);
		put(v, "created", info.created);
		put(v, "log", info.log);
		if (info.exit_known)
			(void)json_object_set_new(v, "exitStatus", json_integer(info.exit_status));
		put(v, "exited", info.exit_time);
		if (info.oom_killed)
			(void)json_object_set_new(v, "oomKilled", json_true());
		if (info.kept)
			put_tended(v, globals, &info);
		if (info.keeper_lost)
			(void)json_object_set_new(v, "keeper", json_string("killed"));
		if (info.stale)
			(void)json_object_set_new(v, "stale", json_true());
	}
	container_info_done(&info);
	return output_json(v);
}
