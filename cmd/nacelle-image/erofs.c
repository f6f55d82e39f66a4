/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * erofs: the layers of an image as one file. Standard output gets its path alone.
 */
#include <stdio.h>

#include "cmd/nacelle-image/verb.h"
#include "image/erofs.h"

int verb_erofs(const struct settings *settings, size_t count, char **operands)
{
	struct erofs_result result = { .path = NULL };
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_free char *path = NULL;
	char size[SIZE_TEXT];
	int r = store_look(settings, &store);

	(void)count;
	if (r >= 0)
		r = image_need(store, operands[0], &image, NULL);
	if (r >= 0)
		r = erofs_make(store, image, &unpack_limits_default, &result);
	if (r < 0)
		return fail_in(r, "EROFS of '%s'", operands[0]);
	path = result.path;
	if (result.made && !settings->quiet)
		(void)fprintf(stderr, "made the file system of %zu layers (%s)\n", image->layer_count,
			      size_text(size, result.size));
	(void)printf("%s\n", path);
	return 0;
}
