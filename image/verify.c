/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blobs are read again and hashed. A layer has no digest as a folder, so it is unpacked once more beside the old one,
 * and the two are compared name by name; a damaged one is then replaced by the fresh one.
 */
#include "image/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/erofs.h"
#include "image/gc.h"
#include "image/install.h"
#include "image/internal.h"
#include "image/stage.h"
#include "image/tree.h"
#include "image/unpack.h"
#include "runtime/base/error.h"

static void found(const struct verify *v, const char *what, const char *why, bool mended)
{
	cleanup_free char *text = NULL;

	if (str_format(&text, "%s: %s", what, why) >= 0)
		v->found(v->arg, text, mended);
}

/* Return: 0, VERIFY_DAMAGED, or a recorded failure. */
static int blob_check(const struct verify *v, const char *digest)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	char is[DIGEST_TEXT];
	int64_t size;
	int r = blob_open(v->store, NULL, digest, &fd);

	if (r == BLOB_MISSING) {
		found(v, digest, "the blob is missing", false);
		return VERIFY_DAMAGED;
	}
	if (r >= 0)
		r = digest_fd(fd, digest, INT64_MAX, is, &size);
	if (r < 0 || str_eq(is, digest))
		return r;
	found(v, digest, v->repair ? "the blob is damaged; removed, pull the image again" : "the blob is damaged", false);
	if (!v->repair)
		return VERIFY_DAMAGED;
	r = blob_path(digest, &path);
	if (r >= 0 && unlinkat(v->store->dir, path, 0) < 0)
		r = fail(errno, "remove '%s/%s'", v->store->path, path);
	return r < 0 ? r : VERIFY_DAMAGED;
}

static int blobs_check(const struct verify *v, const struct image *image)
{
	int damaged = 0, r = blob_check(v, image->manifest);

	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		damaged |= r;
		r = blob_check(v, image->layers[i].blob);
	}
	damaged |= r;
	if (r >= 0)
		r = blob_check(v, image->config);
	if (r < 0)
		return r;
	return damaged | r ? VERIFY_DAMAGED : 0;
}

/* The fresh one takes the place of the damaged one, which goes with the stage. */
static int layer_replace(const struct verify *v, const struct stage *stage, const char *chain)
{
	cleanup_free char *fresh = NULL, *place = NULL, *old = NULL;
	int r = str_format(&fresh, "%s/fresh", stage->path);

	if (r >= 0)
		r = str_format(&place, "layers/%s", chain);
	if (r >= 0)
		r = str_format(&old, "%s/old", stage->path);
	if (r < 0)
		return r;
	if (syncfs(v->store->dir) < 0)
		return fail(errno, "sync '%s'", v->store->path);
	if (renameat(v->store->dir, place, v->store->dir, old) < 0 && errno != ENOENT)
		return fail(errno, "move '%s/%s' away", v->store->path, place);
	if (renameat(v->store->dir, fresh, v->store->dir, place) < 0)
		return fail(errno, "put '%s/%s' in its place", v->store->path, place);
	return syncfs(v->store->dir) < 0 ? fail(errno, "sync '%s'", v->store->path) : 0;
}

static int chain_open(const struct store *store, const char *chain)
{
	cleanup_free char *path = NULL;
	int r = str_format(&path, "layers/%s/diff", chain), fd;

	if (r < 0)
		return r;
	fd = openat(store->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Unpack again and compare. Return: 0, TREE_DIFFERS with the difference recorded, or a recorded failure. */
static int layer_compare(const struct verify *v, const struct stage *stage, const struct image_layer *layer,
			 const int *lower, size_t lower_count)
{
	cleanup_fd int blob = -1, fresh = -1, there = -1;
	struct unpack_result result;
	int r = blob_open(v->store, NULL, layer->blob, &blob);

	if (r == BLOB_MISSING)
		return fail_plain(ENOENT, "blob %s is missing", layer->blob);
	if (r >= 0)
		r = layer_unpack(stage, "fresh", blob, layer->diff, lower, lower_count, &v->limits, &result, &fresh);
	if (r < 0)
		return r;
	there = chain_open(v->store, layer->chain);
	if (there < 0) {
		(void)fail(-there, "open the layer");
		return TREE_DIFFERS;
	}
	return tree_compare(there, fresh);
}

static bool is_used(const struct store *store, const char *manifest)
{
	struct str_list users = { .items = NULL };
	bool used = image_users(store, &users) < 0;

	for (size_t i = 0; i < users.count; i++)
		used = used || str_starts(users.items[i], manifest);
	str_list_done(&users);
	return used;
}

static int layer_check(struct verify *v, const struct image *image, size_t i, const int *lower)
{
	const struct image_layer *layer = &image->layers[i];
	cleanup_stage struct stage *stage = NULL;
	cleanup_free char *name = NULL;
	char why[512];
	int r;

	if (str_list_has(&v->chains, layer->chain))
		return str_list_has(&v->bad, layer->chain) ? VERIFY_DAMAGED : 0;
	r = stage_new(v->store, &stage);
	if (r >= 0)
		r = str_list_add(&v->chains, layer->chain);
	if (r >= 0)
		r = str_format(&name, "layer %.12s", layer->chain);
	if (r >= 0)
		r = layer_compare(v, stage, layer, lower, i);
	if (r != TREE_DIFFERS)
		return r;
	(void)snprintf(why, sizeof(why), "%s", fail_text());
	if (!v->repair || is_used(v->store, image->manifest)) {
		found(v, name, why, false);
		r = str_list_add(&v->bad, layer->chain);
		return r < 0 ? r : VERIFY_DAMAGED;
	}
	r = layer_replace(v, stage, layer->chain);
	if (r >= 0)
		found(v, name, why, true);
	return r;
}

static int layers_check(struct verify *v, const struct image *image)
{
	const size_t count = image->layer_count;
	cleanup_free int *dirs = malloc(count * sizeof(*dirs));
	int r = dirs ? 0 : fail(ENOMEM, "layers"), damaged = 0;
	size_t opened = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		r = layer_check(v, image, i, &dirs[count - i]);
		if (r < 0)
			break;
		damaged |= r;
		dirs[count - 1 - i] = chain_open(v->store, image->layers[i].chain);
		if (dirs[count - 1 - i] < 0) {
			damaged = 1;	/* the ones above cannot be judged without it */
			break;
		}
		opened++;
	}
	for (size_t i = 0; i < opened; i++)
		(void)close(dirs[count - 1 - i]);
	return r < 0 ? r : damaged ? VERIFY_DAMAGED : 0;
}

/* It can be made again at any time, so to mend it is to remove it. */
static int erofs_file_check(const struct verify *v, const struct image *image)
{
	const char *chain = image->layers[image->layer_count - 1].chain;
	cleanup_free char *name = NULL;
	int r = erofs_check(v->store, image);

	if (r != EROFS_DAMAGED)
		return r < 0 ? r : 0;
	r = str_format(&name, "EROFS of %.12s", chain);
	if (r >= 0 && v->repair)
		r = erofs_remove(v->store, chain);
	if (r < 0)
		return r;
	found(v, name, v->repair ? "the file is damaged; removed" : "the file is damaged", v->repair);
	return v->repair ? 0 : VERIFY_DAMAGED;
}

int image_verify(struct verify *v, const struct image *image)
{
	int r = blobs_check(v, image), erofs;

	if (r == 0) {
		r = layers_check(v, image);
		erofs = r < 0 ? 0 : erofs_file_check(v, image);
		return erofs ? erofs : r;
	}
	if (r == VERIFY_DAMAGED && v->repair) {
		int forgotten = image_forget(v->store, image->manifest);

		if (forgotten < 0)
			return forgotten;
	}
	return r;
}
