/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `events`: a container's statistics every so often, and its processes being killed for memory, as lines of JSON. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/usage-json.h"
#include "runtime/base/clock.h"
#include "runtime/base/str.h"
#include "runtime/usage.h"

struct events_options {
	const char *interval;
	bool stats;
};

const struct option_row events_options[] = {
	{ "stats", 0, OPTION_FLAG, offsetof(struct events_options, stats), NULL, "print the statistics once, and end" },
	{ "interval", 0, OPTION_STRING, offsetof(struct events_options, interval), "TIME", "between statistics (5s)" },
	{ .name = NULL },
};

static int stats_print(const struct usage_watch *watch)
{
	struct usage usage;
	int r = usage_read(watch, &usage);

	if (r != 0)
		return r;
	usage_print(watch->id, &usage);
	usage_done(&usage);
	return 0;
}

/* Until the container ends, or nobody reads any more. */
static int follow(struct usage_watch *watch, int interval_ms)
{
	int64_t next = clock_ms() + interval_ms;
	int r = 0;

	while (r == 0 && !ferror(stdout)) {
		int64_t left = next - clock_ms();
		uint64_t ooms;

		if (left <= 0) {
			next += interval_ms;
			r = stats_print(watch);
			continue;
		}
		r = usage_wait(watch, (int)left, &ooms);
		for (; r >= 0 && ooms; ooms--)
			oom_print(watch->id);
	}
	return r < 0 ? r : 0;
}

int cmd_events(const struct globals *globals, int argc, char **argv)
{
	struct events_options o = { .interval = "5s" };
	struct usage_watch watch;
	struct operands operands;
	uint64_t interval_us;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (str_to_usec(o.interval, &interval_us) < 0 || interval_us < 1000 || interval_us / 1000 > INT_MAX)
		return usage_fail(globals->command, "--interval: '%s' is not a time of at least 1ms", o.interval);
	r = usage_watch_open(&globals->place, operands.items[0], &watch);
	if (r == USAGE_STOPPED)
		return fail_plain(EINVAL, "container '%s' is not running", operands.items[0]);
	if (r < 0)
		return r;
	r = o.stats ? stats_print(&watch) : follow(&watch, (int)(interval_us / 1000));
	if (r == USAGE_STOPPED && o.stats)
		r = fail_plain(EINVAL, "container '%s' is not running", operands.items[0]);
	usage_watch_close(&watch);
	return r < 0 ? r : 0;
}
