/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mounts - the mounts that the spec lists
 */

struct rootfs;

/*
 * mounts_apply() - the step: mount all of them in their order, each by fd below the root. Return: 0
 * or a recorded failure.
 */
int mounts_apply(struct rootfs *r);

/* mounts_apply_binds() - of a stopped container: binds and volumes alone. Return: 0 or a recorded failure. */
int mounts_apply_binds(struct rootfs *r);
