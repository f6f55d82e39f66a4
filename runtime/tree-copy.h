/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tree-copy - files and folders from one place to another, while somebody may be playing with either
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct id_maps;

struct tree_copy {
	bool one_mount;	/* what is mounted below the source is left out, an empty folder stands in its place */
	bool owners;	/* as they are; otherwise all that is made belongs to uid and gid */
	bool rights;	/* set-id bits and capabilities too: whoever chose them may give them to the owner */
	const struct id_maps *ids; /* with owners: the container's numbers; NULL: as they are */
	bool inward;	/* ids: the source is outside, the copy inside; otherwise the other way */
	uid_t uid;
	gid_t gid;
};

/*
 * tree_copy() - copy @from/@name to @to/@as, with modes, times and attributes of users
 * @from, @to: folders (O_PATH will do)
 * @name, @as: one name each
 *
 * A folder is laid over one that is there, anything else replaces what is no folder. No link is followed, each name is looked
 * up in a folder that is open; sockets are left out. Return: 0 or a recorded failure.
 */
int tree_copy(const struct tree_copy *how, int from, const char *name, int to, const char *as);

/* tree_copy_opened() - the same for a file or folder that is open already (O_PATH will do). */
int tree_copy_opened(const struct tree_copy *how, int fd, int to, const char *as);

/* tree_copy_content() - all that stands in the folder @from into the folder @to; a proc, sysfs or the like below it becomes an empty folder. */
int tree_copy_content(const struct tree_copy *how, int from, int to);
