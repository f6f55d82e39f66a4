/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `density`: how many instances of a spec a machine holds, and what each more costs. Step by step: start them, let the
 * machine settle, measure; as containers, as virtual machines of three kinds, one kind after the other.
 */
#include "cmd/nacelle/density.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

enum { COUNT_MAX = 100000, SETTLE_STEP_MS = 500, SETTLED_STEPS = 3, STATUS_INTERRUPTED = 128 + SIGINT };

struct density_options {
	uint64_t count, parallel;
	const char *leave, *settle, *answer, *tsv, *json, *plot;
	struct str_list kinds;
};

#define DENSITY(member) offsetof(struct density_options, member)

const struct option_row density_options[] = {
	{ "count", 'n', OPTION_NUMBER, DENSITY(count), "N", "how many at most (100)" },
	{ "as", 0, OPTION_LIST, DENSITY(kinds), "KIND", "container, vm, vm-template or qemu; more than once: in turn (container)" },
	{ "parallel", 0, OPTION_NUMBER, DENSITY(parallel), "N", "start so many at once (1)" },
	{ "leave", 0, OPTION_STRING, DENSITY(leave), "SIZE", "stop when less memory than this is available (512M)" },
	{ "settle", 0, OPTION_STRING, DENSITY(settle), "TIME", "wait at most so long for the machine to settle (10s)" },
	{ "answer", 0, OPTION_STRING, DENSITY(answer), "TEXT", "it has answered when it writes this (its first line)" },
	{ "tsv", 0, OPTION_STRING, DENSITY(tsv), "FILE", "write the steps there, separated by tabs" },
	{ "json", 0, OPTION_STRING, DENSITY(json), "FILE", "write the steps and every start there" },
	{ "plot", 0, OPTION_STRING, DENSITY(plot), "FILE", "draw charts: FILE.svg or FILE.png (needs gnuplot)" },
	{ .name = NULL },
};

/* What `run` is told so that an instance becomes one of this kind. */
static const struct kind {
	const char *name, *words[2];
} kinds[] = {
	{ "container", { NULL } },
	{ "vm", { "--vm", "--no-template" } },
	{ "vm-template", { "--vm", "--template" } },
	{ "qemu", { "--vm", "--hypervisor=" QEMU } },
};

struct density {
	const struct globals *globals;
	struct density_options o;
	int64_t leave;
	uint64_t settle_us;
	const struct operands *words;	/* for `run`: its own options behind a "--", the spec, what stands behind it */
	struct report report;
};

static volatile bool stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = true;
}

/* A line that is written over, for whoever waits at a terminal. */
static void progress(const char *kind, size_t n, size_t count, const char *what)
{
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K%s: %zu of %zu, %s", kind, n, count, what);
}

static void progress_end(void)
{
	if (isatty(STDERR_FILENO))
		(void)fputs("\r\033[K", stderr);
}

/* 1, 2, 5, 10, 20, 50… and the last. */
static size_t step_next(size_t n, size_t last)
{
	size_t decade = 1, next;

	while (decade * 10 <= n)
		decade *= 10;
	next = n < decade * 2 ? decade * 2 : n < decade * 5 ? decade * 5 : decade * 10;
	if (n == 0)
		next = 1;
	return next < last ? next : last;
}

/* Until what is available has not moved by more than a thousandth for a while. */
static int settle(const struct density *d, struct memory_host *ret)
{
	const struct timespec step = { .tv_nsec = SETTLE_STEP_MS * 1000000L };
	uint64_t steps = d->settle_us / 1000 / SETTLE_STEP_MS;
	struct memory_host before;
	int still = 0, r = measure_host(&before);

	for (uint64_t i = 0; r == 0 && i < steps && still < SETTLED_STEPS && !stopped; i++) {
		(void)nanosleep(&step, NULL);
		r = measure_host(ret);
		if (r == 0) {
			uint64_t a = before.available, b = ret->available;

			still = (a > b ? a - b : b - a) < (b >> 10) ? still + 1 : 0;
			before = *ret;
		}
	}
	if (r == 0)
		*ret = before;
	return r;
}

static int step_measure(const struct density *d, struct fleet *fleet, size_t first, const struct memory_host *empty,
			struct series *series)
{
	struct measurement *steps = reallocarray(series->steps, series->count + 1, sizeof(*steps));
	struct measurement m;
	struct memory_host now;
	int r = steps ? 0 : fail(ENOMEM, "measure");

	if (r < 0)
		return r;
	series->steps = steps;
	r = fleet_listen(fleet, first, d->o.answer, (int64_t)d->settle_us * 1000, &stopped);
	if (r == 0)
		r = settle(d, &now);
	if (r == 0)
		r = fleet_measure(fleet, first, &m);
	if (r < 0)
		return r;
	m.host = (int64_t)empty->available - (int64_t)now.available;
	m.slab = (int64_t)now.slab - (int64_t)empty->slab;
	m.cached = (int64_t)now.cached - (int64_t)empty->cached;
	steps[series->count++] = m;
	return 0;
}

/* Return: 1 when there is no more room for as many again as the last step added, 0, or a recorded failure. */
static int room_ends(const struct density *d, const struct series *series, size_t next)
{
	const struct measurement *last = &series->steps[series->count - 1];
	int64_t each = last->host > 0 ? last->host / (int64_t)last->n : 0;
	struct memory_host now;
	int r = measure_host(&now);

	if (r < 0 || (int64_t)now.available - each * (int64_t)(next - last->n) >= d->leave)
		return r;
	log_line(LOG_LEVEL_WARNING, "%zu more instances would leave less than %lld MiB of memory: this is the end", next - last->n,
		 (long long)d->leave >> 20);
	return 1;
}

static int series_run(const struct density *d, struct fleet *fleet, struct series *series)
{
	struct memory_host empty;
	int r = settle(d, &empty);

	while (r == 0 && !stopped && fleet->count < d->o.count) {
		size_t first = fleet->count, next = step_next(first, d->o.count);

		r = series->count > 0 ? room_ends(d, series, next) : 0;
		if (r != 0)
			break;
		progress(series->kind, first, d->o.count, "starting");
		r = fleet_grow(fleet, next, &stopped);
		progress(series->kind, fleet->count, d->o.count, "measuring");
		if (r == 0 && !stopped)
			r = step_measure(d, fleet, first, &empty, series);
	}
	progress_end();
	return r < 0 ? r : 0;
}

/* Return: NULL when there is no such kind. */
static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* All of one kind, and their end, whatever happened. */
static int kind_run(struct density *d, const char *kind)
{
	enum { WORDS_MAX = 29 };
	struct series *series = &d->report.series[d->report.count];
	struct str_list words = { .items = NULL };
	struct fleet fleet = { .globals = d->globals, .kind = kind, .words = &words, .parallel = d->o.parallel };
	const struct kind *how = kind_find(kind);
	cleanup_free char *text = NULL;
	int r = 0, ended;

	if (d->words->count > WORDS_MAX)
		return usage_fail(d->globals->command, "more than %d words behind the options", WORDS_MAX);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(how->words) && how->words[i]; i++)
		r = str_list_add(&words, how->words[i]);
	for (size_t i = 0; r == 0 && i < d->words->count; i++)
		r = str_list_add(&words, d->words->items[i]);
	if (r < 0) {
		str_list_done(&words);
		return r;
	}
	series->kind = kind;
	d->report.count++;
	r = series_run(d, &fleet, series);
	if (r < 0)
		(void)str_format(&text, "%s", fail_text());
	progress(kind, fleet.count, fleet.count, "deleting");
	ended = fleet_end(&fleet);
	progress_end();
	str_list_done(&words);
	series->items = fleet.items;
	series->item_count = fleet.count;
	return r < 0 && text ? fail_plain(-r, "%s", text) : r < 0 ? r : ended;
}

static int options_check(struct density *d)
{
	const struct command *command = d->globals->command;
	struct density_options *o = &d->o;

	if (o->count < 1 || o->count > COUNT_MAX)
		return usage_fail(command, "--count: %llu is not 1 to %d", (unsigned long long)o->count, COUNT_MAX);
	if (o->parallel < 1 || o->parallel > PARALLEL_MAX)
		return usage_fail(command, "--parallel: %llu is not 1 to %d", (unsigned long long)o->parallel, PARALLEL_MAX);
	if (str_to_bytes(o->leave, &d->leave) != 0 || d->leave < 0)
		return usage_fail(command, "--leave: '%s' is no size, as 512M is", o->leave);
	if (str_to_usec(o->settle, &d->settle_us) != 0)
		return usage_fail(command, "--settle: '%s' is no time, as 10s is", o->settle);
	if (o->kinds.count == 0 && str_list_add(&o->kinds, "container") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < o->kinds.count; i++) {
		if (!kind_find(o->kinds.items[i]))
			return usage_fail(command, "--as: '%s' is none of container, vm, vm-template and qemu", o->kinds.items[i]);
		for (size_t j = 0; j < i; j++)
			if (str_eq(o->kinds.items[i], o->kinds.items[j]))
				return usage_fail(command, "--as: '%s' twice", o->kinds.items[i]);
	}
	return o->plot ? report_plot_check(o->plot) : 0;
}

static int density_run(struct density *d)
{
	struct memory_host host;
	int r = options_check(d);

	if (r == 0)
		r = measure_host(&host);
	if (r < 0)
		return r;
	d->report.words = d->words;
	d->report.memory = host.total;
	for (size_t i = 0; r == 0 && i < d->o.kinds.count && !stopped; i++)
		r = kind_run(d, d->o.kinds.items[i]);
	if (r == 0)
		r = report_table(&d->report);
	if (r == 0 && d->o.tsv)
		r = report_tsv(&d->report, d->o.tsv);
	if (r == 0 && d->o.json)
		r = report_json(&d->report, d->o.json);
	if (r == 0 && d->o.plot)
		r = report_plot(&d->report, d->o.plot);
	return r == 0 && stopped ? STATUS_INTERRUPTED : r;
}

int cmd_density(const struct globals *globals, int argc, char **argv)
{
	struct density d = { .globals = globals,
			     .o = { .count = 100, .parallel = 1, .leave = "512M", .settle = "10s" } };
	struct sigaction action = { .sa_handler = on_signal };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &d.o, &operands);

	if (r == 0) {
		(void)sigaction(SIGINT, &action, NULL);
		(void)sigaction(SIGTERM, &action, NULL);
		d.words = &operands;
		r = density_run(&d);
	} else if (r == OPTIONS_HELPED) {
		r = 0;
	}
	for (size_t i = 0; i < d.report.count; i++) {
		free(d.report.series[i].steps);
		free(d.report.series[i].items);
	}
	str_list_done(&d.o.kinds);
	return r;
}
