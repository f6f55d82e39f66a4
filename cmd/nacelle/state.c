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
		if (info.stale)
			(void)json_object_set_new(v, "stale", json_true());
	}
	container_info_done(&info);
	return output_json(v);
}
