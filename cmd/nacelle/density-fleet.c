/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instances are started as anybody would, by `nacelle run --detach`, so that what is measured is what is used. It tells
 * by --moments when a container was made and when its program ran; when that answered stands in the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/density.h"
#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/moment.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"
#include "runtime/usage.h"

enum { TEXT_SIZE = 256, LISTEN_STEP_NS = 2000000 };

/* A start under way. */
struct start {
	pid_t pid;
	int fd;			/* of what --moments writes to; -1: there is none */
	size_t item;
	char text[TEXT_SIZE];
	size_t size;
};

static int instance_add(struct fleet *fleet)
{
	struct instance *item;
	int r;

	if (fleet->count == fleet->room) {
		size_t room = fleet->room ? 2 * fleet->room : 64;
		struct instance *items = reallocarray(fleet->items, room, sizeof(*items));

		if (!items)
			return fail(ENOMEM, "start another instance");
		fleet->items = items;
		fleet->room = room;
	}
	item = &fleet->items[fleet->count];
	*item = (struct instance){ .moments = { -1, -1, -1 } };
	r = str_format(&item->id, "density-%d-%s-%zu", (int)getpid(), fleet->kind, fleet->count + 1);
	fleet->count += r == 0;
	return r;
}

/* Its moments come at its descriptor 3. */
static int words_make(const struct fleet *fleet, const char *id, struct str_list *ret)
{
	static const char *const fixed[] = { "run", "--detach", "--moments=3", "--name" };
	int r = str_list_add(ret, "/proc/self/exe");

	if (r == 0)
		r = container_place_words(&fleet->globals->place, ret);
	/* A configuration may say otherwise. */
	if (r == 0 && !fleet->globals->place.systemd_cgroup)
		r = str_list_add(ret, "--systemd-cgroup=false");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = str_list_add(ret, fixed[i]);
	if (r == 0)
		r = str_list_add(ret, id);
	for (size_t i = 0; r == 0 && i < fleet->words->count; i++)
		r = str_list_add(ret, fleet->words->items[i]);
	return r;
}

static int start_begin(struct fleet *fleet, struct start *start)
{
	struct str_list words = { .items = NULL };
	struct instance *item;
	int ends[2], r = instance_add(fleet);

	if (r < 0)
		return r;
	start->item = fleet->count - 1;
	item = &fleet->items[start->item];
	r = words_make(fleet, item->id, &words);
	if (r == 0 && pipe2(ends, O_CLOEXEC) < 0)
		r = fail(errno, "make a pipe");
	if (r == 0) {
		item->asked = clock_ns();
		r = spawn(words.items, (int[]){ SPAWN_NULL, SPAWN_NULL, SPAWN_SAME, ends[1] }, 4, &start->pid);
		(void)close(ends[1]);
		if (r < 0) {
			(void)close(ends[0]);
			r = fail(-r, "start an instance");
		}
	}
	str_list_done(&words);
	if (r < 0)
		return r;
	start->fd = ends[0];
	start->size = 0;
	return 0;
}

static void moments_read(struct instance *item, char *text)
{
	static const char *const names[] = { [MOMENT_CREATED] = "created ", [MOMENT_STARTED] = "started " };
	char *save = NULL;

	for (const char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			const char *value = str_starts(line, names[i]);

			if (value)
				item->moments[i] = strtoll(value, NULL, 10);
		}
	}
}

/* The stream has ended: the instance runs, or will never. */
static int start_finish(struct fleet *fleet, struct start *start)
{
	struct instance *item = &fleet->items[start->item];
	int status;

	(void)close(start->fd);
	start->fd = -1;
	start->text[start->size] = '\0';
	moments_read(item, start->text);
	status = proc_reap(start->pid);
	if (status > 0)
		return fail_plain(EINVAL, "instance '%s' cannot be started", item->id);
	return status;
}

static int start_read(struct fleet *fleet, struct start *start)
{
	ssize_t n = read(start->fd, start->text + start->size, sizeof(start->text) - 1 - start->size);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n > 0 && start->size + (size_t)n < sizeof(start->text) - 1) {
		start->size += (size_t)n;
		return 0;
	}
	return start_finish(fleet, start);
}

/* Return: how many are under way, or a recorded failure when one of them failed. */
static int starts_wait(struct fleet *fleet, struct start *starts)
{
	struct pollfd wait[PARALLEL_MAX];
	int r = 0, left = 0;

	for (size_t i = 0; i < fleet->parallel; i++)
		wait[i] = (struct pollfd){ .fd = starts[i].fd, .events = POLLIN };
	if (poll(wait, fleet->parallel, -1) < 0 && errno != EINTR)
		return fail(errno, "wait for instances");
	for (size_t i = 0; i < fleet->parallel; i++) {
		int one = starts[i].fd >= 0 && wait[i].revents ? start_read(fleet, &starts[i]) : 0;

		r = one < 0 ? one : r;
		left += starts[i].fd >= 0;
	}
	return r < 0 ? r : left;
}

int fleet_grow(struct fleet *fleet, size_t count, const volatile bool *stop)
{
	struct start starts[PARALLEL_MAX];
	int r = 0, left = 0;

	for (size_t i = 0; i < PARALLEL_MAX; i++)
		starts[i].fd = -1;
	do {
		for (size_t i = 0; i < fleet->parallel && r == 0 && !*stop && fleet->count < count; i++)
			if (starts[i].fd < 0)
				r = start_begin(fleet, &starts[i]);
		left = 0;
		for (size_t i = 0; i < fleet->parallel; i++)
			left += starts[i].fd >= 0;
		if (left > 0) {
			int one = starts_wait(fleet, starts);

			r = one < 0 ? one : r;
		}
	} while (left > 0 || (r == 0 && !*stop && fleet->count < count));
	return r;
}

/* --- when it answered ----------------------------------------------------------------------------- */

/* The time of a log's line, if it is the one that is waited for. Return: ns of CLOCK_REALTIME, or -1. */
static int64_t line_time(const char *line, size_t size, const char *text)
{
	cleanup_json json_t *v = json_loadb(line, size, 0, NULL);
	const char *said = json_string_value(json_object_get(v, "log")), *time = json_string_value(json_object_get(v, "time"));
	struct timespec now = { .tv_sec = 0 }, at;

	if (!said || !time || (text && !strstr(said, text)) || moment_read(time, &now, &at) != 0)
		return -1;
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int64_t log_time(const char *path, const char *text)
{
	cleanup_free char *line = NULL;
	FILE *file = fopen(path, "re");
	int64_t at = -1;
	size_t room = 0;
	ssize_t n;

	if (!file)
		return -1;
	while (at < 0 && (n = getline(&line, &room, file)) > 0 && line[n - 1] == '\n')
		at = line_time(line, (size_t)n, text);
	(void)fclose(file);
	return at;
}

static int instance_listen(const struct fleet *fleet, struct instance *item, const char *text)
{
	struct timespec now = { .tv_sec = 0 };
	cleanup_free char *path = NULL;
	int64_t at;
	int r = str_format(&path, "%s/containers/%s/log", fleet->globals->place.data, item->id);

	if (r < 0)
		return r;
	at = log_time(path, text);
	/* A log has the time of day. */
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (at >= 0)
		item->moments[MOMENT_ANSWERED] = at - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - clock_ns());
	return 0;
}

int fleet_listen(struct fleet *fleet, size_t first, const char *text, int64_t timeout_ns, const volatile bool *stop)
{
	const struct timespec step = { .tv_nsec = LISTEN_STEP_NS };
	int64_t end = clock_ns() + timeout_ns;
	size_t i = first;

	while (i < fleet->count && !*stop) {
		int r = instance_listen(fleet, &fleet->items[i], text);

		if (r < 0)
			return r;
		if (fleet->items[i].moments[MOMENT_ANSWERED] >= 0)
			i++;
		else if (clock_ns() >= end)
			return 0;
		else
			(void)nanosleep(&step, NULL);
	}
	return 0;
}

/* --- what they take ------------------------------------------------------------------------------- */

/* Of a machine: its attendant, its monitor, and QEMU where that is. */
static int processes_measure(const struct fleet *fleet, const char *id, bool is_machine, struct measurement *m)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = container_pids(&fleet->globals->place, id, &pids, &count);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = is_machine ? measure_machine(pids[i], &m->payload, &m->overhead) : measure_process(pids[i], &m->payload);
	return r;
}

static int instance_measure(const struct fleet *fleet, const char *id, struct measurement *m)
{
	struct usage_watch watch = USAGE_WATCH_NONE;
	struct usage usage;
	struct container_info info;
	int r = look(fleet->globals, id, &info);

	if (r < 0)
		return r;
	r = info.keeper_pid > 0 ? measure_process(info.keeper_pid, &m->overhead) : 0;
	if (r == 0)
		r = usage_watch_open(&fleet->globals->place, id, &watch);
	if (r == 0)
		r = processes_measure(fleet, id, watch.counts >= 0, m);
	if (r == 0) {
		r = usage_read(&watch, &usage);
		if (r == 0) {
			m->cgroups = m->cgroups == UINT64_MAX || usage.stats.memory_current == STAT_NONE ?
				UINT64_MAX : m->cgroups + usage.stats.memory_current;
			usage_done(&usage);
		}
	}
	if (r == USAGE_STOPPED)
		r = fail_plain(EINVAL, "instance '%s' has ended (status %d): what is measured has to go on running", id,
			       info.exit_known ? info.exit_status : -1);
	usage_watch_close(&watch);
	container_info_done(&info);
	return r;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

size_t durations(const struct instance *items, size_t count, enum moment moment, int64_t *values)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (items[i].moments[moment] >= 0)
			values[n++] = items[i].moments[moment] - items[i].asked;
	qsort(values, n, sizeof(values[0]), compare);
	return n;
}

/* By nearest rank. */
static void percentiles(const struct fleet *fleet, size_t first, enum moment moment, int64_t *values, struct measurement *m)
{
	size_t n = durations(fleet->items + first, fleet->count - first, moment, values);

	m->p50[moment] = n ? values[(n - 1) / 2] : -1;
	m->p99[moment] = n ? values[(n * 99 + 99) / 100 - 1] : -1;
}

int fleet_measure(const struct fleet *fleet, size_t first, struct measurement *ret)
{
	cleanup_free int64_t *values = calloc(fleet->count - first + 1, sizeof(*values));
	int r = values ? 0 : fail(ENOMEM, "measure %zu instances", fleet->count);

	*ret = (struct measurement){ .n = fleet->count };
	for (size_t i = 0; r == 0 && i < fleet->count; i++)
		r = instance_measure(fleet, fleet->items[i].id, ret);
	for (enum moment moment = 0; r == 0 && moment < MOMENTS; moment++)
		percentiles(fleet, first, moment, values, ret);
	return r;
}

int fleet_end(struct fleet *fleet)
{
	int last = 0;

	for (size_t i = 0; i < fleet->count; i++) {
		int r = container_delete_whole(&fleet->globals->place, fleet->items[i].id, true);

		if (r < 0 && last < 0)
			log_error(fail_text());
		last = r < 0 ? r : last;
		free(fleet->items[i].id);
		fleet->items[i].id = NULL;
	}
	return last;
}
