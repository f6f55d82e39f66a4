/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stop - ending a container as its owner chose
 */

#include <stdint.h>

struct container_info;
struct globals;

struct stop_options {
	uint64_t time;		/* seconds; UINT64_MAX: not given */
};

/*
 * stop_payload() - its stop signal, time to act on it, and KILL
 * @info: of one that is not stopped
 *
 * Returns when its process has ended. Return: 0 or a recorded failure.
 */
int stop_payload(const struct globals *globals, const char *id, const struct container_info *info, const struct stop_options *o);

/* keeper_silent() - record that its keeper does not answer. Return: -EBUSY. */
int keeper_silent(const char *id);
