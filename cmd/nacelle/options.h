/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * options - one table of options a command: it parses them, prints --help, and names the nearest to a wrong one
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

struct command;

/* The type of what stands at the offset is in brackets. */
enum option_kind {
	OPTION_FLAG,	/* (bool): --x, --x=true, --x=false */
	OPTION_STRING,	/* (const char *): points into argv */
	OPTION_LIST,	/* (struct str_list): may be given again */
	OPTION_NUMBER,	/* (uint64_t): at most UINT32_MAX */
	OPTION_REFUSED,	/* known, and not supported yet; @help: why, and what to do instead, or NULL */
};

struct option_row {
	const char *name;	/* without "--" */
	char letter;		/* 0: none */
	enum option_kind kind;
	size_t offset;		/* into the command's own struct */
	const char *argument;	/* its name in --help; NULL for a flag */
	const char *help;
};

/* What a command without options of its own uses. */
extern const struct option_row options_none[];

/* Operands: argv[first] to argv[first + count - 1]. */
struct operands {
	char **items;
	size_t count;
};

enum { OPTIONS_HELPED = 1 };

/*
 * options_parse() - read a command's options
 * @argv: [0] is the command's name; reordered, so that what are no options stand last
 * @min, @max: how many operands there may be
 * @target: the command's struct; options that are not given leave it as it is
 *
 * Taken: --x=v, --x v, -xv, -x v, -x=v, several letters in one word, and "--", which ends the options. When the command
 * `stops`, so does the first operand.
 * Return: 0, OPTIONS_HELPED (--help was asked for and is printed: there is nothing more to do), or a recorded failure.
 */
int options_parse(const struct command *command, int argc, char **argv, size_t min, size_t max, void *target,
		  struct operands *ret);

/*
 * options_read() - the same for the global options, which stand before the command's name
 *
 * Return: how many words are left; they stand from argv[1] on. Or a recorded failure.
 */
int options_read(const struct option_row *rows, int argc, char **argv, void *target);

/* options_print() - a line for each option, on standard output. */
void options_print(const struct option_row *rows);

/* usage_fail() - record a failure of usage: "<text> (see 'nacelle run --help')". Return: -EINVAL. */
int usage_fail(const struct command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
