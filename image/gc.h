/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * gc - taking things out of a store
 *
 * Names go first, then the record, and only when that is on the disk what it named. Records and content are removed by
 * who holds the store alone (STORE_ALONE), so that nobody is just about to use them.
 */

#include <stdbool.h>
#include <stdint.h>

#include "image/store.h"

struct reference;

/* image_untag() - remove a name. Return: 0, IMAGE_NOT_FOUND, or a recorded failure. */
int image_untag(const struct store *store, const struct reference *ref);

/*
 * image_forget() - remove an image's record and all its names; needs the store alone
 *
 * Return: 0, IMAGE_USED with the user in the recorded text, or a recorded failure.
 */
enum { IMAGE_USED = 1 };
int image_forget(const struct store *store, const char *manifest);

struct collected {
	int64_t images, layers, blobs, bytes;
};

/*
 * store_collect() - remove what no image needs; needs the store alone
 * @unnamed: images without a name first
 * @unused: all images that no container uses first
 *
 * Return: 0 or a recorded failure.
 */
int store_collect(const struct store *store, bool unnamed, bool unused, struct collected *ret);
