/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * target - places inside a root file system, found or made without ever leaving it
 */

#include <stdbool.h>

enum target_kind { TARGET_FILE, TARGET_DIRECTORY };

/*
 * target_make() - open @path below @root, making what is missing
 * @path: symlinks and ".." are resolved as if @root were "/"; a link that leads nowhere is followed
 * to
 *        where it points, and that is made
 * @kind: of the last component; the folders above it get mode 0755, a file 0644 (both under the
 * umask)
 *
 * Return: O_PATH fd, the caller's, or a recorded failure.
 */
int target_make(int root, const char *path, enum target_kind kind);

/*
 * target_parent() - the folder that @path's last component stands in, made when missing
 * @ret_name: points into @path, which must not end in '/'
 *
 * Return: O_PATH fd, the caller's, or a recorded failure.
 */
int target_parent(int root, const char *path, const char **ret_name);

/*
 * target_clean() - @path without "//", "." and "..", as text, always beginning with '/'
 * @ret_path: malloc'ed
 *
 * For comparing what a spec says, never for opening. Return: 0 or a recorded failure.
 */
int target_clean(const char *path, char **ret_path);
