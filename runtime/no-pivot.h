/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * no-pivot - the root by a move and chroot(2), where pivot_root(2) cannot leave the host's: on an initramfs
 *
 * The host's root then lies under the container's, hidden by it alone. Whoever may unmount would uncover it, so a container
 * that could is refused: one with CAP_SYS_ADMIN, or a user namespace that has it. What else the host has mounted goes.
 */

struct rootfs;
struct spec;

/* no_pivot_check() - may a container of @spec have its root that way? Return: 0 or a recorded failure. */
int no_pivot_check(const struct spec *spec);

/* no_pivot_switch() - in place of pivot_root. Return: 0 or a recorded failure. */
int no_pivot_switch(struct rootfs *r);
