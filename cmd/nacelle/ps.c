/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `ps`: the processes of a container as the host sees them; of a virtual machine, as its guest does. */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/output.h"
#include "cmd/nacelle/stack.h"
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

int cmd_ps(const struct globals *globals, int argc, char **argv)
{
	struct ps_options o = { .format = "table" };
	struct processes list = { .rows = NULL };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0 && stack_is_meant(globals, operands.items[0]))
		return stack_ps(globals, &operands, o.format);
	if (r == 0 && operands.count > 1)
		r = usage_fail(globals->command, "'%s' is a container: nothing goes behind it", operands.items[0]);
	if (r == 0)
		r = processes_list(&globals->place, operands.items[0], &list);
	if (r == 0)
		r = str_eq(o.format, "json") ? print_json(&list) : print_table(&list);
	processes_done(&list);
	return r;
}
