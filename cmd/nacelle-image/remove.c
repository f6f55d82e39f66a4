/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rmi and prune: out of the store. While a pull holds the store, rmi removes the name alone and leaves the content to
 * the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/nacelle-image/verb.h"
#include "image/gc.h"
#include "runtime/base/log.h"

enum { WAIT_TRIES = 50, WAIT_MS = 100 };

/* Return: 0, STORE_NOT_FOUND, STORE_BUSY, or a recorded failure. */
static int store_alone(const struct settings *settings, struct store **ret)
{
	int r = STORE_BUSY;

	for (int i = 0; i < WAIT_TRIES && r == STORE_BUSY; i++) {
		if (i > 0)
			(void)nanosleep(&(struct timespec){ .tv_nsec = WAIT_MS * 1000000L }, NULL);
		r = store_open(settings->store, settings->registry, STORE_ALONE, ret);
	}
	return r;
}

static int names_count(const struct store *store, const char *manifest, size_t *ret)
{
	struct image_name *names = NULL;
	size_t count = 0;
	int r = image_names(store, &names, &count);

	*ret = 0;
	for (size_t i = 0; i < count; i++)
		*ret += str_eq(names[i].manifest, manifest);
	image_names_free(names, count);
	return r;
}

static int untag(const struct store *store, const char *name)
{
	cleanup_reference struct reference ref = { .registry = NULL };
	int r = reference_parse(name, store->registry, &ref);

	if (r >= 0)
		r = image_untag(store, &ref);
	return r < 0 ? r : 0;
}

static int forget(const struct store *store, const char *manifest)
{
	int r = image_forget(store, manifest);

	return r == IMAGE_USED ? -EBUSY : r;
}

/* Return: 0 or a recorded failure. @alone: the record may go too. */
static int remove_one(const struct settings *settings, const struct store *store, const char *what, bool alone)
{
	cleanup_image struct image *image = NULL;
	cleanup_free char *name = NULL;
	size_t names;
	int r = settings->force ? image_find(store, what, &image, &name) : image_need(store, what, &image, &name);

	if (r != 0)
		return r < 0 ? r : 0;
	r = names_count(store, image->manifest, &names);
	if (r < 0)
		return r;
	if (!name && names > 1 && !settings->force)
		return fail_plain(EBUSY, "image '%s' has %zu names: remove them by name, or all with --force", what, names);
	if (alone && (!name || names <= 1 || settings->force))
		return forget(store, image->manifest);
	return name ? untag(store, name) :
		      fail_plain(EBUSY, "the store is in use (a pull?), only names can be removed now");
}

int verb_rmi(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	struct collected collected;
	int r = store_alone(settings, &store), failed = 0;
	bool alone = r == 0;

	if (r == STORE_BUSY)
		r = store_look(settings, &store);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (failed < 0)
			log_error(fail_text());
		if (!store && !settings->force)
			return image_need(NULL, operands[i], NULL, NULL);
		r = store ? remove_one(settings, store, operands[i], alone) : 0;
		if (r < 0)
			failed = r;
		else if (!settings->quiet)
			(void)printf("%s\n", operands[i]);
	}
	if (alone && failed >= 0)
		failed = store_collect(store, false, false, &collected);
	else if (!alone && store && !settings->quiet)
		(void)fprintf(stderr, "the store is in use, 'nacelle-image prune' will free the space\n");
	return failed;
}

int verb_prune(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	struct collected c = { .images = 0 };
	char size[SIZE_TEXT];
	int r = store_alone(settings, &store);

	(void)count;
	(void)operands;
	if (r == STORE_BUSY)
		return fail_plain(EBUSY, "the store is in use (a pull, or a container that is just being started)");
	if (r == 0)
		r = store_collect(store, true, settings->all, &c);
	if (r < 0)
		return r;
	if (!settings->quiet)
		(void)printf("removed %lld images, %lld layers, %lld blobs (%s)\n", (long long)c.images,
			     (long long)c.layers, (long long)c.blobs, size_text(size, c.bytes));
	return 0;
}
