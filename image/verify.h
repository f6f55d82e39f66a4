/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * verify - whether what is stored is what its digests say
 */

#include <stdbool.h>

#include "image/store.h"
#include "image/writer.h"

struct verify {
	struct store *store;		/* alone (STORE_ALONE) to repair */
	bool repair;
	struct unpack_limits limits;
	/* found() - one thing that is wrong; @mended: and is right again */
	void (*found)(void *arg, const char *text, bool mended);
	void *arg;
	struct str_list chains, bad;	/* its own: layers that were looked at, and those that are damaged */
};

/*
 * image_verify() - read all blobs of an image, and compare its unpacked layers with them
 *
 * To repair: a layer is unpacked anew, unless a container uses the image. An image with a damaged blob is forgotten, and
 * the blob removed, so that it can be pulled again.
 * Return: 0, VERIFY_DAMAGED when something is wrong and stays so, or a recorded failure.
 */
enum { VERIFY_DAMAGED = 1 };
int image_verify(struct verify *v, const struct image *image);
