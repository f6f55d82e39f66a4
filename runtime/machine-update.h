/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * machine-update - the part of an update that a machine's guest does: memory, processes, devices
 *
 * Private to runtime/update.c, which does the rest to the cell.
 */

#include <stdbool.h>

#include <jansson.h>

#include "runtime/state.h"

struct container_place;

struct machine_update {
	bool is_one;		/* the container is a machine */
	struct state_dir dir;
	json_t *before;		/* what held inside; NULL: nothing was changed there */
};

/*
 * machine_update_inside() - have the agent change what is its to change of @resources; nothing to do without a machine
 *
 * What a machine has no home for is refused by name. Return: 0 with @ret for machine_update_done(), or a recorded failure.
 */
int machine_update_inside(const struct container_place *place, const char *id, json_t *resources,
			  struct machine_update *ret);

/* machine_update_done() - with @undo: the rest failed, and so what held before is asked for again; the failure keeps its text. */
void machine_update_done(struct machine_update *update, bool undo);
