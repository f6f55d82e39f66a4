/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * restore-mounts - the options of a restored container's mounts are those that they had
 *
 * criu sets them on its own way, and forgets some: a root that was read-only comes back writable, and so does what is bound
 * from it. So checkpoint keeps the container's mountinfo beside the images, and this brings all mounts to what it says.
 */

#include <sys/types.h>

/* In the folder of images. */
#define RESTORE_MOUNTS "mountinfo"

/*
 * restore_mounts() - while none of its processes runs
 * @images: directory fd
 * @pid: of the container's first process
 *
 * Return: 0 or a recorded failure.
 */
int restore_mounts(int images, pid_t pid);
