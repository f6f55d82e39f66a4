/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths, messages, and the reading of an object by its table; the getters are in json-get.c, text
 * in json-load.c. A path exists only as a chain of struct json_at on the stack, and becomes text when
 * something fails.
 */
#include "runtime/base/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

enum {
	KEY_PLAIN_MAX = 64, /* longer keys are quoted, and thereby cut */
	PATH_SHOWN = 1024, /* of a longer path the end is shown */
	MESSAGE_MAX = 2048,
};

static bool key_is_plain(const char *key)
{
	size_t n = strnlen(key, KEY_PLAIN_MAX + 1);

	return n > 0 && n <= KEY_PLAIN_MAX && !(*key >= '0' && *key <= '9') &&
	       !key[strspn(key,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

static void path_write(FILE *f, const struct json_at *at)
{
	char quoted[STR_QUOTE_SIZE];

	if (!at->up)
		return;
	path_write(f, at->up);
	if (!at->key)
		(void)fprintf(f, "[%zu]", at->index);
	else if (key_is_plain(at->key))
		(void)fprintf(f, "%s%s", at->up->up ? "." : "", at->key);
	else
		(void)fprintf(f, "[%s]", str_quote(quoted, at->key));
}

char *json_path(const struct json_at *at)
{
	char *path = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&path, &size);

	if (!f)
		return NULL;
	path_write(f, at);
	if (fclose(f) != 0) {
		free(path);
		return NULL;
	}
	return path;
}

int json_fail(const struct json_at *at, const char *fmt, ...)
{
	cleanup_free char *path = json_path(at);
	const char *shown = path;
	char message[MESSAGE_MAX];
	size_t n = path ? strlen(path) : 0;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	if (n == 0)
		return fail_plain(EINVAL, "%s", message);
	if (n > PATH_SHOWN)
		/* not from the middle of a character */
		for (shown += n - PATH_SHOWN; ((unsigned char)*shown & 0xC0) == 0x80; shown++)
			;
	return fail_plain(EINVAL, "%s%s: %s", shown == path ? "" : "…", shown, message);
}

const char *json_type_text(const json_t *v)
{
	uint64_t wide;

	if (json_is_wide(v, &wide))
		return "an integer";
	switch (json_typeof(v)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "an integer";
	case JSON_REAL: return "a real number";
	case JSON_TRUE:
	case JSON_FALSE: return "a boolean";
	case JSON_NULL: return "null";
	}
	return "of unknown type";
}

static int fail_unknown_key(const struct json_at *at, const char *key,
			    const struct json_field *fields)
{
	struct json_at unknown = { .up = at, .key = key };
	cleanup_free const char **names = NULL;
	const char *nearest = NULL;
	size_t n = 0;

	while (fields[n].name)
		n++;
	names = calloc(n + 1, sizeof(*names));
	if (names) {
		for (size_t i = 0; i < n; i++)
			names[i] = fields[i].name;
		nearest = str_nearest(key, names);
	}
	if (nearest)
		return json_fail(&unknown, "is not known: did you mean '%s'?", nearest);
	return json_fail(&unknown, "is not known");
}

static int keys_check(const struct json_at *at, json_t *v, const struct json_field *fields)
{
	const char *key;
	json_t *value;

	json_object_foreach(v, key, value) {
		const struct json_field *field = fields;

		while (field->name && !str_eq(field->name, key))
			field++;
		if (!field->name)
			return fail_unknown_key(at, key, fields);
	}
	return 0;
}

int json_object_read(const struct json_at *at, json_t *v, const struct json_field *fields,
		     unsigned int flags, void *target)
{
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	/* First, because a slip in a required key's name is best told as that. */
	if (flags & JSON_CLOSED) {
		int r = keys_check(at, v, fields);

		if (r < 0)
			return r;
	}
	for (const struct json_field *field = fields; field->name; field++) {
		struct json_at here = { .up = at, .key = field->name };
		json_t *value = json_object_get(v, field->name);
		int r;

		if (!value || json_is_null(value)) {
			if (field->flags & JSON_REQUIRED)
				return json_fail(&here, "is required");
			continue;
		}
		r = field->get(&here, value, (char *)target + field->offset, field);
		if (r < 0)
			return r;
	}
	return 0;
}

int json_lay_over(json_t *object, json_t *over)
{
	const char *key;
	json_t *v;

	json_object_foreach(over, key, v) {
		json_t *old = json_object_get(object, key);
		int r = 0;

		if (json_is_null(v))
			continue;
		if (json_is_object(old) && json_is_object(v))
			r = json_object_update(old, v);
		else
			r = json_object_set(object, key, v);
		if (r < 0)
			return fail(ENOMEM, "put one object over another");
	}
	return 0;
}
