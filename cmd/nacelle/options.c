/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk over argv by the command's table. Words that are no options are moved behind the others when the
 * command takes options among its operands, so that `delete ID --force` is understood; a command that
 * starts a program stops at the first operand, since what follows belongs to that program.
 */
#include "cmd/nacelle/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/nacelle/command.h"

enum { ROWS_MAX = 64, HELP_COLUMN = 30 };

const struct option_row options_none[] = {
	{ .name = NULL },
};

struct walk {
	const struct command *command;	/* NULL: the global options */
	const struct option_row *rows;
	bool stops;
	int argc, at;
	char **argv;
	void *target;
	bool help;
};

int usage_fail(const struct command *command, const char *fmt, ...)
{
	cleanup_free char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return fail(ENOMEM, "make a text");
	}
	return fail_plain(EINVAL, "%s (see 'nacelle %s%s--help')", text, command ? command->name : "",
			  command ? " " : "");
}

static const struct option_row *row_by_name(const struct option_row *rows, const char *name, size_t length)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == length && strncmp(rows->name, name, length) == 0)
			return rows;
	return NULL;
}

static const struct option_row *row_by_letter(const struct option_row *rows, char letter)
{
	for (; rows->name; rows++)
		if (rows->letter && rows->letter == letter)
			return rows;
	return NULL;
}

static int fail_unknown(const struct walk *w, const char *name, size_t length)
{
	const char *names[ROWS_MAX + 1], *near;
	cleanup_free char *word = strndup(name, length);
	size_t n = 0;

	if (!word)
		return fail(ENOMEM, "read an option");
	for (const struct option_row *row = w->rows; row->name && n < ROWS_MAX; row++)
		names[n++] = row->name;
	names[n] = NULL;
	near = str_nearest(word, names);
	if (near)
		return usage_fail(w->command, "unknown option '--%s', did you mean '--%s'?", word, near);
	return usage_fail(w->command, "unknown option '--%s'", word);
}

static int flag_store(const struct walk *w, const struct option_row *row, const char *value)
{
	bool *flag = (void *)((char *)w->target + row->offset);

	if (value && !str_eq(value, "true") && !str_eq(value, "false"))
		return usage_fail(w->command, "--%s: '%s' is neither 'true' nor 'false'", row->name, value);
	*flag = !value || str_eq(value, "true");
	return 0;
}

static int value_store(const struct walk *w, const struct option_row *row, const char *value)
{
	void *place = (char *)w->target + row->offset;

	switch (row->kind) {
	case OPTION_STRING:
		*(const char **)place = value;
		return 0;
	case OPTION_LIST:
		return str_list_add(place, value);
	case OPTION_NUMBER:
		if (str_to_u64(value, UINT32_MAX, place) < 0)
			return usage_fail(w->command, "--%s: '%s' is not a number", row->name, value);
		return 0;
	case OPTION_FLAG:
	case OPTION_REFUSED:
		break;
	}
	return 0;
}

/* @value: what stood in the same word, or NULL; otherwise the next word is taken. */
static int row_store(struct walk *w, const struct option_row *row, const char *value)
{
	if (row->kind == OPTION_REFUSED)
		return fail_plain(ENOTSUP, "--%s: not supported%s%s", row->name, row->help ? ": " : "",
				  row->help ? row->help : "");
	if (row->kind == OPTION_FLAG)
		return flag_store(w, row, value);
	if (!value) {
		if (w->at >= w->argc)
			return usage_fail(w->command, "--%s needs %s", row->name, row->argument);
		value = w->argv[w->at++];
	}
	return value_store(w, row, value);
}

static int long_read(struct walk *w, const char *word)
{
	size_t length = strcspn(word, "=");
	const struct option_row *row = row_by_name(w->rows, word, length);

	if (row)
		return row_store(w, row, word[length] ? word + length + 1 : NULL);
	if (str_eq(word, "help")) {
		w->help = true;
		return 0;
	}
	return fail_unknown(w, word, length);
}

/* One word of letters: flags, and at its end at most one that has a value. */
static int letters_read(struct walk *w, const char *word)
{
	int r = 0;

	while (r == 0 && *word) {
		const struct option_row *row = row_by_letter(w->rows, *word);
		const char *value = NULL;

		if (!row && *word == 'h') {
			w->help = true;
			return 0;
		}
		if (!row)
			return usage_fail(w->command, "unknown option '-%c'", *word);
		word++;
		if (row->kind != OPTION_FLAG && row->kind != OPTION_REFUSED && *word) {
			value = word + (*word == '=');
			word = "";
		} else if (row->kind == OPTION_FLAG && *word == '=') {
			value = word + 1;
			word = "";
		}
		r = row_store(w, row, value);
	}
	return r;
}

/* Read all options; operands are gathered at the front of argv[1…]. Return: how many, or a recorded failure. */
static int walk_all(struct walk *w)
{
	int kept = 0, r = 0;

	w->at = 1;
	while (r == 0 && !w->help && w->at < w->argc) {
		char *word = w->argv[w->at++];

		if (str_eq(word, "--"))
			break;
		if (word[0] == '-' && word[1]) {
			r = word[1] == '-' ? long_read(w, word + 2) : letters_read(w, word + 1);
			continue;
		}
		w->argv[1 + kept++] = word;
		if (w->stops)
			break;
	}
	while (r == 0 && !w->help && w->at < w->argc)
		w->argv[1 + kept++] = w->argv[w->at++];
	return r < 0 ? r : kept;
}

static void help_print(const struct command *command)
{
	(void)printf("usage: nacelle %s%s%s%s\n\n%s\n", command->name, command->options->name ? " [OPTION...]" : "",
		     *command->synopsis ? " " : "", command->synopsis, command->help ? command->help : "for the keeper of a container alone");
	if (command->options->name) {
		(void)printf("\n");
		options_print(command->options);
	}
}

void options_print(const struct option_row *rows)
{
	for (; rows->name; rows++) {
		char letter[] = { '-', rows->letter, ',', ' ', '\0' };
		int n = printf("  %s--%s%s%s", rows->letter ? letter : "    ", rows->name, rows->argument ? " " : "",
			       rows->argument ? rows->argument : "");

		if (n >= HELP_COLUMN) {
			(void)printf("\n");
			n = 0;
		}
		(void)printf("%*s%s\n", HELP_COLUMN - n, "", rows->kind == OPTION_REFUSED ? "not supported" : rows->help);
	}
}

int options_parse(const struct command *command, int argc, char **argv, size_t min, size_t max, void *target,
		  struct operands *ret)
{
	struct walk w = {
		.command = command, .rows = command->options, .stops = command->flags & COMMAND_STOPS,
		.argc = argc, .argv = argv, .target = target,
	};
	int n = walk_all(&w);

	if (n < 0)
		return n;
	if (w.help) {
		help_print(command);
		return OPTIONS_HELPED;
	}
	if ((size_t)n < min)
		return usage_fail(command, "usage: nacelle %s %s", command->name, command->synopsis);
	if ((size_t)n > max)
		return usage_fail(command, "'%s' is one argument too many", argv[1 + max]);
	*ret = (struct operands){ .items = argv + 1, .count = (size_t)n };
	return 0;
}

int options_read(const struct option_row *rows, int argc, char **argv, void *target)
{
	struct walk w = { .rows = rows, .stops = true, .argc = argc, .argv = argv, .target = target };

	return walk_all(&w);
}
