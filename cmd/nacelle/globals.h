/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * globals - the options before the command's name, over the user's configuration
 */

#include <stdbool.h>

#include "cmd/nacelle/options.h"

struct globals;

struct global_options {
	const char *root, *data, *log, *log_format, *rootless, *cgroup_manager, *criu;
	bool systemd_cgroup, debug, help, version;
};

extern const struct option_row global_options[];

/*
 * globals_set() - settle on the folders and on where messages go
 * @ret: strings live as long as the program
 *
 * Priority: option, configuration, what fits the user. Return: 0 or a recorded failure.
 */
int globals_set(const struct global_options *options, struct globals *ret);
