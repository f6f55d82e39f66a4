/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * overlay - a root file system made of layer folders
 *
 * The first mount of the spec, of type overlay with destination "/". Its options, paths absolute or
 * relative to the bundle:
 *	lowerdir+=DIR	a layer, top-most first; or the classic lowerdir=A:B; a file is an EROFS file system (lower.h)
 *	upper=WORD	where changes go: tmpfs, memory; disk, until the container is deleted; auto, one of the two (upper.h)
 *	upperdir=DIR	they are kept there; made when missing, as is workdir=DIR (else DIR.work beside it)
 *			without any of these it is read-only
 *	size=, nr_inodes=	of the tmpfs
 * All others go to the kernel as they are.
 */

#include <stdbool.h>

struct rootfs;
struct spec;
struct str_list;

/* overlay_wanted() - whether @spec's root is an overlay */
bool overlay_wanted(const struct spec *spec);

/* overlay_layers() - the absolute paths of the layers, top-most first. Return: 0 or a recorded failure. */
int overlay_layers(const struct rootfs *r, struct str_list *ret);

/*
 * overlay_mount() - mount it and attach it over "/". @ret_root: its mount, the caller's. Return: 0
 * or a recorded failure.
 */
int overlay_mount(struct rootfs *r, int *ret_root);
