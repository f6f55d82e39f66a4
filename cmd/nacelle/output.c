/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard output. Whether it could all be written is found out once, by main(). */
#include "cmd/nacelle/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/nacelle/options.h"

enum { CELL_MAX = 4096, GAP = 3 };

int output_json(json_t *v)
{
	int r;

	if (!v)
		return fail(ENOMEM, "make the output");
	r = json_dumpf(v, stdout, JSON_INDENT(2));
	json_decref(v);
	if (r < 0)
		return ferror(stdout) ? 0 : fail(ENOMEM, "make the output");
	(void)putchar('\n');
	return 0;
}

int output_list(json_t **items, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, items[i]) < 0) {
			json_decref(list);
			list = NULL;
		}
	return output_json(list);
}

/* How many columns of a terminal a text takes: its characters, as far as UTF-8 tells. */
static size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

static size_t column_width(const struct str_list *cells, size_t columns, size_t column)
{
	char shown[CELL_MAX];
	size_t widest = 0;

	for (size_t i = column; i < cells->count; i += columns) {
		size_t n = text_width(str_printable(shown, sizeof(shown), cells->items[i]));

		widest = n > widest ? n : widest;
	}
	return widest;
}

void output_table(const struct str_list *cells, size_t columns)
{
	char shown[CELL_MAX];
	size_t widths[16] = { 0 };

	for (size_t c = 0; c < columns && c < ARRAY_SIZE(widths); c++)
		widths[c] = column_width(cells, columns, c);
	for (size_t i = 0; i < cells->count; i++) {
		size_t column = i % columns;

		(void)printf("%s", str_printable(shown, sizeof(shown), cells->items[i]));
		if (column == columns - 1)
			(void)putchar('\n');
		else
			(void)printf("%*s", (int)(widths[column] - text_width(shown)) + GAP, "");
	}
}

int format_check(const struct command *command, const char *format)
{
	if (str_eq(format, "table") || str_eq(format, "json"))
		return 0;
	return usage_fail(command, "--format: '%s' is neither 'table' nor 'json'", format);
}
