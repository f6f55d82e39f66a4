/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tag: one more name for an image.
 */
#include <errno.h>

#include "cmd/nacelle-image/verb.h"
#include "image/stage.h"

int verb_tag(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference name = { .registry = NULL };
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_stage struct stage *stage = NULL;
	int r = store_look(settings, &store);

	(void)count;
	if (r >= 0)
		r = image_need(store, operands[0], &image, NULL);
	if (r >= 0)
		r = reference_parse(operands[1], REFERENCE_LOCAL_REGISTRY, &name);
	if (r >= 0 && name.digest)
		r = fail_plain(EINVAL, "name '%s': a digest cannot be given, it is what it is", operands[1]);
	if (r >= 0)
		r = stage_new(store, &stage);
	if (r >= 0)
		r = stage_name(stage, &name, image->manifest);
	return r < 0 ? r : stage_commit(stage);
}
