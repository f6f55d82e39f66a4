/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * paths - what of the kernel's files is hidden from the container, or can only be read
 */

struct rootfs;

/*
 * paths_hide() - the step: linux.maskedPaths and linux.readonlyPaths
 *
 * A path that is not there is skipped. Return: 0 or a recorded failure.
 */
int paths_hide(struct rootfs *r);
