/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The getters: each judges one value and puts it into its place. A list or string that stood there
 * before is replaced; on a failure it may be half replaced, but always owned.
 */
#include "runtime/base/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"

enum { NAMES_SHOWN = 512 };

static int fail_type(const struct json_at *at, const char *wanted, const json_t *v)
{
	return json_fail(at, "must be %s, not %s", wanted, json_type_text(v));
}

/* What the flags of @field ask of a string. */
static int string_check(const struct json_at *at, json_t *v, const struct json_field *field)
{
	char quoted[STR_QUOTE_SIZE];
	const char *text = json_string_value(v);
	uint64_t wide;

	if (!text || json_is_wide(v, &wide))
		return fail_type(at, "a string", v);
	/* json_parse() lets none through; a value that was put together by hand may. */
	if (strlen(text) != json_string_length(v))
		return json_fail(at, "holds a NUL character");
	if ((field->flags & JSON_NOT_EMPTY) && !*text)
		return json_fail(at, "must not be empty");
	if ((field->flags & JSON_ABSOLUTE) && *text != '/')
		return json_fail(at, "%s is not an absolute path", str_quote(quoted, text));
	return 0;
}

int json_get_string(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	int r = string_check(at, v, field);

	return r < 0 ? r : str_copy(target, json_string_value(v));
}

int json_get_strings(const struct json_at *at, json_t *v, void *target,
		     const struct json_field *field)
{
	struct str_list *list = target;
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return fail_type(at, "an array of strings", v);
	str_list_done(list);
	json_array_foreach(v, i, item) {
		struct json_at here = { .up = at, .index = i };
		int r = string_check(&here, item, field);

		if (r == 0)
			r = str_list_add(list, json_string_value(item));
		if (r < 0)
			return r;
	}
	return 0;
}

int json_get_bool(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	(void)field;
	if (!json_is_boolean(v))
		return fail_type(at, "true or false", v);
	*(bool *)target = json_is_true(v);
	return 0;
}

bool json_clamped(const json_t *v, int64_t *ret)
{
	uint64_t wide;

	if (json_is_integer(v))
		*ret = json_integer_value(v);
	else if (json_is_wide(v, &wide))
		*ret = INT64_MAX;
	else
		return false;
	return true;
}

/* An integer of @min to @max. */
static int int_read(const struct json_at *at, json_t *v, int64_t min, int64_t max, int64_t *ret)
{
	int64_t value;

	if (!json_clamped(v, &value))
		return fail_type(at, "an integer", v);
	if (value >= min && value <= max) {
		*ret = value;
		return 0;
	}
	if (min == 0 && max == INT64_MAX)
		return json_fail(at, "must not be negative, as %" PRId64 " is", value);
	return json_fail(at, "must be from %" PRId64 " to %" PRId64 ", not %" PRId64, min, max,
			 value);
}

int json_get_int(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct json_range *range = field->arg;

	return int_read(at, v, range ? range->min : INT64_MIN, range ? range->max : INT64_MAX,
			target);
}

int json_get_u64(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	int64_t value = 0;
	int r;

	(void)field;
	if (json_is_wide(v, target))
		return 0;
	r = int_read(at, v, 0, INT64_MAX, &value);
	if (r == 0)
		*(uint64_t *)target = (uint64_t)value;
	return r;
}

int json_get_u32(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	int64_t value = 0;
	int r = int_read(at, v, 0, UINT32_MAX, &value);

	(void)field;
	if (r == 0)
		*(uint32_t *)target = (uint32_t)value;
	return r;
}

/* "pid, network, …" */
static void names_write(char *buf, size_t size, const struct json_name *names)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const struct json_name *n = names; n->name; n++) {
		int more = snprintf(buf + used, size - used, "%s%s", used ? ", " : "", n->name);

		if (more < 0 || (size_t)more >= size - used) {
			(void)strcpy(buf + used, ", …");
			return;
		}
		used += (size_t)more;
	}
}

static int fail_enum(const struct json_at *at, const char *text, const struct json_name *names)
{
	/* room behind for what names_write() ends a list with that is too long */
	char quoted[STR_QUOTE_SIZE], known[NAMES_SHOWN + 8];
	cleanup_free const char **words = NULL;
	const char *nearest = NULL;
	size_t n = 0;

	(void)str_quote(quoted, text);
	names_write(known, NAMES_SHOWN, names);
	while (names[n].name)
		n++;
	words = calloc(n + 1, sizeof(*words));
	if (words) {
		for (size_t i = 0; i < n; i++)
			words[i] = names[i].name;
		nearest = str_nearest(text, words);
	}
	if (nearest)
		return json_fail(at, "%s is not one of %s (did you mean '%s'?)", quoted, known,
				 nearest);
	return json_fail(at, "%s is not one of %s", quoted, known);
}

int json_get_enum(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const char *text = json_string_value(v);
	uint64_t wide;

	if (!text || json_is_wide(v, &wide))
		return fail_type(at, "a string", v);
	for (const struct json_name *n = field->arg; n->name; n++) {
		if (str_eq(n->name, text)) {
			*(int *)target = (int)n->value;
			return 0;
		}
	}
	return fail_enum(at, text, field->arg);
}

int json_get_object(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	return json_object_read(at, v, field->arg, field->flags, target);
}

int json_get_array(const struct json_at *at, json_t *v, void *target,
		   const struct json_field *field)
{
	const struct json_items *kind = field->arg;
	size_t n = json_array_size(v), *count = (size_t *)((char *)target + sizeof(void *));
	char *items;

	if (!json_is_array(v))
		return fail_type(at, "an array", v);
	if (n == 0)
		return 0;
	items = calloc(n, kind->size);
	if (!items)
		return fail(ENOMEM, "keep %zu items", n);
	/* The pointer's own type is the caller's. */
	memcpy(target, &items, sizeof(items));
	for (size_t i = 0; i < n; i++) {
		struct json_at here = { .up = at, .index = i };
		void *item = items + i * kind->size;
		int r;

		if (kind->init)
			kind->init(item);
		/* Counted before it is read: what a failure leaves in it is the owner's to free. */
		*count = i + 1;
		r = json_object_read(&here, json_array_get(v, i), kind->fields, kind->flags, item);
		if (r < 0)
			return r;
	}
	return 0;
}

int json_get_map(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct str_list *list = target;
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return fail_type(at, "an object of strings", v);
	str_list_done(list);
	json_object_foreach(v, key, value) {
		struct json_at here = { .up = at, .key = key };
		int r;

		if (!*key || strchr(key, '='))
			return json_fail(&here, "a key must not be empty or hold '='");
		r = string_check(&here, value, field);
		if (r == 0)
			r = str_list_addf(list, "%s=%s", key, json_string_value(value));
		if (r < 0)
			return r;
	}
	return 0;
}

json_t *json_of_map(const struct str_list *list)
{
	json_t *v = json_object();

	for (size_t i = 0; v && i < list->count; i++) {
		const char *text = list->items[i], *sep = strchr(text, '=');
		cleanup_free char *key = sep ? strndup(text, (size_t)(sep - text)) : NULL;

		if (key)
			(void)json_object_set_new(v, key, json_string(sep + 1));
	}
	return v;
}

int json_refuse(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	bool nothing =
		json_is_false(v) || (json_is_object(v) && json_object_size(v) == 0) ||
		(json_is_array(v) && json_array_size(v) == 0) ||
		(json_is_string(v) && json_string_length(v) == 0) ||
		(json_is_number(v) && !(json_number_value(v) < 0 || json_number_value(v) > 0));
	const char *why = field->arg;

	(void)target;
	return nothing ? 0 : json_fail(at, "%s", why ? why : "not supported yet");
}
