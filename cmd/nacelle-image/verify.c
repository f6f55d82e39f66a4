/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verify: what is stored against its digests. Exit status 1 when something is wrong and stays so.
 */
#include <errno.h>
#include <stdio.h>

#include "cmd/nacelle-image/verb.h"
#include "image/verify.h"

static void found_print(void *arg, const char *text, bool mended)
{
	(void)arg;
	(void)printf("%s%s\n", text, mended ? " (repaired)" : "");
}

static int one_verify(struct verify *v, const struct settings *settings, const struct image *image)
{
	int r = image_verify(v, image);

	if (r == 0 && !settings->quiet)
		(void)printf("%s: whole\n", image->manifest);
	return r;
}

static int all_verify(struct verify *v, const struct settings *settings)
{
	struct str_list all = { .items = NULL };
	int r = image_list(v->store, &all), damaged = 0;

	for (size_t i = 0; i < all.count && r >= 0; i++) {
		cleanup_image struct image *image = NULL;

		r = image_load(v->store, all.items[i], &image);
		if (r == 0)
			r = one_verify(v, settings, image);
		if (r > 0)
			damaged = r;
	}
	str_list_done(&all);
	return r < 0 ? r : damaged;
}

int verb_verify(const struct settings *settings, size_t count, char **operands)
{
	cleanup_store struct store *store = NULL;
	int r = store_open(settings->store, settings->registry, settings->repair ? STORE_ALONE : 0, &store), damaged = 0;

	if (r == STORE_BUSY)
		return fail_plain(EBUSY, "the store is in use: nothing can be repaired now");
	if (r == STORE_NOT_FOUND && count == 0)
		return 0;
	if (r < 0)
		return r;
	struct verify v = {
		.store = store,
		.repair = settings->repair,
		.limits = unpack_limits_default,
		.found = found_print,
	};
	if (count == 0)
		damaged = all_verify(&v, settings);
	for (size_t i = 0; i < count && damaged >= 0; i++) {
		cleanup_image struct image *image = NULL;

		r = image_need(store, operands[i], &image, NULL);
		if (r >= 0)
			r = one_verify(&v, settings, image);
		damaged = r < 0 ? r : damaged | r;
	}
	str_list_done(&v.chains);
	str_list_done(&v.bad);
	return damaged;
}
