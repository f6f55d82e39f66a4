/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting, by looking again and again: what changes is in the state's folder, written by keepers, and a look costs some 50 µs.
 */
#include "runtime/service/stack-await.h"

#include <errno.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/container.h"
#include "runtime/service/stack-found.h"

enum { LOOK_MS = 25, SETTLE_MS = 10000 };

/* What a look has shown. */
enum verdict { NOT_YET, GOOD, BAD };

struct watching {
	const struct stack_replica *replica;
	enum stack_condition condition;
	bool fresh;	/* it was just made: to have been started again means that it has failed */
	bool running;	/* at the last look */
	bool twice;	/* its end was not known at the last look: the keeper may have written it down, and gone, within that */
};

static const char *health_of(const struct container_info *info)
{
	return info->tended.health ? info->tended.health : "";
}

/* Records a failure with BAD. */
static enum verdict ended_judge(const struct watching *w, const struct stack_container *c)
{
	const char *id = w->replica->id;

	if (c->complete && (w->condition != STACK_HEALTHY || w->fresh))
		return GOOD;
	if (c->complete)
		(void)fail_plain(ECHILD, "container '%s' has ended, and is not healthy", id);
	else if (w->fresh)
		(void)fail_plain(ECHILD, "container '%s' has ended with status %d", id, c->exit_status);
	else if (c->exit_status < 0)
		(void)fail_plain(ECHILD, "container '%s' has ended (see 'nacelle logs %s')", id, id);
	else
		(void)fail_plain(ECHILD, "container '%s' has ended with status %d (see 'nacelle logs %s')", id, c->exit_status, id);
	return BAD;
}

static enum verdict look_judge(const struct watching *w, const struct container_info *info, const struct stack_container *c)
{
	const char *id = w->replica->id;

	if (w->fresh && (info->tended.restarting || info->tended.restarts > 0)) {
		(void)fail_plain(ECHILD, "container '%s' ended with status %d as soon as it was started", id,
				 (int)info->tended.last_status);
		return BAD;
	}
	if (!c->running)
		return ended_judge(w, c);
	/* Between two lives, or its end is not yet known. */
	if (!w->running)
		return NOT_YET;
	if (w->condition == STACK_STARTED)
		return GOOD;
	if (w->condition == STACK_HEALTHY && str_eq(health_of(info), "unhealthy")) {
		(void)fail_plain(ECHILD, "container '%s' is unhealthy", id);
		return BAD;
	}
	return w->condition == STACK_HEALTHY && str_eq(health_of(info), "healthy") ? GOOD : NOT_YET;
}

/* Return: verdict, or a recorded failure. */
static int look(const struct container_place *place, struct watching *w)
{
	struct stack_container c = { .id = NULL };
	struct container_info info;
	int r = container_look(place, w->replica->id, &info);

	if (r != 0)
		return r < 0 ? r : fail_plain(ENOENT, "container '%s' is gone", w->replica->id);
	r = stack_container_read(&info, &c);
	if (r == 0) {
		bool unknown = !c.running && c.exit_status < 0;

		w->running = info.status == CONTAINER_RUNNING || info.status == CONTAINER_PAUSED;
		r = unknown && !w->twice ? NOT_YET : (int)look_judge(w, &info, &c);
		w->twice = unknown;
	}
	stack_container_done(&c);
	container_info_done(&info);
	return r;
}

static void pause_ms(uint64_t ms)
{
	const struct timespec time = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&time, NULL);
}

int stack_await_replica(const struct container_place *place, const struct stack_replica *replica, enum stack_condition condition,
			uint64_t timeout_ms)
{
	static const char *const words[] = { [STACK_STARTED] = "running", [STACK_HEALTHY] = "healthy", [STACK_COMPLETED] = "at its end" };
	struct watching w = { .replica = replica, .condition = condition };
	int64_t end = clock_ms() + (int64_t)timeout_ms;

	for (;;) {
		int r = look(place, &w);

		if (r != NOT_YET)
			return r == GOOD ? 0 : r < 0 ? r : -ECHILD;
		if (clock_ms() >= end)
			return fail_plain(ETIMEDOUT, "container '%s' is not %s after %llu s (see 'nacelle logs %s')", replica->id, words[condition],
					  (unsigned long long)timeout_ms / 1000, replica->id);
		pause_ms(LOOK_MS);
	}
}

int stack_await_good(const struct container_place *place, const struct stack_replica *replica, const struct stack_update *update)
{
	struct watching w = { .replica = replica, .condition = replica->has_health ? STACK_HEALTHY : STACK_COMPLETED, .fresh = true };
	uint64_t time = replica->has_health ? update->timeout_ms : update->watch_ms;
	int64_t end = clock_ms() + (int64_t)time;

	for (;;) {
		int r = look(place, &w);

		if (r != NOT_YET)
			return r == GOOD ? 0 : r < 0 ? r : -ECHILD;
		/* Without a check, to be still there is all that can be asked for. */
		if (clock_ms() >= end && !replica->has_health && w.running)
			return 0;
		if (clock_ms() >= end + SETTLE_MS && !replica->has_health)
			return fail_plain(ETIMEDOUT, "container '%s' does not run, and how it ended is not known", replica->id);
		if (clock_ms() >= end && replica->has_health)
			return fail_plain(ETIMEDOUT, "container '%s' did not become healthy in %llu s", replica->id,
					  (unsigned long long)time / 1000);
		pause_ms(LOOK_MS);
	}
}
