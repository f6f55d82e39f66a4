/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what strangers send in words: a name, a manifest, a config, a header. A name that is taken must be taken
 * again in its full form, and be the same; a manifest that is taken has valid digests only.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/auth.h"
#include "image/manifest.h"
#include "image/reference.h"
#include "runtime/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void name_check(const char *text)
{
	cleanup_reference struct reference ref = { .registry = NULL }, again = { .registry = NULL };
	cleanup_free char *one = NULL, *two = NULL;

	if (reference_parse(text, NULL, &ref) < 0)
		return;
	if (strstr(ref.path, "..") || *ref.path == '/' || (ref.tag && strchr(ref.tag, '/')))
		abort();
	if (reference_text(&ref, &one) < 0 || reference_parse(one, NULL, &again) < 0 ||
	    reference_text(&again, &two) < 0 || !str_eq(one, two))
		abort();
}

static void manifest_check(const char *text, size_t size)
{
	cleanup_manifest struct manifest *m = NULL;

	if (manifest_parse(text, size, NULL, &m) < 0)
		return;
	for (size_t i = 0; i < m->layers.count; i++) {
		if (!digest_is_valid(m->layers.items[i].digest) || m->layers.items[i].size < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1), *plain = NULL;
	struct str_list diffs = { .items = NULL };
	struct challenge challenge;

	memcpy(text, data, size);
	text[size] = '\0';
	name_check(text);
	manifest_check(text, size);
	if (config_diffs(text, size, 1, &diffs) == 0)
		str_list_done(&diffs);
	if (challenge_parse(text, &challenge) == 0)
		challenge_done(&challenge);
	(void)base64_decode(text, &plain);
	return 0;
}
