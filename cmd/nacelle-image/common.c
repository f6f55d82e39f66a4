/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several verbs do in the same way.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/nacelle-image/verb.h"

int store_need(const struct settings *settings, struct store **ret)
{
	return store_open(settings->store, settings->registry, STORE_CREATE, ret);
}

int store_look(const struct settings *settings, struct store **ret)
{
	return store_open(settings->store, settings->registry, 0, ret);
}

int image_need(const struct store *store, const char *name, struct image **ret, char **ret_name)
{
	int r = store ? image_find(store, name, ret, ret_name) : IMAGE_NOT_FOUND;
	char shown[STR_QUOTE_SIZE];

	if (r == IMAGE_NOT_FOUND)
		return fail_plain(ENOENT, "no image %s in the store (see 'nacelle-image images')",
				  str_quote(shown, name));
	return r;
}

const char *size_text(char buf[SIZE_TEXT], int64_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double value = (double)size;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1000;
		unit++;
	}
	(void)snprintf(buf, SIZE_TEXT, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

void say_line(void *arg, const char *what, const char *digest, int64_t size)
{
	const struct settings *settings = arg;
	char shown[SIZE_TEXT];

	if (!settings->quiet)
		(void)fprintf(stderr, "%s %.19s (%s)\n", what, digest, size_text(shown, size));
}

int load_prepare(const struct settings *settings, struct store *store, struct reference *name, struct platform *platform,
		 struct load *ret)
{
	struct load load = { .store = store, .platform = platform, .limits = unpack_limits_default };
	int r = platform_parse(settings->platform, platform);

	if (r >= 0 && settings->name) {
		r = reference_parse(settings->name, REFERENCE_LOCAL_REGISTRY, name);
		if (r >= 0 && name->digest)
			r = fail_plain(EINVAL, "--name: a digest cannot be given, it is what it is");
		load.name = name;
	}
	if (r < 0)
		return r;
	load.say = say_line;
	load.arg = (void *)(uintptr_t)settings;
	*ret = load;
	return 0;
}
