/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

enum { KIND_PID = 3, KIND_NETWORK };

static const struct json_name kinds[] = { { "pid", KIND_PID },
					  { "network", KIND_NETWORK },
					  { NULL, 0 } };

struct part {
	int kind;
	char *path;
	int64_t limit;
};

struct whole {
	char *cwd;
	struct str_list args, labels;
	bool flag;
	int64_t number, ranged;
	uint64_t u64;
	uint32_t u32;
	struct part one;
	struct {
		struct part *items;
		size_t count;
	} parts;
};

static void part_init(void *item)
{
	((struct part *)item)->limit = -7;
}

static const struct json_field part_fields[] = {
	{ "type", json_get_enum, offsetof(struct part, kind), JSON_REQUIRED, kinds, "" },
	{ "path", json_get_string, offsetof(struct part, path), JSON_NOT_EMPTY | JSON_ABSOLUTE,
	  NULL, "" },
	{ "limit", json_get_int, offsetof(struct part, limit), 0, NULL, "" },
	{ 0 },
};

static const struct json_items parts = { sizeof(struct part), part_fields, part_init, JSON_CLOSED };
static const struct json_range range = { -1, 1000 };

static const struct json_field whole_fields[] = {
	{ "cwd", json_get_string, offsetof(struct whole, cwd), JSON_REQUIRED, NULL, "" },
	{ "args", json_get_strings, offsetof(struct whole, args), JSON_NOT_EMPTY, NULL, "" },
	{ "annotations", json_get_map, offsetof(struct whole, labels), 0, NULL, "" },
	{ "flag", json_get_bool, offsetof(struct whole, flag), 0, NULL, "" },
	{ "number", json_get_int, offsetof(struct whole, number), 0, NULL, "" },
	{ "ranged", json_get_int, offsetof(struct whole, ranged), 0, &range, "" },
	{ "u64", json_get_u64, offsetof(struct whole, u64), 0, NULL, "" },
	{ "u32", json_get_u32, offsetof(struct whole, u32), 0, NULL, "" },
	{ "one", json_get_object, offsetof(struct whole, one), JSON_CLOSED, part_fields, "" },
	{ "parts", json_get_array, offsetof(struct whole, parts), 0, &parts, "" },
	{ "label", json_refuse, 0, 0, "needs SELinux", "" },
	{ "other", json_refuse, 0, 0, NULL, "" },
	{ 0 },
};

static void whole_done(struct whole *w)
{
	free(w->cwd);
	str_list_done(&w->args);
	str_list_done(&w->labels);
	free(w->one.path);
	for (size_t i = 0; i < w->parts.count; i++)
		free(w->parts.items[i].path);
	free(w->parts.items);
}

static int parse(const char *text, json_t **ret_v)
{
	return json_parse("f.json", text, strlen(text), ret_v);
}

/* Parse and read @text by the table above; the caller frees @ret. */
static int read_whole(const char *text, unsigned int flags, struct whole *ret)
{
	cleanup_json json_t *v = NULL;
	int r = parse(text, &v);

	*ret = (struct whole){ .number = -5, .ranged = -5 };
	return r < 0 ? r : json_object_read(&JSON_ROOT, v, whole_fields, flags, ret);
}

static void check_refused(int line, const char *text, const char *message)
{
	struct whole w;

	tap_check_int(read_whole(text, 0, &w), -EINVAL, __FILE__, line, text);
	tap_check_str(fail_text(), message, __FILE__, line, text);
	whole_done(&w);
}
#define CHECK_REFUSED(text, message) check_refused(__LINE__, text, message)

static void test_a_whole_object_is_read(void)
{
	struct whole w;

	CHECK_INT(
		read_whole(
			"{\"cwd\":\"/x\",\"args\":[\"a\",\"b\"],\"annotations\":{\"k\":\"v=w\",\"l\":\"\"},"
			"\"flag\":true,\"number\":-9223372036854775808,\"ranged\":1000,\"u64\":5,"
			"\"u32\":4294967295,\"one\":{\"type\":\"network\",\"path\":\"/p\"},"
			"\"parts\":[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/q\",\"limit\":2}],"
			"\"unknown\":[1,2]}",
			0, &w),
		0);
	CHECK_STR(w.cwd, "/x");
	CHECK(w.args.count == 2 && !w.args.items[2]);
	CHECK_STR(w.args.items[1], "b");
	CHECK_INT((long long)w.labels.count, 2);
	CHECK_STR(w.labels.items[0], "k=v=w");
	CHECK_STR(w.labels.items[1], "l=");
	CHECK(w.flag && w.number == INT64_MIN && w.ranged == 1000 && w.u64 == 5 &&
	      w.u32 == UINT32_MAX);
	CHECK(w.one.kind == KIND_NETWORK && w.parts.count == 2);
	CHECK_STR(w.one.path, "/p");
	CHECK(w.parts.items[0].kind == KIND_PID && !w.parts.items[0].path &&
	      w.parts.items[0].limit == -7);
	CHECK_STR(w.parts.items[1].path, "/q");
	CHECK_INT(w.parts.items[1].limit, 2);
	whole_done(&w);
}

static void test_what_is_absent_or_null_stays_as_it_is(void)
{
	struct whole w;

	CHECK_INT(
		read_whole("{\"cwd\":\"\",\"number\":null,\"args\":null,\"parts\":[],\"one\":null}",
			   0, &w),
		0);
	CHECK_STR(w.cwd, "");
	CHECK(w.number == -5 && w.ranged == -5 && w.args.count == 0 && !w.parts.items &&
	      w.parts.count == 0);
	whole_done(&w);
}

static void test_a_required_key_may_not_be_missing(void)
{
	CHECK_REFUSED("{}", "cwd: is required");
	CHECK_REFUSED("{\"cwd\":null}", "cwd: is required");
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{}}", "one.type: is required");
}

static void test_each_wrong_type_names_its_place(void)
{
	CHECK_REFUSED("[]", "must be an object, not an array");
	CHECK_REFUSED("{\"cwd\":1}", "cwd: must be a string, not an integer");
	CHECK_REFUSED("{\"cwd\":\"\",\"args\":{}}",
		      "args: must be an array of strings, not an object");
	CHECK_REFUSED("{\"cwd\":\"\",\"args\":[\"x\",null]}",
		      "args[1]: must be a string, not null");
	CHECK_REFUSED("{\"cwd\":\"\",\"args\":[\"\"]}", "args[0]: must not be empty");
	CHECK_REFUSED("{\"cwd\":\"\",\"annotations\":[]}",
		      "annotations: must be an object of strings, not an array");
	CHECK_REFUSED("{\"cwd\":\"\",\"annotations\":{\"a b\":1}}",
		      "annotations[\"a b\"]: must be a string, not an integer");
	CHECK_REFUSED("{\"cwd\":\"\",\"annotations\":{\"a.b\":true}}",
		      "annotations[\"a.b\"]: must be a string, not a boolean");
	CHECK_REFUSED("{\"cwd\":\"\",\"annotations\":{\"a=b\":\"\"}}",
		      "annotations[\"a=b\"]: a key must not be empty or hold '='");
	CHECK_REFUSED("{\"cwd\":\"\",\"annotations\":{\"\":\"\"}}",
		      "annotations[\"\"]: a key must not be empty or hold '='");
	CHECK_REFUSED("{\"cwd\":\"\",\"flag\":0}", "flag: must be true or false, not an integer");
	CHECK_REFUSED("{\"cwd\":\"\",\"number\":1.0}",
		      "number: must be an integer, not a real number");
	CHECK_REFUSED("{\"cwd\":\"\",\"number\":\"1\"}",
		      "number: must be an integer, not a string");
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":[]}", "one: must be an object, not an array");
	CHECK_REFUSED("{\"cwd\":\"\",\"parts\":{}}", "parts: must be an array, not an object");
	CHECK_REFUSED("{\"cwd\":\"\",\"parts\":[null]}", "parts[0]: must be an object, not null");
}

static void test_numbers_have_ranges(void)
{
	CHECK_REFUSED("{\"cwd\":\"\",\"ranged\":-2}", "ranged: must be from -1 to 1000, not -2");
	CHECK_REFUSED("{\"cwd\":\"\",\"ranged\":1001}",
		      "ranged: must be from -1 to 1000, not 1001");
	CHECK_REFUSED("{\"cwd\":\"\",\"u64\":-1}", "u64: must not be negative, as -1 is");
	CHECK_REFUSED("{\"cwd\":\"\",\"u32\":-1}", "u32: must be from 0 to 4294967295, not -1");
	CHECK_REFUSED("{\"cwd\":\"\",\"u32\":4294967296}",
		      "u32: must be from 0 to 4294967295, not 4294967296");
}

static void test_a_word_that_is_not_known_suggests_a_near_one(void)
{
	CHECK_REFUSED("{\"cwd\":\"\",\"parts\":[{\"type\":\"pid\"},{\"type\":\"pidd\"}]}",
		      "parts[1].type: \"pidd\" is not one of pid, network (did you mean 'pid'?)");
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{\"type\":\"x\\u001b[31m\\\"\"}}",
		      "one.type: \"x\\u001b[31m\\\"\" is not one of pid, network");
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{\"type\":1}}",
		      "one.type: must be a string, not an integer");
}

static void test_a_long_list_of_words_is_cut(void)
{
	static struct json_name many[101];
	static char names[100][32];
	int kind = 0;
	const struct json_field fields[] = { { "k", json_get_enum, 0, 0, many, "" }, { 0 } };
	cleanup_json json_t *v = NULL;

	for (int i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "name-number-%d", i);
		many[i] = (struct json_name){ names[i], i };
	}
	CHECK_INT(parse("{\"k\":\"name-numbre-42\"}", &v), 0);
	CHECK(json_object_read(&JSON_ROOT, v, fields, 0, &kind) < 0);
	CHECK_HAS(fail_text(),
		  "k: \"name-numbre-42\" is not one of name-number-0, name-number-1, ");
	CHECK_HAS(fail_text(), ", … (did you mean 'name-number-42'?)");
	CHECK(strlen(fail_text()) < 700);
}

static void test_paths_must_be_absolute_where_asked(void)
{
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{\"type\":\"pid\",\"path\":\"p\"}}",
		      "one.path: \"p\" is not an absolute path");
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{\"type\":\"pid\",\"path\":\"\"}}",
		      "one.path: must not be empty");
}

static void test_strict_objects_know_all_their_keys(void)
{
	struct whole w;

	CHECK_INT(read_whole("{\"cwdd\":\"\"}", JSON_CLOSED, &w), -EINVAL);
	CHECK_STR(fail_text(), "cwdd: is not known: did you mean 'cwd'?");
	whole_done(&w);
	CHECK_INT(read_whole("{\"cwd\":\"\",\"\\u202e\\n banana\":\"\"}", JSON_CLOSED, &w),
		  -EINVAL);
	CHECK_STR(fail_text(), "[\"\\u202e\\n banana\"]: is not known");
	whole_done(&w);
	CHECK_REFUSED("{\"cwd\":\"\",\"one\":{\"type\":\"pid\",\"pth\":1}}",
		      "one.pth: is not known: did you mean 'path'?");
	CHECK_REFUSED("{\"cwd\":\"\",\"parts\":[{\"type\":\"pid\",\"zzzzzz\":1}]}",
		      "parts[0].zzzzzz: is not known");
}

static void test_what_is_refused_may_be_there_when_it_asks_for_nothing(void)
{
	static const char *const nothing[] = { "null", "false", "0",  "0.0",
					       "-0.0", "\"\"",  "[]", "{}" };

	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
		cleanup_free char *text = NULL;
		struct whole w;

		CHECK_INT(str_format(&text, "{\"cwd\":\"\",\"label\":%s}", nothing[i]), 0);
		CHECK_INT(read_whole(text, 0, &w), 0);
		whole_done(&w);
	}
	CHECK_REFUSED("{\"cwd\":\"\",\"label\":\"x\"}", "label: needs SELinux");
	CHECK_REFUSED("{\"cwd\":\"\",\"label\":true}", "label: needs SELinux");
	CHECK_REFUSED("{\"cwd\":\"\",\"other\":0.1}", "other: not supported yet");
	CHECK_REFUSED("{\"cwd\":\"\",\"other\":-1}", "other: not supported yet");
	CHECK_REFUSED("{\"cwd\":\"\",\"other\":[0]}", "other: not supported yet");
}

static void test_a_failure_within_an_array_loses_no_memory(void)
{
	struct whole w;

	CHECK_INT(
		read_whole("{\"cwd\":\"/\",\"parts\":[{\"type\":\"pid\",\"path\":\"/a\"},"
			   "{\"type\":\"pid\",\"path\":\"/b\",\"limit\":true},{\"type\":\"pid\"}]}",
			   0, &w),
		-EINVAL);
	CHECK_STR(fail_text(), "parts[1].limit: must be an integer, not a boolean");
	CHECK_INT((long long)w.parts.count, 2);
	CHECK_STR(w.parts.items[1].path, "/b");
	whole_done(&w);
}

static void test_integers_beyond_64_bits_saturate(void)
{
	struct whole w;

	CHECK_INT(read_whole("{\"cwd\":\"18446744073709551615\",\"number\":18446744073709551615,"
			     "\"u64\":18446744073709551615,\"ranged\":0,\"u32\":7}",
			     0, &w),
		  0);
	CHECK(w.number == INT64_MAX && w.u64 == UINT64_MAX && w.ranged == 0 && w.u32 == 7);
	CHECK_STR(w.cwd, "18446744073709551615");
	whole_done(&w);
	CHECK_INT(
		read_whole(
			"{\"cwd\":\"\\\"9999999999999999999\\\\\",\"number\":9223372036854775808}",
			0, &w),
		0);
	CHECK(w.number == INT64_MAX);
	CHECK_STR(w.cwd, "\"9999999999999999999\\");
	whole_done(&w);
	CHECK_INT(read_whole("{\"cwd\":\"\",\"u64\":9223372036854775806}", 0, &w), 0);
	CHECK(w.u64 == INT64_MAX - UINT64_C(1));
	whole_done(&w);
	/* beyond all 64 bits there is nothing to be exact about */
	CHECK_INT(read_whole("{\"cwd\":\"\",\"u64\":18446744073709551616}", 0, &w), 0);
	CHECK(w.u64 == UINT64_MAX);
	whole_done(&w);
	CHECK_INT(read_whole("{\"cwd\":\"\",\"number\":99999999999999999999999999999999999999999}",
			     0, &w),
		  0);
	CHECK(w.number == INT64_MAX);
	whole_done(&w);
	/* saturating must not make a whole real pass for an integer */
	CHECK_REFUSED("{\"cwd\":\"\",\"u64\":18446744073709551615,\"number\":1.0}",
		      "number: must be an integer, not a real number");
}

static void test_unsigned_integers_are_exact(void)
{
	static const uint64_t values[] = { 0, INT64_MAX - UINT64_C(1), INT64_MAX, UINT64_C(1) << 63,
					   UINT64_C(0xffffffff00000000), UINT64_MAX - 1, UINT64_MAX };

	/* alone, and beside one that makes the loader look twice */
	for (size_t i = 0; i < 2 * ARRAY_SIZE(values); i++) {
		uint64_t value = values[i / 2];
		cleanup_free char *text = NULL;
		struct whole w;

		CHECK(str_format(&text, "{\"cwd\":\"9223372036854775808\",\"number\":%s,\"u64\":%" PRIu64 "}",
				 i % 2 ? "99999999999999999999" : "9223372036854775807", value) == 0);
		if (!CHECK_INT(read_whole(text, 0, &w), 0))
			continue;
		CHECK(w.u64 == value);
		CHECK(w.number == INT64_MAX);
		CHECK_STR(w.cwd, "9223372036854775808");
		whole_done(&w);
	}
}

static void test_wide_integers_are_kept_in_copies_and_text(void)
{
	static const char text[] = "{\"a\":[18446744073709551615,-1,\"\\\"\\\\u0000\",9223372036854775807],"
				   "\"b\":{\"c\":18446744069414584320,\"d\":{}},\"e\":9223372036854775808}";
	cleanup_json json_t *v = NULL, *copy = NULL;
	cleanup_free char *written = NULL;

	CHECK_INT(parse(text, &v), 0);
	copy = json_deep_copy(v);
	CHECK(json_equal(v, copy));
	written = json_text(copy);
	CHECK_STR(written, text);
}

static void test_wide_integers_are_nothing_else(void)
{
	uint64_t wide = 0;
	int64_t clamped = 0;
	cleanup_json json_t *v = NULL, *made = json_from_u64(UINT64_MAX), *small = json_from_u64(7);

	CHECK_REFUSED("{\"cwd\":18446744073709551615}", "cwd: must be a string, not an integer");
	CHECK_REFUSED("{\"cwd\":\"\",\"u32\":18446744073709551615}",
		      "u32: must be from 0 to 4294967295, not 9223372036854775807");
	CHECK_INT(parse("[\"18446744073709551615\", 5, 1.5]", &v), 0);
	CHECK(!json_is_wide(json_array_get(v, 0), &wide) && !json_clamped(json_array_get(v, 0), &clamped));
	CHECK(!json_is_wide(json_array_get(v, 1), &wide) && json_clamped(json_array_get(v, 1), &clamped));
	CHECK_INT(clamped, 5);
	CHECK(!json_clamped(json_array_get(v, 2), &clamped));
	CHECK(json_is_wide(made, &wide) && wide == UINT64_MAX);
	CHECK(json_clamped(made, &clamped) && clamped == INT64_MAX);
	CHECK(json_is_integer(small) && json_integer_value(small) == 7);
}

static void test_paths_are_written_so_that_they_can_be_read(void)
{
	char large[200];
	struct json_at root = JSON_ROOT, a = { .up = &root, .key = "linux" },
		       b = { .up = &a, .key = "devices" }, c = { .up = &b, .index = 12 },
		       d = { .up = &c, .key = "1a" }, e = { .up = &root, .index = 3 };
	struct json_at f = { .up = &root, .key = large };

	cleanup_free char *none = json_path(&root), *deep = json_path(&d), *item = json_path(&e);
	CHECK_STR(none, "");
	CHECK_STR(deep, "linux.devices[12][\"1a\"]");
	CHECK_STR(item, "[3]");
	memset(large, 'k', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	cleanup_free char *cut = json_path(&f);
	CHECK(cut && strlen(cut) < 80);
}

static void test_of_a_long_path_the_end_is_shown(void)
{
	struct json_at chain[200] = { JSON_ROOT };

	for (size_t i = 1; i < ARRAY_SIZE(chain); i++)
		chain[i] = (struct json_at){ .up = &chain[i - 1], .key = "läng liches" };
	CHECK_INT(json_fail(&chain[199], "is wrong"), -EINVAL);
	CHECK(str_starts(fail_text(), "…") != NULL);
	CHECK(str_ends(fail_text(), "[\"läng liches\"]: is wrong"));
	CHECK(strlen(fail_text()) < 1100);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_whole_object_is_read),
		TEST(test_what_is_absent_or_null_stays_as_it_is),
		TEST(test_a_required_key_may_not_be_missing),
		TEST(test_each_wrong_type_names_its_place),
		TEST(test_numbers_have_ranges),
		TEST(test_a_word_that_is_not_known_suggests_a_near_one),
		TEST(test_a_long_list_of_words_is_cut),
		TEST(test_paths_must_be_absolute_where_asked),
		TEST(test_strict_objects_know_all_their_keys),
		TEST(test_what_is_refused_may_be_there_when_it_asks_for_nothing),
		TEST(test_a_failure_within_an_array_loses_no_memory),
		TEST(test_integers_beyond_64_bits_saturate),
		TEST(test_unsigned_integers_are_exact),
		TEST(test_wide_integers_are_kept_in_copies_and_text),
		TEST(test_wide_integers_are_nothing_else),
		TEST(test_paths_are_written_so_that_they_can_be_read),
		TEST(test_of_a_long_path_the_end_is_shown),
		{ 0 },
	});
}
