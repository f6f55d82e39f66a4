/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables in a stack file. They are replaced in strings, after the file was parsed: no value can change what the file's
 * JSON means.
 */
#include "runtime/service/stack.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/json.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

/* A string that grows. */
struct text {
	char *data;
	size_t size;
};

static int text_add(struct text *t, const char *data, size_t size)
{
	char *more = realloc(t->data, t->size + size + 1);

	if (!more)
		return fail(ENOMEM, "replace variables");
	t->data = more;
	memcpy(more + t->size, data, size);
	t->size += size;
	more[t->size] = '\0';
	return 0;
}

/* The brace that ends what begins behind "${"; the text of a default may hold variables of its own. */
static const char *brace_end(const char *text)
{
	unsigned int depth = 1;

	for (; *text; text++) {
		if (*text == '$' && text[1] == '{')
			depth++;
		else if (*text == '}' && --depth == 0)
			return text;
	}
	return NULL;
}

static int text_replace(const struct json_at *at, const char *from, const char *end, const struct str_list *env, unsigned int depth,
			struct text *to);

/* @word: what stands behind the operator, up to @end */
static int operator_apply(const struct json_at *at, const char *name, const char *operator, const char *end, const struct str_list *env,
			  unsigned int depth, struct text *to)
{
	const char *value = str_env_find(env, name), *word;
	bool colon = *operator == ':', there;
	char shown[256];
	cleanup_free char *said = NULL;

	operator += colon;
	word = operator + 1;
	there = value && (!colon || *value);
	if (operator > end || !strchr("-?+", *operator))
		return json_fail(at, "in '${%s' only :- - :? ? :+ + may stand behind the name ('$${' is a plain '${')", name);
	if (*operator == '+')
		return there ? text_replace(at, word, end, env, depth + 1, to) : 0;
	if (there)
		return text_add(to, value, strlen(value));
	if (*operator == '-')
		return text_replace(at, word, end, env, depth + 1, to);
	said = strndup(word, (size_t)(end - word));
	return json_fail(at, "the variable '%s' %s%s%s", name, value ? "is empty" : "is not set", said && *said ? ": " : "",
			 str_printable(shown, sizeof(shown), said ? said : ""));
}

/* What stands between the braces. */
static int variable_replace(const struct json_at *at, const char *from, const char *end, const struct str_list *env, unsigned int depth,
			    struct text *to)
{
	size_t n = strspn(from, letters);
	cleanup_free char *name = strndup(from, n);
	const char *value;

	if (!name)
		return fail(ENOMEM, "replace variables");
	if (n == 0 || (*from >= '0' && *from <= '9'))
		return json_fail(at, "'${' must be followed by the name of a variable ('$${' is a plain '${')");
	if (depth > 8)
		return json_fail(at, "variables stand in each other's defaults too deep");
	if (from + n < end)
		return operator_apply(at, name, from + n, end, env, depth, to);
	value = str_env_find(env, name);
	if (!value)
		return json_fail(at, "the variable '%s' is not set (${%s:-TEXT} gives it a default)", name, name);
	return text_add(to, value, strlen(value));
}

static int text_replace(const struct json_at *at, const char *from, const char *end, const struct str_list *env, unsigned int depth,
			struct text *to)
{
	int r = text_add(to, "", 0);

	while (r == 0 && from < end) {
		const char *dollar = memchr(from, '$', (size_t)(end - from)), *close;

		if (!dollar)
			return text_add(to, from, (size_t)(end - from));
		r = text_add(to, from, (size_t)(dollar - from));
		from = dollar + 1;
		if (r == 0 && end - dollar >= 3 && dollar[1] == '$' && dollar[2] == '{') {
			r = text_add(to, "${", 2);
			from = dollar + 3;
		} else if (r == 0 && end - dollar >= 2 && dollar[1] == '{') {
			close = brace_end(dollar + 2);
			if (!close || close > end)
				return json_fail(at, "'${' without its '}' ('$${' is a plain '${')");
			r = variable_replace(at, dollar + 2, close, env, depth, to);
			from = close + 1;
		} else if (r == 0) {
			r = text_add(to, "$", 1);
		}
	}
	return r;
}

static int string_replace(const struct json_at *at, json_t *v, const struct str_list *env, json_t **ret)
{
	const char *text = json_string_value(v);
	struct text to = { .data = NULL };
	uint64_t wide;
	int r;

	if (json_is_wide(v, &wide) || !strchr(text, '$')) {
		*ret = json_incref(v);
		return 0;
	}
	r = text_replace(at, text, text + strlen(text), env, 0, &to);
	if (r == 0) {
		*ret = json_string(to.data);
		if (!*ret)
			r = json_fail(at, "a variable's value is not UTF-8");
	}
	free(to.data);
	return r;
}

static int object_replace(const struct json_at *at, json_t *v, const struct str_list *env, json_t **ret)
{
	cleanup_json json_t *object = json_object();
	const char *key;
	json_t *member;

	json_object_foreach(v, key, member) {
		json_t *replaced;
		int r = stack_vars_replace(&(struct json_at){ .up = at, .key = key }, member, env, &replaced);

		if (r < 0)
			return r;
		if (json_object_set_new(object, key, replaced) < 0)
			return fail(ENOMEM, "replace variables");
	}
	*ret = steal_ptr(&object);
	return *ret ? 0 : fail(ENOMEM, "replace variables");
}

static int array_replace(const struct json_at *at, json_t *v, const struct str_list *env, json_t **ret)
{
	cleanup_json json_t *array = json_array();
	json_t *item;
	size_t i;

	json_array_foreach(v, i, item) {
		json_t *replaced;
		int r = stack_vars_replace(&(struct json_at){ .up = at, .index = i }, item, env, &replaced);

		if (r < 0)
			return r;
		if (json_array_append_new(array, replaced) < 0)
			return fail(ENOMEM, "replace variables");
	}
	*ret = steal_ptr(&array);
	return *ret ? 0 : fail(ENOMEM, "replace variables");
}

int stack_vars_replace(const struct json_at *at, json_t *v, const struct str_list *env, json_t **ret)
{
	if (json_is_object(v))
		return object_replace(at, v, env, ret);
	if (json_is_array(v))
		return array_replace(at, v, env, ret);
	if (json_is_string(v))
		return string_replace(at, v, env, ret);
	*ret = json_incref(v);
	return 0;
}
