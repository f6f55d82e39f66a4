/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting OCI documents together: finding or making a section by its path, replacing in lists that go by
 * a name, and laying one document over another. Elements of a wrong type are kept as they are: the
 * reading of the finished document refuses them and knows best what to say.
 */
#include "runtime/spec-short-internal.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-short.h"

enum { PATH_SIZE = 256, MERGE_DEPTH = 16 };

static int fail_memory(void)
{
	return fail(ENOMEM, "make a spec");
}

int short_set(json_t *object, const char *key, json_t *v)
{
	return json_object_set_new(object, key, v) < 0 ? fail_memory() : 0;
}

int short_append(json_t *array, json_t *v)
{
	return json_array_append_new(array, v) < 0 ? fail_memory() : 0;
}

/* The member of @object, made by @make when missing. */
static json_t *member(json_t *object, const char *key, bool array, const char *path)
{
	json_t *v = json_object_get(object, key);

	if (!v || json_is_null(v)) {
		v = array ? json_array() : json_object();
		return short_set(object, key, v) < 0 ? NULL : v;
	}
	if (array ? json_is_array(v) : json_is_object(v))
		return v;
	(void)fail_plain(EINVAL, "%s: must be an %s, not %s", path, array ? "array" : "object",
			 json_type_text(v));
	return NULL;
}

static json_t *walk(json_t *doc, const char *path, bool array)
{
	char key[PATH_SIZE];

	for (const char *part = path; doc; part++) {
		size_t n = strcspn(part, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, part, n);
		key[n] = '\0';
		part += n;
		doc = member(doc, key, array && !*part, path);
		if (!*part)
			break;
	}
	return doc;
}

json_t *short_section(json_t *doc, const char *path)
{
	return walk(doc, path, false);
}

json_t *short_list(json_t *doc, const char *path)
{
	return walk(doc, path, true);
}

static const char *text_of(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int short_list_put(json_t *array, const char *key, json_t *v)
{
	const char *name = text_of(v, key), *other;
	size_t i;
	json_t *item;

	if (!v)
		return fail_memory();
	json_array_foreach(array, i, item) {
		other = text_of(item, key);
		if (name && other && str_eq(name, other))
			return json_array_set_new(array, i, v) < 0 ? fail_memory() : 0;
	}
	return short_append(array, v);
}

/* The same for plain strings that are NAME=value. */
static int env_list_put(json_t *array, json_t *v)
{
	const char *text = json_string_value(v), *other;
	size_t i, n = text ? strcspn(text, "=") : 0;
	json_t *item;

	if (!v)
		return fail_memory();
	json_array_foreach(array, i, item) {
		other = json_string_value(item);
		if (text && other && strcspn(other, "=") == n && strncmp(text, other, n) == 0)
			return json_array_set_new(array, i, v) < 0 ? fail_memory() : 0;
	}
	return short_append(array, v);
}

int short_env_put(json_t *doc, const char *assignment)
{
	json_t *env = short_list(doc, "process.env"), *v = json_string(assignment);
	char quoted[STR_QUOTE_SIZE];

	if (env && v)
		return env_list_put(env, v);
	json_decref(v);
	return env ? fail_plain(EINVAL, "environment: %s is not UTF-8",
				str_quote(quoted, assignment))
		   : -EINVAL;
}

int short_annotate(json_t *doc, const char *key, const char *value)
{
	json_t *annotations = short_section(doc, "annotations");
	cleanup_free char *name = NULL;
	int r;

	if (!annotations)
		return -EINVAL;
	r = str_format(&name, "%s%s", SHORT_ANNOTATION, key);
	return r < 0 ? r : short_set(annotations, name, json_string(value));
}

int short_strings_check(const struct json_at *at, json_t *v, bool filled)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return json_fail(at, "must be an array of strings, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };

		if (!json_is_string(item))
			return json_fail(&item_at, "must be a string, not %s",
					 json_type_text(item));
		if (filled && json_string_length(item) == 0)
			return json_fail(&item_at, "must not be empty");
	}
	return 0;
}

/* What JSON can hold. */
static bool folder_is_text(const char *folder)
{
	cleanup_json json_t *v = json_string(folder);

	return v;
}

int short_path(const struct short_form *s, const struct json_at *at, const char *path,
	       char **ret_path)
{
	char quoted[STR_QUOTE_SIZE];
	const char *below;

	if (*path == '/')
		return str_copy(ret_path, path);
	below = str_starts(path, "./");
	if (!below && !str_starts(path, "../") && !str_eq(path, ".") && !str_eq(path, ".."))
		return json_fail(at, "%s is no path: begin it with '/', './' or '../'",
				 str_quote(quoted, path));
	if (!s->folder)
		return json_fail(at, "%s is relative, and a spec from standard input has no folder",
				 str_quote(quoted, path));
	if (!folder_is_text(s->folder))
		return json_fail(
			at,
			"the spec's folder has a name that is not UTF-8: give an absolute path");
	if (below ? !*below : str_eq(path, "."))
		return str_copy(ret_path, s->folder);
	return str_format(ret_path, "%s/%s", str_eq(s->folder, "/") ? "" : s->folder,
			  below ? below : path);
}

/* How a part of the document merges, where it is not as everything else. */
static const struct merge_rule {
	const char *path;
	enum { MERGE_BY_KEY, MERGE_ENV, MERGE_WHOLE } how;
	const char *key;
} merge_rules[] = {
	{ "mounts", MERGE_BY_KEY, "destination" },
	{ "linux.namespaces", MERGE_BY_KEY, "type" },
	{ "process.env", MERGE_ENV, NULL },
	{ "linux.seccomp", MERGE_WHOLE, NULL },
	{ "process.capabilities", MERGE_WHOLE, NULL },
};

static const struct merge_rule *rule_find(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(merge_rules); i++) {
		if (str_eq(merge_rules[i].path, path))
			return &merge_rules[i];
	}
	return NULL;
}

static int list_merge(json_t *base, json_t *over, const struct merge_rule *rule)
{
	size_t i;
	json_t *item;

	json_array_foreach(over, i, item) {
		json_t *copy = json_deep_copy(item);
		int r = rule->how == MERGE_ENV ? env_list_put(base, copy)
					       : short_list_put(base, rule->key, copy);

		if (r < 0)
			return r;
	}
	return 0;
}

static int object_merge(json_t *base, json_t *over, const char *path, int depth)
{
	const char *key;
	json_t *v;
	int r;

	json_object_foreach(over, key, v) {
		char sub[PATH_SIZE];
		json_t *old = json_object_get(base, key);
		const struct merge_rule *rule;

		if (json_is_null(v))
			continue;
		/* A path that is cut is none that has a rule. */
		(void)snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "." : "", key);
		rule = rule_find(sub);
		if (rule && rule->how != MERGE_WHOLE && json_is_array(old) && json_is_array(v))
			r = list_merge(old, v, rule);
		else if (!rule && json_is_object(old) && json_is_object(v) && depth < MERGE_DEPTH)
			r = object_merge(old, v, sub, depth + 1);
		else
			r = short_set(base, key, json_deep_copy(v));
		if (r < 0)
			return r;
	}
	return 0;
}

int short_merge(json_t *doc, json_t *over)
{
	return object_merge(doc, over, "", 0);
}
