/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stop`: the signal that the container's owner chose, time to act on it, and KILL; and no restart. */
#include "cmd/nacelle/stop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "runtime/keep.h"

enum { DIE_MS = 10000, TELL_MS = 30000 };

const struct option_row stop_options[] = {
	{ "time", 't', OPTION_NUMBER, offsetof(struct stop_options, time), "SECONDS", "until KILL is sent (10, or as the spec says)" },
	{ .name = NULL },
};

/* It may end on its own at any moment; then a signal that found nobody is no failure. */
static int signal_send(const struct globals *globals, const char *id, int signal)
{
	int r = container_signal(&globals->place, id, signal, false);

	return r < 0 && container_wait_stopped(&globals->place, id, 0) != CONTAINER_TIMEOUT ? 0 : r;
}

static int time_choose(const struct container_info *info, const struct stop_options *o)
{
	if (o->time == UINT64_MAX)
		return stop_time_read(annotation(info, "stop_timeout"));
	return (int)(o->time > STOP_TIME_MAX_S ? STOP_TIME_MAX_S : o->time) * 1000;
}

static int not_ending(const char *id, int r)
{
	return r == CONTAINER_TIMEOUT ? fail_plain(EBUSY, "container '%s' does not end, although it was killed", id) : r < 0 ? r : 0;
}

int stop_payload(const struct globals *globals, const char *id, const struct container_info *info, const struct stop_options *o)
{
	int r = CONTAINER_TIMEOUT;

	/* What was never started cannot act on a signal. */
	if (info->status != CONTAINER_CREATED) {
		r = signal_send(globals, id, stop_signal_read(annotation(info, "stop_signal")));
		if (r == 0 && info->status == CONTAINER_PAUSED)
			r = container_pause(&globals->place, id, false);
		if (r == 0)
			r = container_wait_process(info, time_choose(info, o));
	}
	if (r != CONTAINER_TIMEOUT)
		return r < 0 ? r : 0;
	r = signal_send(globals, id, SIGKILL);
	return r < 0 ? r : not_ending(id, container_wait_process(info, DIE_MS));
}

int keeper_silent(const char *id)
{
	return fail_plain(EBUSY, "the keeper of container '%s' does not answer ('nacelle delete --force' ends both)", id);
}

static int stop_running(const struct globals *globals, const char *id, const struct container_info *info,
			const struct stop_options *o)
{
	int r = stop_payload(globals, id, info, o);

	if (r < 0)
		return r;
	/* Also until its end is written down, and for one with --rm until it is gone. */
	return not_ending(id, container_wait_recorded(&globals->place, id, DIE_MS));
}

/* Before its process is looked at: from here on there will be no other. */
static int restarting_end(const struct globals *globals, const char *id)
{
	struct container_info info;
	bool kept;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	kept = info.kept && !info.exit_known;
	container_info_done(&info);
	if (!kept)
		return 0;
	r = container_tell(&globals->place, id, KEEPER_STOP, NULL, TELL_MS, NULL, NULL);
	return r == KEEPER_SILENT ? keeper_silent(id) : r < 0 ? r : 0;
}

static int stop_one(const struct globals *globals, const char *id, const void *data)
{
	struct container_info info;
	int r = restarting_end(globals, id);

	if (r == 0)
		r = look(globals, id, &info);
	if (r < 0)
		return r;
	if (info.status == CONTAINER_CREATING)
		r = fail_plain(EBUSY, "container '%s' is just being created", id);
	else if (info.status != CONTAINER_STOPPED)
		r = stop_running(globals, id, &info, data);
	else if (info.kept && !info.exit_known)
		r = not_ending(id, container_wait_recorded(&globals->place, id, DIE_MS));
	container_info_done(&info);
	return r;
}

int cmd_stop(const struct globals *globals, int argc, char **argv)
{
	struct stop_options o = { .time = UINT64_MAX };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return for_each_id(globals, &operands, stop_one, &o);
}
