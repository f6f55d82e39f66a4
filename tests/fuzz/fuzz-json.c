/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as JSON: what parses must survive being written and parsed again, byte for byte, and
 * must be either read by a table that uses every getter or refused with a message fit for a terminal.
 *
 * clang -std=gnu17 -D_GNU_SOURCE -I. -g -O1 -fsanitize=fuzzer,address,undefined \
 *	tests/fuzz/fuzz-json.c runtime/base/{error,fd,str*,json*}.c -ljansson -o fuzz-json
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
	char *path;
	int kind;
};

struct target {
	char *text;
	struct str_list list, map;
	bool flag;
	int64_t number, ranged;
	uint64_t u64;
	uint32_t u32;
	struct item one;
	struct {
		struct item *items;
		size_t count;
	} many;
};

static const struct json_name kinds[] = {
	{ "pid", 1 }, { "network", 2 }, { "mount", 3 }, { NULL, 0 }
};
static const struct json_range range = { -1000, 1000 };

static const struct json_field item_fields[] = {
	{ "path", json_get_string, offsetof(struct item, path), JSON_NOT_EMPTY | JSON_ABSOLUTE,
	  NULL, "" },
	{ "kind", json_get_enum, offsetof(struct item, kind), JSON_REQUIRED, kinds, "" },
	{ 0 },
};

static const struct json_items items = { sizeof(struct item), item_fields, NULL, JSON_CLOSED };

static const struct json_field fields[] = {
	{ "text", json_get_string, offsetof(struct target, text), 0, NULL, "" },
	{ "list", json_get_strings, offsetof(struct target, list), JSON_NOT_EMPTY, NULL, "" },
	{ "map", json_get_map, offsetof(struct target, map), 0, NULL, "" },
	{ "flag", json_get_bool, offsetof(struct target, flag), 0, NULL, "" },
	{ "number", json_get_int, offsetof(struct target, number), 0, NULL, "" },
	{ "ranged", json_get_int, offsetof(struct target, ranged), 0, &range, "" },
	{ "u64", json_get_u64, offsetof(struct target, u64), 0, NULL, "" },
	{ "u32", json_get_u32, offsetof(struct target, u32), 0, NULL, "" },
	{ "one", json_get_object, offsetof(struct target, one), JSON_CLOSED, item_fields, "" },
	{ "many", json_get_array, offsetof(struct target, many), 0, &items, "" },
	{ "refused", json_refuse, 0, 0, NULL, "" },
	{ 0 },
};

/* A message must be there, on one line, without control characters. */
static void check_message(void)
{
	const unsigned char *c = (const unsigned char *)fail_text();

	if (!*c)
		abort();
	for (; *c; c++)
		if (*c < 0x20 || *c == 0x7F || (*c == 0xC2 && c[1] >= 0x80 && c[1] <= 0x9F))
			abort();
}

static void check_table(json_t *v)
{
	struct target t = { .text = NULL };
	int r = json_object_read(&JSON_ROOT, v, fields, JSON_CLOSED, &t);

	if (r < 0)
		check_message();
	else if (t.ranged < range.min || t.ranged > range.max)
		abort();
	free(t.text);
	free(t.one.path);
	str_list_done(&t.list);
	str_list_done(&t.map);
	for (size_t i = 0; i < t.many.count; i++)
		free(t.many.items[i].path);
	free(t.many.items);
}

static void check_round_trip(const json_t *v)
{
	cleanup_json json_t *again = NULL;
	cleanup_free char *first = json_text(v), *second = NULL;

	if (!first || json_parse("again", first, strlen(first), &again) < 0)
		abort();
	second = json_text(again);
	if (!second || !str_eq(first, second) || !json_equal(v, again))
		abort();
}

/* It is parsed without its blanks, which must change nothing. */
static void check_as_written(const char *text, size_t size, const json_t *v)
{
	json_error_t error;
	cleanup_json json_t *plain = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

	if (plain ? !json_equal(plain, v) : json_error_code(&error) != json_error_numeric_overflow)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_json json_t *v = NULL;

	(void)fail_plain(EINVAL, "%s", "");
	if (json_parse("fuzz\x1b", (const char *)data, size, &v) < 0) {
		check_message();
		return 0;
	}
	check_as_written((const char *)data, size, v);
	check_round_trip(v);
	check_table(v);
	return 0;
}
