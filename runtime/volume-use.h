/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * volume-use - the volumes of one container: named, taken, filled, given back
 */

#include <stdbool.h>

struct container_place;
struct spec;
struct state;
struct state_dir;
struct str_list;

/* What a mount of type "volume" shows. For all other mounts path is NULL. */
struct volume_taken {
	char *path;	/* absolute, of its folder */
	int lock;	/* held as long as it may have to be filled; -1 */
	int fill;	/* what the root has there is to be copied into it, and this file emptied then; -1: not */
};

/* volumes_name() - names for all volumes of a spec, made up where it says none. Return: 0 or a recorded failure. */
int volumes_name(const struct spec *spec, struct str_list *ret);

/*
 * volumes_take() - in the parent: make those that are not there, record that we have them
 * @names: of volumes_name()
 * @ret: one for each mount, the caller's (volumes_done()); unchanged when there are no volumes
 *
 * A new volume, or an empty one that nobody else has, is to be filled from the root (but not with "nocopy"), and meanwhile locked.
 * Return: 0 or a recorded failure.
 */
int volumes_take(const struct container_place *place, const struct state_dir *dir, const char *id, const struct spec *spec,
		 const struct str_list *names, struct volume_taken **ret);
void volumes_done(struct volume_taken *taken, const struct spec *spec);

/*
 * volume_fill() - in the child: copy what the volume covers, if that is due
 * @tree, @target: the volume's folder, and the place that it is going to cover
 *
 * Return: 0 or a recorded failure.
 */
int volume_fill(const struct volume_taken *taken, int tree, int target);

/*
 * volumes_release() - a container is gone
 * @state: its record; NULL: it is not known, all volumes are looked through
 * @remove: those that were made for it as well
 *
 * Return: 0 or a recorded failure.
 */
int volumes_release(const struct container_place *place, const struct state_dir *dir, const struct state *state, const char *id,
		    bool remove);
