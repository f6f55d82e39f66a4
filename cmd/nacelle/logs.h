/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * logs - what reading a log is about, wherever it is kept
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/moment.h"

struct container_info;

struct reader {
	int folder;
	FILE *file;		/* the newest that was read */
	bool timestamps;
	char since[MOMENT_SIZE], until[MOMENT_SIZE];	/* "": no bound */
	struct timespec end;	/* the same as `until` */
	bool done;		/* a line was later than `until` */
	char *line;		/* of getline(3) */
	size_t room;
	bool said;		/* that a line makes no sense */
};

/* A line, or a piece of a long one. @time as moment_text() has it. */
struct entry {
	char *log, *stream, *time;
};

/* entry_print() - to the same stream of ours, if it is within the bounds */
void entry_print(struct reader *reader, const struct entry *e);

/* reader_time_left() - ms until `until`; -1: no bound */
int reader_time_left(const struct reader *reader);

/*
 * journal_print() - the same of systemd's journal, by journalctl(1)
 * @tail: so many of the last lines; UINT64_MAX: all
 *
 * Return: 0 or a recorded failure.
 */
int journal_print(struct reader *reader, bool follows, uint64_t tail, const struct container_info *info);
