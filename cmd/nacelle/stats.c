/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `stats`: what containers use, as a table that renews itself, or as JSON. The share of the CPU is that of the time
 * between two looks; so there are two even when only one is shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/state.h"
#include "runtime/usage.h"

struct stats_options {
	const char *format, *interval;
	bool no_stream;
};

const struct option_row stats_options[] = {
	{ "no-stream", 0, OPTION_FLAG, offsetof(struct stats_options, no_stream), NULL, "show them once, and end" },
	{ "format", 'f', OPTION_STRING, offsetof(struct stats_options, format), "FORMAT", "table or json" },
	{ "interval", 'i', OPTION_STRING, offsetof(struct stats_options, interval), "TIME", "between looks (1s)" },
	{ .name = NULL },
};

enum { COLUMNS = 7 };

/* One container, and how it was at the last look. */
struct row {
	struct usage_watch watch;
	struct usage usage;
	uint64_t cpu_us;		/* at the look before */
	int64_t looked_us;
	double cpu_percent;
	bool is_over;
};

struct table {
	struct row *rows;
	size_t count;
	uint64_t host_memory;
};

static uint64_t known(uint64_t value)
{
	return value == STAT_NONE ? 0 : value;
}

/* A limit beyond the memory there is, or none, is the memory there is. */
static uint64_t memory_limit(const struct table *t, const struct row *row)
{
	return row->usage.stats.memory_max < t->host_memory ? row->usage.stats.memory_max : t->host_memory;
}

/* What could be given up at once is not counted, as docker has it. */
static uint64_t memory_used(const struct row *row)
{
	uint64_t used = known(row->usage.stats.memory_current), idle = known(row->usage.stats.memory_inactive_file);

	return idle < used ? used - idle : used;
}

static double memory_percent(const struct table *t, const struct row *row)
{
	uint64_t limit = memory_limit(t, row);

	return limit ? 100.0 * (double)memory_used(row) / (double)limit : 0;
}

/* "1.5MiB"; three digits or so */
static int bytes_text(char text[static 32], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	return snprintf(text, 32, unit == 0 || value >= 100 ? "%.0f%s" : value >= 10 ? "%.1f%s" : "%.2f%s", value,
			units[unit]);
}

static int bytes_pair(struct str_list *cells, uint64_t a, uint64_t b)
{
	char first[32], second[32];

	(void)bytes_text(first, a);
	(void)bytes_text(second, b);
	return str_list_addf(cells, "%s / %s", first, second);
}

static void network_sums(const struct usage *usage, uint64_t *ret_in, uint64_t *ret_out)
{
	*ret_in = *ret_out = 0;
	for (size_t i = 0; i < usage->interface_count; i++) {
		*ret_in += usage->interfaces[i].received_bytes;
		*ret_out += usage->interfaces[i].sent_bytes;
	}
}

static int row_cells(const struct table *t, const struct row *row, struct str_list *cells)
{
	const struct cgroup_stats *s = &row->usage.stats;
	uint64_t in, out;
	int r = str_list_add(cells, row->watch.id);

	network_sums(&row->usage, &in, &out);
	if (r == 0)
		r = str_list_addf(cells, "%.2f%%", row->cpu_percent);
	if (r == 0)
		r = bytes_pair(cells, memory_used(row), memory_limit(t, row));
	if (r == 0)
		r = str_list_addf(cells, "%.2f%%", memory_percent(t, row));
	if (r == 0)
		r = bytes_pair(cells, in, out);
	if (r == 0)
		r = bytes_pair(cells, known(s->io_read_bytes), known(s->io_write_bytes));
	return r < 0 ? r : str_list_addf(cells, "%" PRIu64, known(s->pids_current));
}

/* Of another hypervisor's machine nobody told us these: no numbers rather than zeroes. */
static json_t *without_exits(json_t *machine)
{
	static const char *const names[] = { "exits", "kvm_exits", "kvm_faults", "kvm_interrupts", "unclaimed" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)json_object_del(machine, names[i]);
		(void)json_object_del(json_object_get(machine, "start"), names[i]);
	}
	return machine;
}

/* What its virtual machine did: left the guest, by reason for the monitor, in all for KVM. */
static json_t *machine_json(const struct vm_stats *s)
{
	json_t *exits = json_object(), *v;

	for (unsigned int i = 0; exits && i < VM_EXIT_KINDS; i++)
		(void)json_object_set_new(exits, vm_exit_name(i), json_integer((json_int_t)s->exits[i]));
	v = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:b, s:I, s:I, s:I, s:I, s:I}}", "exits", exits,
		      "kvm_exits", (json_int_t)s->kvm.exits, "kvm_faults", (json_int_t)s->kvm.faults, "kvm_interrupts",
		      (json_int_t)s->kvm.interrupts, "unclaimed", (json_int_t)s->unclaimed, "refused",
		      (json_int_t)s->refused, "broken", (json_int_t)s->broken, "lost", (json_int_t)s->lost,
		      "memory_returned", (json_int_t)s->returned, "start", "ready", s->said_hello != 0, "time_us",
		      (json_int_t)s->hello_us, "exits", (json_int_t)s->hello_exits, "kvm_exits",
		      (json_int_t)s->hello_kvm.exits, "kvm_faults", (json_int_t)s->hello_kvm.faults, "kvm_interrupts",
		      (json_int_t)s->hello_kvm.interrupts);
	return s->other ? without_exits(v) : v;
}

static json_t *row_json(const struct table *t, const struct row *row)
{
	const struct cgroup_stats *s = &row->usage.stats;
	uint64_t in, out;

	network_sums(&row->usage, &in, &out);
	return json_pack("{s:s, s:f, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:o*}", "id", row->watch.id, "cpu_percent",
			 row->cpu_percent, "memory_usage", (json_int_t)memory_used(row), "memory_limit",
			 (json_int_t)memory_limit(t, row), "memory_percent", memory_percent(t, row), "network_received",
			 (json_int_t)in, "network_sent", (json_int_t)out, "block_read",
			 (json_int_t)known(s->io_read_bytes), "block_written", (json_int_t)known(s->io_write_bytes),
			 "pids", (json_int_t)known(s->pids_current), "cpu_usage_us",
			 (json_int_t)known(s->cpu_usage_us), "vm",
			 row->usage.is_machine ? machine_json(&row->usage.machine) : NULL);
}

static int table_print(const struct table *t)
{
	static const char *const headings[COLUMNS] = { "ID",	  "CPU %",     "MEM USAGE / LIMIT", "MEM %",
						       "NET I/O", "BLOCK I/O", "PIDS" };
	struct str_list cells = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&cells, headings[i]);
	for (size_t i = 0; r == 0 && i < t->count; i++)
		if (!t->rows[i].is_over)
			r = row_cells(t, &t->rows[i], &cells);
	if (r == 0)
		output_table(&cells, COLUMNS);
	str_list_done(&cells);
	return r;
}

static int json_print(const struct table *t)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < t->count; i++)
		if (!t->rows[i].is_over && json_array_append_new(list, row_json(t, &t->rows[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	return output_json(list);
}

static int row_look(struct row *row)
{
	int64_t now = clock_ns() / 1000;
	struct usage usage;
	uint64_t cpu;
	int r = row->is_over ? USAGE_STOPPED : usage_read(&row->watch, &usage);

	if (r != 0) {
		row->is_over = true;
		return r < 0 ? r : 0;
	}
	usage_done(&row->usage);
	row->usage = usage;
	cpu = known(usage.stats.cpu_usage_us);
	if (row->looked_us && now > row->looked_us && cpu >= row->cpu_us)
		row->cpu_percent = 100.0 * (double)(cpu - row->cpu_us) / (double)(now - row->looked_us);
	row->cpu_us = cpu;
	row->looked_us = now;
	return 0;
}

/* Return: how many still live, or a recorded failure. */
static int table_look(struct table *t)
{
	int living = 0;

	for (size_t i = 0; i < t->count; i++) {
		int r = row_look(&t->rows[i]);

		if (r < 0)
			return r;
		living += !t->rows[i].is_over;
	}
	return living;
}

/* @named: the user asked for just this one */
static int row_add(struct table *t, const struct globals *globals, const char *id, bool named)
{
	struct row row = { .watch = USAGE_WATCH_NONE };
	int r = usage_watch_open(&globals->place, id, &row.watch);

	if (r == USAGE_STOPPED && named)
		return fail_plain(EINVAL, "container '%s' is not running", id);
	if (r < 0 && !named) {
		log_debug("%s, ignoring", fail_text());
		return 0;
	}
	if (r == 0)
		t->rows[t->count++] = row;
	return r < 0 ? r : 0;
}

static int table_fill(struct table *t, const struct globals *globals, const struct operands *operands)
{
	struct str_list ids = { .items = NULL };
	size_t count = operands->count;
	int r = count ? 0 : state_list(globals->place.root, &ids);

	if (r == 0 && !count)
		count = ids.count;
	t->rows = r == 0 ? calloc(count + 1, sizeof(*t->rows)) : NULL;
	if (r == 0 && !t->rows)
		r = fail(ENOMEM, "list the containers");
	for (size_t i = 0; r == 0 && i < count; i++)
		r = row_add(t, globals, operands->count ? operands->items[i] : ids.items[i], operands->count > 0);
	str_list_done(&ids);
	return r;
}

static void table_done(struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		usage_watch_close(&t->rows[i].watch);
		usage_done(&t->rows[i].usage);
	}
	free(t->rows);
}

static int show(struct table *t, const struct stats_options *o, uint64_t interval_us)
{
	bool json = str_eq(o->format, "json"), screen = !json && !o->no_stream && isatty(STDOUT_FILENO);
	const struct timespec pause = { .tv_sec = (time_t)(interval_us / 1000000),
					.tv_nsec = (long)(interval_us % 1000000) * 1000 };
	int living = table_look(t), r;

	do {
		if (living > 0) {
			(void)nanosleep(&pause, NULL);
			living = table_look(t);
		}
		if (living < 0)
			return living;
		if (screen)
			(void)fputs("\033[H\033[2J", stdout);
		r = json ? json_print(t) : table_print(t);
		if (fflush(stdout) != 0)
			return 0; /* told by main() */
	} while (r == 0 && living > 0 && !o->no_stream);
	return r;
}

int cmd_stats(const struct globals *globals, int argc, char **argv)
{
	struct stats_options o = { .format = "table", .interval = "1s" };
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	struct table t = { .host_memory = (uint64_t)pages * (uint64_t)page };
	struct operands operands;
	uint64_t interval_us;
	int r = options_parse(globals->command, argc, argv, 0, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r < 0)
		return r;
	if (str_to_usec(o.interval, &interval_us) < 0 || interval_us < 1000 || interval_us / 1000 > INT_MAX)
		return usage_fail(globals->command, "--interval: '%s' is not a time of at least 1ms", o.interval);
	r = table_fill(&t, globals, &operands);
	if (r == 0)
		r = show(&t, &o, interval_us);
	table_done(&t);
	return r;
}
