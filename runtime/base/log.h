/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * log - lines for whoever runs us: warnings, and with --debug what is being done
 *
 * Goes to stderr, or to the file that --log names; as text, or as the JSON lines that containerd and
 * podman read ({"level":…,"msg":…,"time":…}). Failures are not logged here: they are returned.
 */

#include <stdbool.h>

#include "runtime/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/*
 * log_open() - choose where and how to write
 * @file: NULL for stderr; created with mode 0600 and appended to
 * @json: JSON lines rather than text
 * @level: lines below it are dropped
 *
 * Return: 0 or a recorded failure. Before it is called: text, stderr, warnings and errors.
 */
int log_open(const char *file, bool json, enum log_level level);

/* log_line() - write one line; never fails, keeps errno. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* log_error() - write the last line of a failing command: to stderr always, and to --log as well. */
void log_error(const char *text);

/* log_is_debug() - for callers to whom preparing a line costs something. */
bool log_is_debug(void);

#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
