/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tree - folders whose content is somebody else's: removed, compared, and paths in them opened
 *
 * No link is ever followed, and no more than a few dozen fds are held however deep a tree is.
 */

#include <dirent.h>
#include <sys/types.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

/* tree_open() - open @path below @dir with no symbolic link in it. @flags: O_CLOEXEC is added. Return: fd or -errno (nothing recorded). */
int tree_open(int dir, const char *path, int flags, mode_t mode);

/* tree_remove() - remove @dir/@name and all in it; one that is not there is fine. Return: 0 or a recorded failure. */
int tree_remove(int dir, const char *name);

/* tree_remove_others() - remove all that stands in @dir but @keep, and names that begin with a dot. Return: 0 or a recorded failure. */
int tree_remove_others(int dir, const char *keep);

/*
 * tree_compare() - whether two trees hold the same: names, kinds, modes, owners, times, links, attributes, content
 *
 * Return: 0 when they do, TREE_DIFFERS with the first difference recorded (fail_text()), or a recorded failure.
 */
enum { TREE_DIFFERS = 1 };
int tree_compare(int a, int b);

/* folder_read() - names in @dir/@path, sorted, without those that begin with a dot; none when it is missing. Return: 0 or a recorded failure. */
int folder_read(int dir, const char *path, struct str_list *ret);
