/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the writer's own files share.
 */

#include <limits.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "image/writer.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

static inline bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/*
 * path_clean() - an entry's path as components joined by '/', "" for the root itself
 *
 * Return: 0 or a recorded failure for a path that is not to be used.
 */
int path_clean(const struct writer *w, const char *path, char ret[PATH_MAX]);

/*
 * parent_open() - the folder that holds @path's last component; made, like all above it, when it is missing
 * @ret_name: points into @path
 *
 * Return: an fd that the writer keeps (never close it), or a recorded failure.
 */
int parent_open(struct writer *w, const char *path, const char **ret_name);
/* parent_forget() - a folder was removed or replaced: what is kept may be stale */
void parent_forget(struct writer *w);

/* inode_count() - one more name. Return: 0 or a recorded failure. */
int inode_count(struct writer *w);
/* time_remember() - a folder's time is set when all is written. Return: 0 or a recorded failure. */
int time_remember(struct writer *w, const char *path, const struct timespec *time);
/* opaque_set() - hide what layers below have in this folder. Return: 0 or a recorded failure. */
int opaque_set(const struct writer *w, int dir, const char *name);

/*
 * lower_find() - what the layers below show at @path
 *
 * Return: 0 with @ret_fd (O_PATH, or with @flags) the caller's and @ret_st filled, LOWER_NONE, or a recorded failure.
 */
enum { LOWER_NONE = 1 };
int lower_find(const struct writer *w, const char *path, int flags, int *ret_fd, struct stat *ret_st);

/* xattrs_copy() - from one file to another, without overlay's own marks. Return: 0 or a recorded failure. */
int xattrs_copy(int from, int to);
/* xattr_wanted() - whether a layer may set it. Return: 1, 0 when it is left out, or a recorded failure when it is an attack. */
int xattr_wanted(const char *name);
