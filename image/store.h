/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * store - where images lie, as seen by who uses them; needs libc and jansson alone
 *
 *	blobs/ALGORITHM/HEX	manifests, configs, layers as they came, by digest
 *	layers/CHAIN/diff	a layer unpacked, in overlayfs form; CHAIN is the chain id of it and all below it
 *	layers/CHAIN/layer.json	what it was unpacked from
 *	images/HEX		one image, by its manifest's digest: written when all the above is whole and durable
 *	refs/REPOSITORY/TAG	a name: which image it stands for ('/' of the repository is written '+')
 *	uses/NAME		a container that uses an image
 *	partial/, staging/	what is on its way
 *	lock			flock: shared while anything is read or added, exclusive while anything is removed
 *
 * What stands in images/ is complete: whoever finds it there needs no further check before use.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "runtime/base/str.h"

struct store {
	char *path;		/* absolute */
	char *registry;		/* what a name without a registry means */
	int dir;		/* the folder, O_PATH-less, close-on-exec */
	int lock;		/* holds the flock */
	bool user_xattr;	/* overlay marks are user.overlay.*: made and used outside the initial user namespace */
};

enum store_flags {
	STORE_CREATE = 1 << 0,	/* make it when it is missing */
	STORE_ALONE = 1 << 1,	/* exclusive lock, waits for nobody: STORE_BUSY */
	STORE_UNLOCKED = 1 << 2, /* no lock: for who ends a use, and does nothing else */
};
enum { STORE_NOT_FOUND = 1, STORE_BUSY = 2 };

/* store_default_path() - /var/lib/nacelle/store, or without root $XDG_DATA_HOME/nacelle/store. Return: 0 or a recorded failure. */
int store_default_path(char **ret_path);

/* store_path_absolute() - what store_open() makes of a path. Return: 0 or a recorded failure. */
int store_path_absolute(const char *path, char **ret_path);

/*
 * store_open() - open a store and take its lock, shared unless STORE_ALONE says otherwise
 * @path: NULL for the default one
 * @registry: what a name without a registry means; NULL for docker.io
 *
 * Return: 0 with @ret the caller's (store_free()), STORE_NOT_FOUND (nothing recorded) when there is none,
 * STORE_BUSY, or a recorded failure.
 */
int store_open(const char *path, const char *registry, unsigned int flags, struct store **ret);
struct store *store_free(struct store *store);
CLEANUP_DEFINE(struct store *, store_free)
#define cleanup_store __attribute__((cleanup(store_free_p)))

struct image_layer {
	char *chain;		/* hexadecimal; names its folder */
	char *diff, *blob;	/* digests, of the tar and of the layer as it came */
	int64_t size;		/* of the blob */
};

struct image {
	char *manifest, *config;	/* digests; the image's id is the config's */
	char *media_type;		/* of the manifest */
	struct image_layer *layers;	/* lowest first */
	size_t layer_count;
	int64_t base;			/* lowest layer that can be seen: one above may hide all below it */
	int64_t size;			/* bytes of the blobs */
	int64_t added;			/* seconds since 1970 */
};

enum { IMAGE_NOT_FOUND = 1 };

/*
 * image_find() - an image by name, by NAME@DIGEST, or by the beginning of its id (4 digits or more)
 * @ret_name: the name under which it was found, NULL when it was by id; may be NULL
 *
 * A name without a registry is looked for among the local ones first, then in the default registry.
 * Return: 0 with @ret the caller's (image_free()), IMAGE_NOT_FOUND (nothing recorded), or a recorded failure: a
 * wrong name, an id that fits several images, a broken record.
 */
int image_find(const struct store *store, const char *name, struct image **ret, char **ret_name);
struct image *image_free(struct image *image);
CLEANUP_DEFINE(struct image *, image_free)
#define cleanup_image __attribute__((cleanup(image_free_p)))

/* image_load() - an image by its manifest's digest. Return: as image_find(). */
int image_load(const struct store *store, const char *digest, struct image **ret);

/*
 * image_layers() - the unpacked layers as lowerdirs: absolute folders, lowest first, without those that cannot be seen
 *
 * They stay as long as the store's lock is held, or a use is recorded. Return: 0 or a recorded failure.
 */
int image_layers(const struct store *store, const struct image *image, struct str_list *ret);

/*
 * image_erofs() - the image's layers as one file, an EROFS file system, if it has been made (image/erofs.h)
 *
 * Uncompressed, every file's data in whole blocks, its size a multiple of 2 MiB: it can be mounted as it is or over a loop
 * device, be a disk of a virtual machine, or be mapped into its memory (pmem) with dax. It is read-only for good, and shared
 * by all who use it.
 * @ret_path: absolute, the caller's; stays as image_layers() do. NULL: only whether it is there
 *
 * Return: 0, EROFS_MISSING (nothing recorded): 'nacelle-image erofs IMAGE' makes it; or a recorded failure.
 */
enum { EROFS_MISSING = 1 };
int image_erofs(const struct store *store, const struct image *image, char **ret_path);

/* image_config() - the image's config as JSON (OCI image-spec; the process is under "config"). Return: 0 or a recorded failure. */
int image_config(const struct store *store, const struct image *image, json_t **ret);

/*
 * image_use() - record that @user needs this image, so that nothing removes it
 * @digest: of its manifest
 * @user: any text that names the container for good, 1 to 200 characters; the same one is replaced
 *
 * Ends with image_unuse(), or at the next boot.
 * Return: 0, IMAGE_NOT_FOUND (nothing recorded): it is not stored; or a recorded failure.
 */
int image_use(const struct store *store, const char *digest, const char *user);
/* image_unuse() - the end of it; one that is not there is fine. Return: 0 or a recorded failure. */
int image_unuse(const struct store *store, const char *user);

/* image_users() - who uses images: "MANIFEST USER" each, without those of another boot. Return: 0 or a recorded failure. */
int image_users(const struct store *store, struct str_list *ret);

/* A name and the image it stands for. */
struct image_name {
	char *name;		/* registry/path:tag or registry/path@digest */
	char *manifest;		/* digest */
};

/* image_names() - all names, sorted. The caller frees with image_names_free(). Return: 0 or a recorded failure. */
int image_names(const struct store *store, struct image_name **ret, size_t *ret_count);
void image_names_free(struct image_name *names, size_t count);

/* image_list() - digests of the manifests of all images, sorted. Return: 0 or a recorded failure. */
int image_list(const struct store *store, struct str_list *ret);
