/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * erofs - an image's layers as one file: made by mkfs.erofs(1), kept in the store by the chain of its layers
 *
 *	erofs/CHAIN/image	the file system; image_erofs() (image/store.h) finds it
 *	erofs/CHAIN/erofs.json	its digest
 *
 * It is a cache: gc.c removes it with the last image that has these layers, and whoever wants it again makes it again. The
 * same layers make the same bytes, as long as the program is the same.
 */

#include "image/stage.h"
#include "image/writer.h"

struct erofs_result {
	char *path;		/* absolute, the caller's */
	int64_t size;
	bool made;		/* now; false: it was there */
};

/* erofs_make() - make it unless it is there. Return: 0 or a recorded failure; then nothing is left. */
int erofs_make(struct store *store, const struct image *image, const struct unpack_limits *limits,
	       struct erofs_result *ret);

/* erofs_check() - whether the file is what was made. Return: 0, EROFS_MISSING, EROFS_DAMAGED, or a recorded failure. */
enum { EROFS_DAMAGED = 2 };
int erofs_check(const struct store *store, const struct image *image);

/* erofs_remove() - who has it mounted keeps it. Return: 0 or a recorded failure. */
int erofs_remove(const struct store *store, const char *chain);
