/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * inside - a container's files, seen from outside: all of them, or what it has changed in its layers
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "image/ids.h"
#include "runtime/state.h"

struct container_place;
struct str_list;

struct inside {
	struct state_dir dir;	/* of a stopped one, locked: nobody else mounts it meanwhile */
	int root;	/* its root folder, with all that is mounted there; -1 */
	uid_t uid;	/* who its root is outside */
	gid_t gid;
	struct id_maps ids; /* of its user namespace; none: its numbers are ours */
};

/*
 * inside_open() - the root of a container, running or stopped
 *
 * That of a stopped one is mounted anew, in a mount namespace that this process gets for itself: nothing is left of it when we
 * end. What was in memory is gone with its processes, and told so.
 * Return: 0 with @ret (inside_done()), CONTAINER_NOT_FOUND, or a recorded failure.
 */
int inside_open(const struct container_place *place, const char *id, struct inside *ret);
void inside_done(struct inside *inside);

/* What changed in the layers of a container's root. */
struct changes {
	int upper;		/* overlay's folder of what was written; -1 */
	char *manifest, *store;	/* the image below, and where it is; NULL: only folders */
	bool running;
};

/* changes_open() - Return: 0 with @ret (changes_done()), CONTAINER_NOT_FOUND, or a recorded failure that says why there are none to see. */
int changes_open(const struct container_place *place, const char *id, struct changes *ret);
void changes_done(struct changes *c);

/*
 * changes_list() - "A /path", "C /path", "D /path": added, changed, deleted; folders before what is in them, sorted
 *
 * The layers are mounted in a mount namespace that this process gets for itself. Return: 0, CONTAINER_NOT_FOUND, or a recorded failure.
 */
int changes_list(const struct container_place *place, const char *id, struct str_list *ret);
