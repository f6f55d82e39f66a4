/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Relative paths of a service's short keys become absolute as soon as a stack file is read: what is kept of it, and what
 * `config` prints, means the same anywhere. Whatever is no path, or is wrong, is left for the spec's own readers to judge.
 */
#include "runtime/service/stack.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/json.h"

static bool is_relative(const char *text)
{
	return text && text[0] == '.' && (text[1] == '\0' || text[1] == '/' || (text[1] == '.' && (text[2] == '\0' || text[2] == '/')));
}

/* The path from @prefix letters on. Return: new reference, or NULL with a recorded failure. */
static json_t *joined(const char *text, size_t prefix, const char *folder)
{
	cleanup_free char *path = NULL;
	const char *rest = text + prefix;
	json_t *v;

	if (rest[0] == '.' && rest[1] == '/')
		rest += 2;
	if (str_format(&path, "%.*s%s/%s", (int)prefix, text, folder, rest) < 0)
		return NULL;
	v = json_string(path);
	if (!v)
		(void)fail_plain(EILSEQ, "the stack's folder '%s' is not UTF-8", folder);
	return v;
}

/* A string, or strings of an array. @prefix: only those that begin so, and the path behind it; NULL */
static int key_absolute(json_t *object, const char *key, const char *prefix, const char *folder)
{
	json_t *v = json_object_get(object, key), *item;
	size_t n = prefix ? strlen(prefix) : 0, i;

	if (json_is_string(v) && !prefix && is_relative(json_string_value(v))) {
		item = joined(json_string_value(v), 0, folder);
		return !item ? -EINVAL : json_object_set_new(object, key, item) < 0 ? fail(ENOMEM, "read the stack file") : 0;
	}
	json_array_foreach(v, i, item) {
		const char *text = json_string_value(item);

		if (!text || (prefix && !str_starts(text, prefix)) || !is_relative(text + n))
			continue;
		item = joined(text, n, folder);
		if (!item)
			return -EINVAL;
		if (json_array_set_new(v, i, item) < 0)
			return fail(ENOMEM, "read the stack file");
	}
	return 0;
}

/* "./site:/srv:ro": what is relative is in front. */
static int volumes_absolute(json_t *object, const char *folder)
{
	json_t *v = json_object_get(object, "volumes"), *item;
	size_t i;

	json_array_foreach(v, i, item) {
		const char *text = json_string_value(item), *colon = text ? strchr(text, ':') : NULL;
		cleanup_free char *path = colon ? strndup(text, (size_t)(colon - text)) : NULL;

		if (!is_relative(path))
			continue;
		item = joined(text, 0, folder);
		if (!item)
			return -EINVAL;
		if (json_array_set_new(v, i, item) < 0)
			return fail(ENOMEM, "read the stack file");
	}
	return 0;
}

int stack_paths_absolute(json_t *service, const char *folder)
{
	static const char *const keys[] = { "layers", "upper", "env_file" };
	const char *base = json_string_value(json_object_get(service, "spec"));
	int r = 0;

	/* A file, whatever it looks like. */
	if (base && *base && *base != '/') {
		json_t *v = joined(base, 0, folder);

		if (!v)
			return -EINVAL;
		if (json_object_set_new(service, "spec", v) < 0)
			return fail(ENOMEM, "read the stack file");
	}

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++)
		r = key_absolute(service, keys[i], NULL, folder);
	if (r == 0)
		r = key_absolute(service, "security", "seccomp=", folder);
	return r < 0 ? r : volumes_absolute(service, folder);
}
