/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * logs-files - a log that is several files: "log", and older ones as "log.1", "log.2"…, while a keeper moves them on
 */

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Open files, oldest first. */
struct log_files {
	FILE **items;
	size_t count;
};

/*
 * log_files_open() - those that are there
 * @after: only those that are newer than this one; 0: all. When it is no longer there, all of them are.
 *
 * Opened from the newest on, so that one that is moved meanwhile is met again rather than missed.
 * Return: 0 or a recorded failure; no file at all is none.
 */
int log_files_open(int folder, ino_t after, struct log_files *ret);
/* log_files_close() - close what is not NULL. */
void log_files_close(struct log_files *files);

/*
 * log_files_tail() - place the files so that only the last @lines lines are read
 *
 * Return: 0 or a recorded failure.
 */
int log_files_tail(struct log_files *files, uint64_t lines);
