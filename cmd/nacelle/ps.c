/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `ps`: the processes of a container as the host sees them; of a virtual machine, as its guest does. What stands behind the
 * id is for ps(1), whose lines about the container's processes are shown then, as runc has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/lines.h"
#include "cmd/nacelle/output.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"
#include "runtime/processes.h"

struct ps_options {
	const char *format;
};

const struct option_row ps_options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct ps_options, format), "FORMAT", "table or json" },
	{ .name = NULL },
};

enum { COLUMNS = 6 };

static int row_add(struct str_list *cells, const struct process_row *row)
{
	cleanup_free char *user = NULL;
	int r = user_name((uid_t)row->uid, &user);

	if (r == 0)
		r = str_list_addf(cells, "%" PRId64, row->pid);
	if (r == 0)
		r = str_list_addf(cells, "%" PRId64, row->parent);
	if (r == 0)
		r = user ? str_list_add(cells, user) : str_list_addf(cells, "%" PRId64, row->uid);
	if (r == 0)
		r = str_list_add(cells, row->state);
	if (r == 0)
		r = str_list_addf(cells, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, row->seconds / 3600,
				  row->seconds / 60 % 60, row->seconds % 60);
	return r < 0 ? r : str_list_add(cells, row->command);
}

static int print_table(const struct processes *list)
{
	static const char *const headings[COLUMNS] = { "PID", "PPID", "USER", "STAT", "TIME", "COMMAND" };
	struct str_list cells = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&cells, headings[i]);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = row_add(&cells, &list->rows[i]);
	if (r == 0)
		output_table(&cells, COLUMNS);
	str_list_done(&cells);
	return r;
}

static int print_json(const struct processes *list)
{
	json_t *v = json_array();

	for (size_t i = 0; v && i < list->count; i++)
		if (json_array_append_new(v, json_integer((json_int_t)list->rows[i].pid)) < 0) {
			json_decref(v);
			v = NULL;
		}
	return output_json(v);
}

/* What ps(1) prints, as it is filtered. */
struct filter {
	const struct processes *list;
	int column;	/* which of a line's words is the pid; -1 before its first line */
};

static const char blanks[] = " \t";

/* Which of a heading's words is the pid; it is taken apart. Return: its place, or a recorded failure. */
static int column_find(char *heading)
{
	char *rest = NULL, *word = strtok_r(heading, blanks, &rest);
	int column = 0;

	for (; word && !str_eq(word, "PID"); column++)
		word = strtok_r(NULL, blanks, &rest);
	return word ? column : fail_plain(EINVAL, "no column 'PID' in what 'ps' prints: choose it too (-o pid,…)");
}

/* Whether the pid in a line is one of ours; the line is taken apart. */
static bool is_ours(const struct filter *filter, char *line)
{
	char *rest = NULL, *word = strtok_r(line, blanks, &rest);
	int64_t pid;

	for (int column = 0; word && column < filter->column; column++)
		word = strtok_r(NULL, blanks, &rest);
	if (!word || str_to_i64(word, 1, INT64_MAX, &pid) < 0)
		return false;
	for (size_t i = 0; i < filter->list->count; i++)
		if (filter->list->rows[i].pid == pid)
			return true;
	return false;
}

static int line_take(char *line, size_t size, void *data)
{
	struct filter *filter = data;
	cleanup_free char *words = strndup(line, size);
	bool heading = filter->column < 0;

	if (!words)
		return fail(ENOMEM, "read a line of 'ps'");
	if (heading)
		filter->column = column_find(words);
	if (filter->column < 0)
		return filter->column;
	if (heading || is_ours(filter, words))
		(void)puts(line);
	return 0;
}

static int lines_filter(int fd, struct filter *filter)
{
	struct lines lines = { .data = NULL };
	int r;

	do
		r = lines_read(&lines, fd, line_take, filter);
	while (r == LINES_MORE);
	free(lines.data);
	return r;
}

/* @words: what ps(1) is called with, its name first, ended by NULL. */
static int ps_run(char **words, const struct processes *list)
{
	struct filter filter = { .list = list, .column = -1 };
	int ends[2], r, status;
	pid_t pid = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	r = spawn(words, (int[]){ SPAWN_NULL, ends[1], SPAWN_SAME }, 3, &pid);
	(void)close(ends[1]);
	if (r < 0) {
		(void)close(ends[0]);
		return fail(-r, "run 'ps' (Debian's package procps)");
	}
	r = lines_filter(ends[0], &filter);
	(void)close(ends[0]);
	status = proc_reap(pid);
	if (r == 0 && status > 0)
		r = fail_plain(EINVAL, "'ps' ended with status %d", status);
	return r < 0 || status >= 0 ? r : status;
}

/* crun takes our option behind the id as well. ps(1) has both letters, but no such words. */
static bool is_format(const struct operands *words)
{
	static const char *const forms[] = { "table", "json" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (words->count == 3 && str_eq(words->items[2], forms[i]) &&
		    (str_eq(words->items[1], "-f") || str_eq(words->items[1], "--format")))
			return true;
		if (words->count == 2 && str_starts(words->items[1], "--format=") &&
		    str_eq(words->items[1] + strlen("--format="), forms[i]))
			return true;
	}
	return false;
}

/* Read our options behind the first operand, too. Return: as options_parse(). */
static int options_behind(const struct globals *globals, struct operands *operands, size_t max, struct ps_options *o)
{
	struct operands rest;
	int r = options_parse(globals->command, (int)operands->count, operands->items, 0, max, o, &rest);

	if (r == 0)
		operands->count = 1 + rest.count;
	return r;
}

static int container_ps(const struct globals *globals, const struct operands *operands, const char *format)
{
	struct processes list = { .rows = NULL };
	char *id = operands->items[0];
	int r;

	if (operands->count > 1 && str_eq(format, "json"))
		return usage_fail(globals->command, "'%s': options of ps go with --format table alone", operands->items[1]);
	r = processes_list(&globals->place, id, &list);
	if (r == 0 && operands->count > 1 && list.guest) {
		r = fail_plain(EINVAL, "container '%s' is a virtual machine, whose processes the host's ps does not see: "
			       "leave '%s' away, or 'nacelle exec %s ps'", id, operands->items[1], id);
	} else if (r == 0 && operands->count > 1) {
		operands->items[0] = (char[]){ "ps" };
		operands->items[operands->count] = NULL;
		r = ps_run(operands->items, &list);
	} else if (r == 0) {
		r = str_eq(format, "json") ? print_json(&list) : print_table(&list);
	}
	processes_done(&list);
	return r;
}

int cmd_ps(const struct globals *globals, int argc, char **argv)
{
	struct ps_options o = { .format = "table" };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);
	bool stack;

	if (r != 0)
		return r < 0 ? r : 0;
	stack = stack_is_meant(globals, operands.items[0]);
	if (stack || is_format(&operands))
		r = options_behind(globals, &operands, stack ? SIZE_MAX : 0, &o);
	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r < 0)
		return r;
	return stack ? stack_ps(globals, &operands, o.format) : container_ps(globals, &operands, o.format);
}
