/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * save - an image out of the store, byte for byte as it came: its digest stays
 */

#include "image/store.h"

/*
 * image_save() - write an image to a place, as `load` understands it
 * @name: to put into the archive; NULL for none
 * @out: fd that "-" (an OCI archive) stands for
 *
 * oci:DIR[:TAG] adds to a layout that is there. Return: 0 or a recorded failure.
 */
int image_save(struct store *store, const struct image *image, const char *name, const char *place, int out);

/* image_export() - the image's root as one tar. Return: 0 or a recorded failure. */
int image_export(const struct store *store, const struct image *image, int out);
