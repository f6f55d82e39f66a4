/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * upper - a folder on the disk for what one container writes to its root of layers
 *
 *	<data>/uppers/BOOT/ID-HASH/upper	overlay's upper folder
 *	<data>/uppers/BOOT/ID-HASH/work		what the kernel wants beside it
 *
 * It is mounted "volatile", so that no end of a container waits for the disk: it goes with the container, or when the next container is made after another boot: nobody can go on with it then.
 */

#include <stdbool.h>

struct container_place;
struct spec;
struct state_dir;

/* The option of the overlay that asks for it, and the one that takes it where it can be had, else memory. */
#define UPPER_OPTION "upper=disk"
#define UPPER_AUTO "upper=auto"
/* With a limit in bytes behind it. On the disk that takes project quotas (quota.h): without them "auto" is memory. */
#define UPPER_SIZE "size="

/*
 * upper_create() - the folder of a container that is being made, if its spec asks for one
 *
 * Of "auto" only where one can be had, and is worth it: a folder of the disk costs a start and an end a third more
 * than memory does, so whoever runs a container and waits for it (@passing) has memory.
 * @dir: locked; its root makes the id unique
 * @boot: as in the record
 * @passing: it is deleted by who starts it
 * @ret_path: the folder, the caller's; unchanged when there is none to make
 *
 * Return: 0 or a recorded failure.
 */
int upper_create(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id,
		 const struct spec *spec, bool passing, char **ret_path);

/* upper_path() - where it is, or would be. @ret_path: the caller's. Return: 0 or a recorded failure. */
int upper_path(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id, char **ret_path);

/* upper_remove() - the end of it; one that is not there is fine. @boot: NULL: ours. Return: 0 or a recorded failure. */
int upper_remove(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id);
