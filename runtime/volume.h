/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * volume - folders with a name that outlive containers
 *
 *	<data>/volumes/NAME/_data	what containers see of it
 *	<data>/volumes/NAME/volume.json	when it was made, its labels, whether it was made for one container
 *	<data>/volumes/NAME/fill	not empty: what the image has at its place is still to be copied into it
 *	<data>/volumes/NAME/uses/USER	a container that has it; holds the boot's id, and counts until the next boot
 *	<data>/volumes/.lock		flock: held while any of this is looked at or changed
 *
 * A volume is made and removed beside its place, under a name that begins with a dot, and renamed: it is there whole or not
 * at all. What such names a killed process left is removed by the next one.
 */

#include <stdbool.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

enum { VOLUME_NAME_MAX = 128 };
enum { VOLUME_NOT_FOUND = 1, VOLUME_EXISTS = 2 };

/* volume_name_is_valid() - [A-Za-z0-9][A-Za-z0-9_.-]*, as docker has it */
bool volume_name_is_valid(const char *name);
int volume_name_check(const char *name);	/* Return: 0 or a recorded failure. */

/* The volumes' folder, locked. */
struct volumes {
	char *path;	/* <data>/volumes */
	int dir, lock;
};
#define VOLUMES_NONE { .path = NULL, .dir = -1, .lock = -1 }

/* volumes_open() - open and lock the folder. @make: when it is missing. Return: 0, VOLUME_NOT_FOUND (there is none), or a recorded failure. */
int volumes_open(const char *data, bool make, struct volumes *ret);
void volumes_close(struct volumes *v);
#define cleanup_volumes __attribute__((cleanup(volumes_close)))

/*
 * volume_make() - make one
 * @labels: an object of strings; NULL
 * @anonymous: it was made for one container
 * @uid, @gid: whose folder it is
 *
 * Return: 0, VOLUME_EXISTS, or a recorded failure.
 */
int volume_make(const struct volumes *v, const char *name, json_t *labels, bool anonymous, uid_t uid, gid_t gid);

struct volume_info {
	char *name, *path, *created;	/* path: of _data */
	bool anonymous;
	json_t *labels;			/* an object */
	struct str_list users;		/* "ID (in FOLDER)" of containers of this boot */
};

/* volume_look() - Return: 0 with @ret (volume_info_done()), VOLUME_NOT_FOUND, or a recorded failure. */
int volume_look(const struct volumes *v, const char *name, struct volume_info *ret);
void volume_info_done(struct volume_info *info);

/* volume_list() - names, sorted. Return: 0 or a recorded failure. */
int volume_list(const struct volumes *v, struct str_list *ret);

/* volume_use() - record that @user (a file's name) has it; @text tells it to people. Return: 0 or a recorded failure. */
int volume_use(const struct volumes *v, const char *name, const char *user, const char *text);
/* volume_unuse() - the end of it; what is not there is fine. Return: 0 or a recorded failure. */
int volume_unuse(const struct volumes *v, const char *name, const char *user);

/* volume_remove() - with all in it, when nobody has it. Return: 0, VOLUME_NOT_FOUND, or a recorded failure (EBUSY). */
int volume_remove(const struct volumes *v, const char *name);
