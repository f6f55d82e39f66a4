/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strings and lists of strings. A list keeps no capacity: its room is the power of two (at least
 * ROOM_FIRST) above its count, so it is full exactly when count + 1 is such a power. A list whose
 * count was lowered has more room than that, which does no harm.
 */
#include "runtime/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROOM_FIRST = 8,
	NEAREST_MAX = 48, /* longer words are not compared */
};

int str_format(char **ret_text, const char *fmt, ...)
{
	char *made = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&made, fmt, args);
	va_end(args);
	if (n < 0)
		return fail(ENOMEM, "make a text");
	*ret_text = made;
	return 0;
}

int str_copy(char **to, const char *from)
{
	char *copy = NULL;

	if (from) {
		copy = strdup(from);
		if (!copy)
			return fail(ENOMEM, "copy a text");
	}
	free(*to);
	*to = copy;
	return 0;
}

/* Append @text itself, which is freed when that fails. */
static int list_take(struct str_list *list, char *text)
{
	size_t used = list->count + 1;

	if (!list->items || (used >= ROOM_FIRST && (used & (used - 1)) == 0)) {
		size_t room = list->items ? used * 2 : ROOM_FIRST;
		char **grown = reallocarray(list->items, room, sizeof(*grown));

		if (!grown) {
			free(text);
			return fail(ENOMEM, "make a list longer");
		}
		list->items = grown;
	}
	list->items[list->count++] = text;
	list->items[list->count] = NULL;
	return 0;
}

int str_list_add(struct str_list *list, const char *text)
{
	char *copy = strdup(text);

	return copy ? list_take(list, copy) : fail(ENOMEM, "copy a text");
}

int str_list_addf(struct str_list *list, const char *fmt, ...)
{
	char *made = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&made, fmt, args);
	va_end(args);
	return n < 0 ? fail(ENOMEM, "make a text") : list_take(list, made);
}

bool str_list_has(const struct str_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_eq(list->items[i], text))
			return true;
	return false;
}

void str_list_done(struct str_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct str_list){ .items = NULL };
}

/* The value in the environment entry @entry if it is @name's, else NULL. */
static const char *env_value(const char *entry, const char *name)
{
	const char *rest = str_starts(entry, name);

	return rest && *rest == '=' ? rest + 1 : NULL;
}

const char *str_env_find(const struct str_list *env, const char *name)
{
	for (size_t i = 0; i < env->count; i++) {
		const char *value = env_value(env->items[i], name);

		if (value)
			return value;
	}
	return NULL;
}

int str_env_set(struct str_list *env, const char *name, const char *value)
{
	char *entry = NULL;
	size_t kept = 0;
	int r = str_format(&entry, "%s=%s", name, value);

	if (r < 0)
		return r;
	/* The first takes the value, others of that name go: programs differ in which they see. */
	for (size_t i = 0; i < env->count; i++) {
		char *item = env->items[i];

		if (env_value(item, name)) {
			free(item);
			item = steal_ptr(&entry);
			if (!item)
				continue;
		}
		env->items[kept++] = item;
	}
	if (env->items)
		env->items[kept] = NULL;
	env->count = kept;
	return entry ? list_take(env, entry) : 0;
}

uint64_t str_hash(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

bool str_among(const char *text, const char *const *list)
{
	while (*list && !str_eq(text, *list))
		list++;
	return *list;
}

const char *str_starts(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

bool str_ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && str_eq(text + n - m, suffix);
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned int lowest(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * How many letters must be put in, taken out, changed, or swapped with their neighbour, to make
 * @a @b; case does not count. Both have at most NEAREST_MAX letters.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][NEAREST_MAX + 1];
	unsigned int *before = rows[0], *above = rows[1], *row = rows[2];
	size_t width = strlen(b);

	for (size_t j = 0; j <= width; j++)
		before[j] = above[j] = (unsigned int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int *spare = before;

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= width; j++) {
			unsigned int changed = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);

			row[j] = lowest(changed, lowest(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				row[j] = lowest(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[width];
}

const char *str_nearest(const char *word, const char *const *candidates)
{
	size_t n = strnlen(word, NEAREST_MAX + 1);
	unsigned int best = n <= 4 ? 2 : 3; /* one more than what is allowed */
	const char *found = NULL;

	if (n > NEAREST_MAX)
		return NULL;
	/* Nothing of the word would be left: not a slip of the hand. */
	best = lowest(best, (unsigned int)n);
	for (; *candidates; candidates++) {
		unsigned int distance;

		if (strnlen(*candidates, NEAREST_MAX + 1) > NEAREST_MAX)
			continue;
		distance = edit_distance(word, *candidates);
		if (distance < best) {
			best = distance;
			found = *candidates;
		}
	}
	return found;
}
