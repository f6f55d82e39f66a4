/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that stands in a record of images/ is kept, all else goes. A layer is first renamed into staging/, where
 * nobody takes it for a whole one, and then removed.
 */
#include "image/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/erofs.h"
#include "image/internal.h"
#include "image/reference.h"
#include "image/stage.h"
#include "image/tree.h"
#include "runtime/base/error.h"

static int ref_remove(const struct store *store, const char *folder, const char *path)
{
	if (unlinkat(store->dir, path, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR ? IMAGE_NOT_FOUND :
							     fail(errno, "remove '%s/%s'", store->path, path);
	/* Fails while there are other tags. */
	(void)unlinkat(store->dir, folder, AT_REMOVEDIR);
	return 0;
}

int image_untag(const struct store *store, const struct reference *ref)
{
	cleanup_free char *folder = NULL, *path = NULL;
	int r = ref_path(ref, &folder, &path);

	return r < 0 ? r : ref_remove(store, folder, path);
}

static int untag_text(const struct store *store, const char *name)
{
	cleanup_reference struct reference ref = { .registry = NULL };
	int r = reference_parse(name, store->registry, &ref);

	if (r >= 0)
		r = image_untag(store, &ref);
	return r < 0 ? r : 0;
}

/* Return: 0, IMAGE_USED, or a recorded failure. */
static int use_check(const struct str_list *users, const char *manifest)
{
	for (size_t i = 0; i < users->count; i++) {
		const char *rest = str_starts(users->items[i], manifest);

		if (rest && *rest == ' ') {
			(void)fail_plain(EBUSY, "the image is used by container '%s'", rest + 1);
			return IMAGE_USED;
		}
	}
	return 0;
}

static int record_remove(const struct store *store, const struct image_name *names, size_t count, const char *manifest)
{
	cleanup_free char *path = NULL;
	int r = image_path(manifest, &path);

	for (size_t i = 0; i < count && r >= 0; i++) {
		if (str_eq(names[i].manifest, manifest))
			r = untag_text(store, names[i].name);
	}
	if (r < 0)
		return r;
	if (unlinkat(store->dir, path, 0) < 0 && errno != ENOENT)
		return fail(errno, "remove '%s/%s'", store->path, path);
	return 0;
}

int image_forget(const struct store *store, const char *manifest)
{
	struct str_list users = { .items = NULL };
	struct image_name *names = NULL;
	size_t count = 0;
	int r = image_users(store, &users);

	if (r >= 0)
		r = use_check(&users, manifest);
	str_list_done(&users);
	if (r != 0)
		return r;
	r = image_names(store, &names, &count);
	if (r >= 0)
		r = record_remove(store, names, count, manifest);
	image_names_free(names, count);
	return r;
}

static bool is_named(const struct image_name *names, size_t count, const char *manifest)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(names[i].manifest, manifest))
			return true;
	}
	return false;
}

static int images_drop(const struct store *store, bool unused, int64_t *ret_count)
{
	struct str_list all = { .items = NULL };
	struct image_name *names = NULL;
	size_t count = 0;
	int r = image_names(store, &names, &count);

	if (r >= 0)
		r = image_list(store, &all);
	for (size_t i = 0; i < all.count && r >= 0; i++) {
		if (!unused && is_named(names, count, all.items[i]))
			continue;
		r = image_forget(store, all.items[i]);
		if (r == 0)
			(*ret_count)++;
	}
	str_list_done(&all);
	image_names_free(names, count);
	return r < 0 ? r : 0;
}

/* What is to be kept, sorted. */
struct kept {
	struct str_list chains, blobs, tops;	/* tops: the chains that are whole images' */
};

static int kept_add(struct kept *k, const struct image *image)
{
	int r = str_list_add(&k->blobs, strchr(image->manifest, ':') + 1);

	if (r >= 0)
		r = str_list_add(&k->blobs, strchr(image->config, ':') + 1);
	for (size_t i = 0; i < image->layer_count && r >= 0; i++) {
		r = str_list_add(&k->blobs, strchr(image->layers[i].blob, ':') + 1);
		if (r >= 0)
			r = str_list_add(&k->chains, image->layers[i].chain);
	}
	if (r >= 0)
		r = str_list_add(&k->tops, image->layers[image->layer_count - 1].chain);
	return r;
}

/* A record that cannot be read stops everything: what it needs is not known. */
static int kept_collect(const struct store *store, struct kept *k)
{
	struct str_list all = { .items = NULL };
	int r = image_list(store, &all);

	for (size_t i = 0; i < all.count && r >= 0; i++) {
		cleanup_image struct image *image = NULL;

		r = image_load(store, all.items[i], &image);
		if (r == 0)
			r = kept_add(k, image);
	}
	str_list_done(&all);
	names_sort(&k->chains);
	names_sort(&k->blobs);
	names_sort(&k->tops);
	return r;
}

static int by_text(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

static bool is_kept(const struct str_list *list, const char *name)
{
	return list->count > 0 && bsearch(name, list->items, list->count, sizeof(*list->items), by_text);
}

static int layers_sweep(const struct store *store, const struct kept *k, struct collected *c)
{
	struct str_list names = { .items = NULL };
	int r = folder_read(store->dir, "layers", &names);

	for (size_t i = 0; i < names.count && r >= 0; i++) {
		cleanup_free char *from = NULL, *to = NULL;

		if (is_kept(&k->chains, names.items[i]))
			continue;
		r = str_format(&from, "layers/%s", names.items[i]);
		if (r >= 0)
			r = str_format(&to, "staging/gone-%d-%zu", getpid(), i);
		if (r >= 0 && renameat(store->dir, from, store->dir, to) < 0)
			r = fail(errno, "move '%s/%s' away", store->path, from);
		if (r >= 0)
			r = tree_remove(store->dir, to);
		c->layers++;
	}
	str_list_done(&names);
	return r;
}

static int erofs_sweep(const struct store *store, const struct kept *k)
{
	struct str_list names = { .items = NULL };
	int r = folder_read(store->dir, "erofs", &names);

	for (size_t i = 0; i < names.count && r >= 0; i++)
		if (!is_kept(&k->tops, names.items[i]))
			r = erofs_remove(store, names.items[i]);
	str_list_done(&names);
	return r;
}

static int blobs_sweep(const struct store *store, const char *folder, const struct kept *k, struct collected *c)
{
	struct str_list names = { .items = NULL };
	int r = folder_read(store->dir, folder, &names);

	for (size_t i = 0; i < names.count && r >= 0; i++) {
		cleanup_free char *path = NULL;
		struct stat st = { .st_size = 0 };

		if (is_kept(&k->blobs, names.items[i]))
			continue;
		r = str_format(&path, "%s/%s", folder, names.items[i]);
		if (r < 0)
			break;
		(void)fstatat(store->dir, path, &st, AT_SYMLINK_NOFOLLOW);
		if (unlinkat(store->dir, path, 0) < 0)
			r = fail(errno, "remove '%s/%s'", store->path, path);
		c->blobs++;
		c->bytes += st.st_size;
	}
	str_list_done(&names);
	return r;
}

int store_collect(const struct store *store, bool unnamed, bool unused, struct collected *ret)
{
	struct kept k = { .chains = { .items = NULL } };
	struct collected c = { .images = 0 };
	int r = stage_clean(store);

	if (r >= 0 && (unnamed || unused))
		r = images_drop(store, unused, &c.images);
	if (r >= 0)
		r = kept_collect(store, &k);
	/* The records' end must be on the disk before that of what they named. */
	if (r >= 0 && syncfs(store->dir) < 0)
		r = fail(errno, "sync '%s'", store->path);
	if (r >= 0)
		r = layers_sweep(store, &k, &c);
	if (r >= 0)
		r = erofs_sweep(store, &k);
	if (r >= 0)
		r = blobs_sweep(store, "blobs/sha256", &k, &c);
	if (r >= 0)
		r = blobs_sweep(store, "blobs/sha512", &k, &c);
	str_list_done(&k.chains);
	str_list_done(&k.blobs);
	str_list_done(&k.tops);
	if (r >= 0)
		*ret = c;
	return r;
}
