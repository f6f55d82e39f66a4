/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mounts - the mounts that the spec lists
 */

#include <stdbool.h>

struct rootfs;

/*
 * mounts_apply() - the step: mount all of them in their order, each by fd below the root
 * mounts_begin() - the same up to the first that shows the network namespace; mounts_apply() goes on from there
 *
 * Return: 0 or a recorded failure.
 */
int mounts_apply(struct rootfs *r);
int mounts_begin(struct rootfs *r);

/*
 * mounts_end_apart() - whether what mounts_begin() leaves can wait until devices are made and the root is switched: file systems of
 * its own that cover none of that
 */
bool mounts_end_apart(const struct rootfs *r);

/* mounts_apply_binds() - of a stopped container: binds and volumes alone. Return: 0 or a recorded failure. */
int mounts_apply_binds(struct rootfs *r);
