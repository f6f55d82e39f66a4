/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * output - what commands print: JSON, and tables for people
 */

#include <jansson.h>

#include "runtime/base/str.h"

/* output_json() - print @v, indented, and take over the reference. NULL is out of memory. Return: 0 or a recorded failure. */
int output_json(json_t *v);

/* output_list() - print JSON made of @items, each taken over; @count 0 is an empty array. */
int output_list(json_t **items, size_t count);

/*
 * output_table() - print rows of cells, each column as wide as its widest cell
 * @cells: row by row, the headings first
 *
 * What cannot be printed as it is (a program's arguments may hold anything) is escaped.
 */
void output_table(const struct str_list *cells, size_t columns);

/* format_check() - whether @format is "table" or "json". Return: 0 or a recorded failure. */
struct command;
int format_check(const struct command *command, const char *format);
