/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * load - images from folders and archives, by skopeo's names for them
 *
 *	oci:DIR[:TAG]		a folder in OCI's layout
 *	oci-archive:FILE[:TAG]	the same as a tar, packed or not
 *	docker-archive:FILE	what `docker save` writes
 *	-			either archive, on an open fd
 */

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "image/manifest.h"
#include "image/reference.h"
#include "image/store.h"
#include "image/writer.h"
#include "runtime/base/str.h"

struct load {
	struct store *store;
	const struct reference *name;	/* to give the image; NULL: the name that comes with it, if any */
	const struct platform *platform;
	struct unpack_limits limits;
	void (*say)(void *arg, const char *what, const char *digest, int64_t size);	/* may be NULL */
	void *arg;
};

/*
 * image_load_from() - load what @place names
 * @in: fd that "-" stands for
 * @ret: "MANIFEST NAME" of each image, or "MANIFEST" alone when it got no name; added to
 *
 * Return: 0 or a recorded failure; images that were complete before it stay.
 */
int image_load_from(const struct load *load, const char *place, int in, struct str_list *ret);

/*
 * image_import() - one layer, and a config made for it
 * @fd: a tar, packed or not, or a folder
 * @config: the config's "config" object, NULL for none
 *
 * Return: 0 with the manifest's digest in @ret, or a recorded failure.
 */
int image_import(const struct load *load, int fd, json_t *config, char ret[DIGEST_TEXT]);

/*
 * image_commit() - an image of another one and what was changed in it
 * @base: of the load's store
 * @fd: the upper folder of an overlay over the base's layers
 * @changes: laid over the config's "config" object: maps and the environment by name, all else replaces; NULL for none
 *
 * Return: 0 with the manifest's digest in @ret, or a recorded failure.
 */
int image_commit(const struct load *load, const struct image *base, int fd, json_t *changes, char ret[DIGEST_TEXT]);
