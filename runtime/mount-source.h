/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mount-source - what a mount of the spec shows: a new file system, or a tree of the host
 */

#include <stdbool.h>
#include <stddef.h>

struct mount_new;
struct rootfs;
struct spec_mount;

/* mount_is_bind() - whether @m shows a tree of the host rather than a file system of its own */
bool mount_is_bind(const struct spec_mount *m);

/*
 * mount_is_late() - whether @m is to be read-only but must be written to while the root is set up:
 * a tmpfs
 */
bool mount_is_late(const struct spec_mount *m);

/*
 * mount_source_path() - a bind's source, absolute. @ret_path: malloc'ed. Return: 0 or a recorded
 * failure.
 */
int mount_source_path(const struct rootfs *r, const struct spec_mount *m, char **ret_path);

/*
 * mount_source_is_new() - whether @m is a file system of its own and nothing else, with no label that the spec gives it
 *
 * Return: true with what is to be mounted; it points into @m.
 */
bool mount_source_is_new(const struct rootfs *r, const struct spec_mount *m, struct mount_new *ret_want);

/*
 * mount_source() - mount @i of the spec as a detached tree. Return: 0 with @ret_tree the caller's,
 * or a recorded failure.
 */
int mount_source(struct rootfs *r, size_t i, int *ret_tree);

/*
 * mount_sources_take() - in the parent: take the trees that the child would have no right to
 *
 * See rootfs_prepare(). Return: 0 or a recorded failure.
 */
int mount_sources_take(struct rootfs *r);
