/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fields PAGE - print PAGE with its table of fields as the runtime's own tables have it: what stands between
 * the two comments that name this program is written anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/spec-write.h"

enum { WIDTH = 78 };

#define BEGIN ".\\\" table of man/fields.c: begin"
#define END   ".\\\" table of man/fields.c: end"

/* A word as roff reads it. Return: its width on the line. */
static int word_print(const char *word, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++, width++) {
		if (strncmp(word + i, "…", 3) == 0) {
			width += printf("\\[u2026]") - 1;
			i += 2;
		} else if (word[i] == '\\') {
			width += printf("\\e") - 1;
		} else {
			(void)putchar(word[i]);
		}
	}
	return width;
}

/* Filled lines, none of which begins as a request would. */
static void text_print(const char *text)
{
	int column = 0;

	for (const char *word = text; *word; word += strspn(word, " ")) {
		size_t n = strcspn(word, " ");

		if (column > 0 && column + 1 + (int)n > WIDTH) {
			(void)putchar('\n');
			column = 0;
		} else if (column > 0) {
			column += printf(" ");
		}
		if (column == 0 && strchr(".'", *word))
			column += printf("\\&");
		column += word_print(word, n);
		word += n;
	}
	(void)putchar('\n');
}

static int field_print(const struct spec_field_text *field, void *data)
{
	cleanup_free char *text = NULL;
	int r;

	(void)data;
	if (field->short_form)
		return 0;
	r = field->supported ? str_format(&text, "(%s) %s", field->type, field->help) :
			       str_format(&text, "Refused: %s", field->help);
	if (r < 0)
		return r;
	(void)printf(".It Li %s\n", field->path);
	text_print(text);
	return 0;
}

static int table_print(void)
{
	int r;

	(void)printf(".Bl -tag -width Ds -compact\n");
	r = spec_fields_walk(field_print, NULL);
	(void)printf(".El\n");
	return r;
}

int main(int argc, char **argv)
{
	FILE *page = argc == 2 ? fopen(argv[1], "re") : NULL;
	char line[1024];
	bool within = false, found = false;

	if (!page) {
		(void)fprintf(stderr, "usage: fields PAGE\n");
		return 1;
	}
	while (fgets(line, sizeof(line), page)) {
		within = within && !str_starts(line, END);
		if (!within)
			(void)fputs(line, stdout);
		if (!str_starts(line, BEGIN))
			continue;
		within = found = true;
		if (table_print() < 0) {
			(void)fprintf(stderr, "fields: %s\n", fail_text());
			return 1;
		}
	}
	(void)fclose(page);
	if (!found || within)
		(void)fprintf(stderr, "fields: '%s' has no place for the table\n", argv[1]);
	return !found || within;
}
