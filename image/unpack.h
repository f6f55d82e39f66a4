/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * unpack - a layer's bytes into a folder, by processes that are shut in
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/manifest.h"
#include "image/reference.h"
#include "image/writer.h"

struct unpack_job {
	int blob;			/* the layer as it came, its digest verified, at its beginning */
	int target;			/* an empty folder; -1: nothing is written, only the digest is wanted */
	const int *lower;		/* folders of the layers below, top-most first */
	size_t lower_count;
	bool user_xattr;		/* overlay marks as user.overlay.* alone */
	const char *diff;		/* digest of the tar; NULL: not known yet */
	struct unpack_limits limits;
};

struct unpack_result {
	char diff[DIGEST_TEXT];
	bool opaque;			/* it hides all below it */
	int64_t bytes, inodes;
};

/*
 * packing_of() - how a blob is packed, by its first bytes
 *
 * The file's offset is not moved. Return: enum packing, or a recorded failure.
 */
int packing_of(int blob);

/*
 * unpack_layer() - undo the packing, check the digest of the tar, write its files
 *
 * On a failure @target is in an unknown state: remove it. Return: 0 with @ret, or a recorded failure.
 */
int unpack_layer(const struct unpack_job *job, struct unpack_result *ret);

/* unpack_plain() - undo the packing alone, into a file. @diff: what must come out. Return: 0 or a recorded failure. */
int unpack_plain(int blob, int to, const char *diff, const struct unpack_limits *limits);
