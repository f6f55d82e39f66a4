/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * density - what the parts of `density` share: many instances of one spec, and what was seen of them
 *
 * Moments are ns of CLOCK_MONOTONIC; memory is in bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/measure.h"

struct globals;
struct operands;
struct str_list;

/* From the order to start it: nacelle's own process is part of it. */
enum moment { MOMENT_CREATED, MOMENT_STARTED, MOMENT_ANSWERED, MOMENTS };

struct instance {
	char *id;
	int64_t asked, moments[MOMENTS];	/* -1: it is not known */
};

enum { PARALLEL_MAX = 64 };

/* All that were started of one kind. */
struct fleet {
	const struct globals *globals;
	const char *kind;		/* as in --as */
	const struct str_list *words;	/* for `nacelle run`: its options, the spec, what stands behind it */
	size_t parallel;		/* so many are started at once, at most PARALLEL_MAX */
	struct instance *items;
	size_t count, room;
};

/*
 * fleet_grow() - start instances until there are @count
 *
 * What one that cannot be started has to say stands on stderr. Return: 0 or a recorded failure; those started stay.
 */
int fleet_grow(struct fleet *fleet, size_t count, const volatile bool *stop);

/*
 * fleet_listen() - find out when those from @first on first said something, from their logs
 * @text: not just something, but a line with this in it; NULL
 * @timeout_ns: how long to wait for all of them together
 *
 * Return: 0, also when some have said nothing, or a recorded failure.
 */
int fleet_listen(struct fleet *fleet, size_t first, const char *text, int64_t timeout_ns, const volatile bool *stop);

/*
 * durations() - how long each took until @moment, in ascending order; of those of which it is known
 * @values: room for @count
 *
 * Return: how many they are.
 */
size_t durations(const struct instance *items, size_t count, enum moment moment, int64_t *values);

/* What there is of a fleet, once it has settled. */
struct measurement {
	size_t n;
	struct memory_use payload, overhead;	/* sums over all */
	uint64_t cgroups;			/* memory.current; UINT64_MAX: there is no memory controller */
	int64_t host, slab, cached;		/* more than before the first; of host: what is no longer available */
	int64_t p50[MOMENTS], p99[MOMENTS];	/* ns, of those started since the measurement before; -1: not known */
};

/* fleet_measure() - fill all but what is the host's. @first: index of the first that is new. Return: 0 or a recorded failure. */
int fleet_measure(const struct fleet *fleet, size_t first, struct measurement *ret);

/* fleet_end() - delete all of them. Return: 0, or the last recorded failure; the others are written as they come. */
int fleet_end(struct fleet *fleet);

/* A kind, from the first to the last step. */
struct series {
	const char *kind;
	struct measurement *steps;
	size_t count;
	struct instance *items;		/* every one that was started; ids are gone */
	size_t item_count;
};

struct report {
	const struct operands *words;	/* what was run */
	uint64_t memory;		/* of the machine */
	struct series series[4];
	size_t count;
};

/* report_table() - on standard output. report_tsv(), report_json() - to a file. Return: 0 or a recorded failure. */
int report_table(const struct report *report);
int report_tsv(const struct report *report, const char *path);
int report_json(const struct report *report, const char *path);

/*
 * report_plot() - charts of it by gnuplot
 * @path: ends in .svg or .png
 *
 * report_plot_check() says beforehand whether that can be. Return: 0 or a recorded failure.
 */
int report_plot_check(const char *path);
int report_plot(const struct report *report, const char *path);
