/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pull, push - images from and to a registry
 */

#include "image/load.h"
#include "image/registry.h"

struct pull {
	const struct load *load;	/* its name is not looked at: the image is called as it was asked for */
	const struct reference *ref;
	const struct registry_options *registry;
	const struct str_list *mirrors;				/* of the registry, NULL: none */
	void (*progress)(void *arg, int64_t done, int64_t all);	/* may be NULL; in another process */
	void (*passed_by)(void *arg, const char *mirror, const char *why);	/* the same */
};

/* image_pull() - Return: 0 with the manifest's digest in @ret, or a recorded failure. */
int image_pull(const struct pull *pull, char ret[DIGEST_TEXT]);

/* image_push() - what the registry has already is not sent. Return: 0 or a recorded failure. */
int image_push(const struct load *load, const struct image *image, const struct reference *ref,
	       const struct registry_options *registry);
