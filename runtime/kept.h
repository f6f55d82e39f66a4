/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * kept - what the verbs read back of a container: its record, its spec, whether it lives
 *
 * Private to the life of a container; container.h has what others may ask.
 */

#include <stdbool.h>

#include "runtime/container.h"
#include "runtime/state.h"

struct cgroup;
struct spec;

/*
 * kept_open() - folder and record in one go
 *
 * Return: 0, STATE_NOT_FOUND (no folder, or no record in it), or a recorded failure.
 */
int kept_open(const struct container_place *place, const char *id, bool lock, struct state_dir *ret_dir,
	      struct state *ret_state);

/*
 * kept_end() - open a container that has ended, or will now, and take away all but its record, log and image
 * @ret_dir: locked
 *
 * Return: 0 or a recorded failure (no such container).
 */
int kept_end(const struct container_place *place, const char *id, struct state_dir *ret_dir, struct state *ret_state);

/* What the maker of a container remembers of it until its end. */
struct container_known {
	struct state_dir dir;	/* open, not locked */
	struct state state;
	struct state_mark mark;	/* of the record that says so */
};
void container_known_free(struct container_known *known);

/* kept_spec() - the spec as it was at create. spec_free() it. Return: 0 or a recorded failure. */
int kept_spec(const struct state_dir *dir, struct spec **ret_spec);

/* kept_json() - the same as JSON: new reference. */
int kept_json(const struct state_dir *dir, json_t **ret_v);

/* kept_status() - what the container is doing now. Return: 0 or a recorded failure. */
int kept_status(const struct state *state, enum container_status *ret_status);

/*
 * kept_cgroup() - open its cgroup
 * @ret_cg: cgroup_close() it; `made` as it was recorded
 *
 * Return: 0, CGROUP_NOT_FOUND (gone, or there never was one), or a recorded failure.
 */
int kept_cgroup(const struct state *state, struct cgroup *ret_cg);
