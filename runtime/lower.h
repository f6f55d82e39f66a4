/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * lower - layers that the parent has to take, since the child could not
 *
 * A layer that is no folder but a file with a file system in it (EROFS): only root may mount one, and only outside of the
 * container's user namespace and device filter. The kernel reads the file itself where it can (Linux 6.12 with
 * CONFIG_EROFS_FS_BACKED_BY_FILE), else by a loop device that goes with the mount. A block device with one is such a layer too,
 * and is not copied to memory when it is memory itself (a virtual machine's pmem). And all layers of a container that gets a
 * user namespace of its own: the way to them may be closed to the users in it; those of an image are id-mapped too,
 * so that its files are theirs. Each is a detached mount, which the child attaches while it makes the overlay.
 */

#include <stddef.h>

struct rootfs;

struct lower {
	char *path;	/* absolute */
	int mount;	/* detached */
};

/* lowers_take() - in the parent: what the overlay on "/" needs, and the folder of its upper. Return: 0 or a recorded failure. */
int lowers_take(struct rootfs *r);

/* lower_find_taken() - the mount that was taken for the layer at @path, borrowed; -1: none was */
int lower_find_taken(const struct rootfs *r, const char *path);

void lowers_done(struct rootfs *r);
