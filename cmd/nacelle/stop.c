/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `stop`: the signal that the container's owner chose, time to act on it, and KILL. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "runtime/keep.h"

enum { TIME_DEFAULT_S = 10, TIME_MAX_S = 86400, DIE_MS = 10000 };

struct stop_options {
	uint64_t time;		/* UINT64_MAX: not given */
};

const struct option_row stop_options[] = {
	{ "time", 't', OPTION_NUMBER, offsetof(struct stop_options, time), "SECONDS", "until KILL is sent (10, or as the spec says)" },
	{ .name = NULL },
};

static int signal_choose(const struct container_info *info)
{
	const char *text = annotation(info, "stop_signal");
	int signal = text ? str_signal(text) : SIGTERM;

	return signal < 0 ? SIGTERM : signal;
}

static int time_choose(const struct container_info *info, const struct stop_options *o)
{
	const char *text = annotation(info, "stop_timeout");
	uint64_t seconds = TIME_DEFAULT_S;

	if (o->time != UINT64_MAX)
		seconds = o->time;
	else if (text && str_to_u64(text, UINT32_MAX, &seconds) < 0)
		seconds = TIME_DEFAULT_S;
	return (int)(seconds > TIME_MAX_S ? TIME_MAX_S : seconds) * 1000;
}

/* It may end on its own at any moment; then a signal that found nobody is no failure. */
static int signal_send(const struct globals *globals, const char *id, int signal)
{
	int r = container_signal(&globals->place, id, signal, false);

	return r < 0 && container_wait_stopped(&globals->place, id, 0) != CONTAINER_TIMEOUT ? 0 : r;
}

static int stop_running(const struct globals *globals, const char *id, const struct container_info *info,
			const struct stop_options *o)
{
	int r = CONTAINER_TIMEOUT;

	/* What was never started cannot act on a signal. */
	if (info->status != CONTAINER_CREATED) {
		r = signal_send(globals, id, signal_choose(info));
		if (r == 0 && info->status == CONTAINER_PAUSED)
			r = container_pause(&globals->place, id, false);
		if (r == 0)
			r = container_wait_stopped(&globals->place, id, time_choose(info, o));
	}
	if (r == CONTAINER_TIMEOUT)
		r = signal_send(globals, id, SIGKILL);
	if (r < 0)
		return r;
	/* Also until its end is written down, and for one with --rm until it is gone. */
	r = container_wait_recorded(&globals->place, id, DIE_MS);
	if (r == CONTAINER_TIMEOUT)
		return fail_plain(EBUSY, "container '%s' does not end, although it was killed", id);
	return r < 0 ? r : 0;
}

static int stop_one(const struct globals *globals, const char *id, const void *data)
{
	struct container_info info;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	if (info.status == CONTAINER_CREATING)
		r = fail_plain(EBUSY, "container '%s' is just being created", id);
	else if (info.status != CONTAINER_STOPPED)
		r = stop_running(globals, id, &info, data);
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
