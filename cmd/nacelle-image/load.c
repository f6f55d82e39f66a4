/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load: images from folders and archives. Standard output gets the digests, one a line.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "image/policy.h"

/* A stream can be either archive; what it turns out to be is not known before it is read. */
static int place_allowed(const struct settings *settings, const char *place)
{
	static const char *const transports[] = { "docker-archive", "oci-archive", "oci" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(transports) && r >= 0; i++) {
		const char *rest = str_starts(place, transports[i]);

		if ((rest && *rest == ':') || (str_eq(place, "-") && !str_eq(transports[i], "oci")))
			r = policy_check(settings->policy, transports[i], NULL);
	}
	return r;
}

int verb_load(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference name = { .registry = NULL };
	struct platform platform = { .os = NULL };
	struct str_list done = { .items = NULL };
	cleanup_store struct store *store = NULL;
	struct load load;
	int r = store_need(settings, &store);

	(void)count;
	if (r >= 0)
		r = place_allowed(settings, operands[0]);
	if (r >= 0)
		r = load_prepare(settings, store, &name, &platform, &load);
	if (r >= 0)
		r = image_load_from(&load, operands[0], STDIN_FILENO, &done);
	for (size_t i = 0; i < done.count; i++) {
		char *space = strchr(done.items[i], ' ');

		if (space)
			*space++ = '\0';
		(void)printf("%s\n", done.items[i]);
		if (space && !settings->quiet)
			(void)fprintf(stderr, "loaded %s\n", space);
	}
	str_list_done(&done);
	platform_done(&platform);
	return r < 0 ? fail_in(r, "load '%s'", operands[0]) : 0;
}
