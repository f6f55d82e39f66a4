/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * image-root - containers whose root is an image of the store
 *
 * The store is read as image/store.h has it, without the libraries that unpack or fetch: an image that is not there is
 * fetched by the program nacelle-image, and a stored one never starts it.
 */

#include <stdbool.h>

#include <jansson.h>

#include "runtime/base/str.h"

/*
 * image_program_run() - let nacelle-image do something, with our standard streams
 * @args: its verb and what follows, ended by NULL; fds that are named there are to be inheritable
 *
 * Return: its exit status (with any but 0 it has said itself what is wrong), or a recorded failure.
 */
int image_program_run(const char *const *args);

/* What a spec needs to know of an image. */
struct image_root {
	char *name;		/* as it was found: registry/path:tag, or the manifest's digest */
	char *manifest;		/* digest */
	struct str_list layers;	/* absolute folders, lowest first */
	json_t *config;		/* of the image: its "config" object, or NULL: it has none */
};

/*
 * image_root_find() - a stored image by name or id
 *
 * Return: 0 with @ret (image_root_done()), IMAGE_ROOT_MISSING (nothing recorded), or a recorded failure.
 */
int image_root_find(const char *name, struct image_root *ret);
enum { IMAGE_ROOT_MISSING = 1 };

/* image_root_fetch() - one that is not stored, from its registry. Return: 0 with @ret (image_root_done()), or a recorded failure. */
int image_root_fetch(const char *name, struct image_root *ret);

/*
 * image_root_erofs() - the layers of a stored image as one EROFS file; nacelle-image makes it when it is not there
 * @manifest: digest
 * @quiet: what that program says is not shown; a caller who can do without it
 * @ret_path: absolute, the caller's
 *
 * Return: 0 or a recorded failure.
 */
int image_root_erofs(const char *manifest, bool quiet, char **ret_path);

/*
 * image_root_stored() - whether the store has an image of that name; nothing is fetched
 *
 * Return: what it is called in full, the caller's; NULL: there is none.
 */
char *image_root_stored(const char *name);
void image_root_done(struct image_root *root);

/* The annotation that says which image a container has: its manifest's digest. */
#define IMAGE_ANNOTATION "image_digest"

/*
 * image_root_store() - which store the image of a spec is taken from, as the configuration says now
 * @ret_path: absolute, the caller's; unchanged when the spec has no image
 *
 * What is held is released by this path later, whatever the configuration says then. Return: 0 or a recorded failure.
 */
int image_root_store(const struct str_list *annotations, char **ret_path);

/*
 * image_root_hold() - record that a container uses the image that its spec names, so that nothing removes its layers
 * @store: of image_root_store()
 * @root: the folder of all state, which makes @id unique
 *
 * A spec without an image is fine. An image that went away since the spec was made is a failure.
 * Return: 0 or a recorded failure.
 */
int image_root_hold(const struct str_list *annotations, const char *store, const char *root, const char *id);

/* image_root_release() - the end of it. @annotations, @store: NULL: they are not known. Return: 0 or a recorded failure. */
int image_root_release(const struct str_list *annotations, const char *store, const char *root, const char *id);
