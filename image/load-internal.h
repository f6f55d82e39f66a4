/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the loaders share.
 */

#include "image/load.h"
#include "image/stage.h"

/* file_open() - a regular file below a folder of somebody else's; links are followed as long as they stay below. Return: fd or a recorded failure. */
int file_open(int dir, const char *path);

/* file_text() - the whole of such a file. Return: 0 or a recorded failure. */
int file_text(int dir, const char *path, size_t limit, char **ret_text, size_t *ret_size);

/*
 * file_stage() - a copy of an open file in the stage (a user's own file could still change)
 * @d: what it is said to be; a file of another size is a failure before a byte is copied: holes cost its maker nothing
 * @ret_fd: the copy, for reading
 * @ret_path: of the copy, relative to the store
 *
 * Return: 0 or a recorded failure.
 */
int file_stage(const struct stage *stage, int fd, const struct descriptor *d, int *ret_fd, char **ret_path);

/* stream_copy() - all that can be read from an fd. Return: 0 or a recorded failure. */
int stream_copy(int from, int to, int64_t limit);

/* archive_stage() - spool @in when it cannot be read twice, and take the archive apart. @ret_dir: the folder. Return: 0 or a recorded failure. */
int archive_stage(const struct load *load, struct stage *stage, int in, int *ret_dir);

/* layout_load() - from a folder in OCI's layout. @tag: NULL for the only image. Return: 0 or a recorded failure. */
int layout_load(const struct load *load, struct stage *stage, int dir, const char *tag, const char *folder,
		struct str_list *ret);

/* docker_load() - from a folder with docker's manifest.json. Return: 0 or a recorded failure. */
int docker_load(const struct load *load, int dir, struct str_list *ret);

/* result_add() - "MANIFEST NAME" */
int result_add(struct str_list *ret, const char *digest, const struct reference *name);
