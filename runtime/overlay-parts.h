/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * overlay-parts - what the files of the overlay share: its options (overlay-options.c), the folders for changes
 * (overlay-upper.c), the mount itself (overlay.c)
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

struct rootfs;

struct layer {
	char *path;
	int fd;
	bool is_tree; /* the parent took it: the fd is a mount */
};

/* What the options say, and what was opened for it. */
struct overlay {
	struct layer *layers; /* top-most first */
	size_t layer_count;
	char *upper_path, *work_path; /* NULL: none, or a tmpfs */
	bool upper_tmpfs, upper_disk; /* "auto" has become one of them */
	struct str_list options, tmpfs_options;
	int tmpfs; /* mount of the tmpfs, -1 */
	int upper, work; /* O_PATH, -1 */
};

/*
 * overlay_options_read() - what the spec's options say, with the layers opened
 * @o: its fds are -1; on failure too the caller's to clear
 *
 * Return: 0 or a recorded failure.
 */
int overlay_options_read(const struct rootfs *r, struct overlay *o);

/* overlay_upper_open() - open, or make, where changes go; nothing where nothing may change. Return: 0 or a recorded failure. */
int overlay_upper_open(struct rootfs *r, struct overlay *o);
