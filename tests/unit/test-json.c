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

static void test_other_overflows_stay_errors(void)
{
	static const char *const bad[] = {
		"[1e400]",
		"[-1e400]",
		"[1e99999999999999999999]",
		"[18446744073709551615,1e400]",
		"[-9223372036854775809]",
		"[09999999999999999999999]",
		"[99999999999999999999,09999999999999999999999]",
		"[99999999999999999999abc]",
		"[99999999999999999999 1]",
		"[+99999999999999999999]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *v = NULL;

		if (!CHECK_INT(parse(bad[i], &v), -EINVAL))
			tap_check(false, __FILE__, __LINE__, "%s", bad[i]);
		CHECK_HAS(fail_text(), "f.json:1:");
		CHECK(!v);
	}
}

static void test_a_later_error_keeps_its_column(void)
{
	json_t *v = NULL;

	CHECK_INT(parse("[99999999999999999999999,\n 18446744073709551615, x]", &v), -EINVAL);
	CHECK_STR(fail_text(), "f.json:2:24: invalid token near 'x'");
}

static void test_syntax_errors_name_line_and_column(void)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ "", "f.json: is empty" },
		{ " \n\t", "f.json: is empty" },
		{ "\xef\xbb\xbf{}",
		  "f.json:1:1: begins with a byte order mark, which JSON does not have: "
		  "save it as UTF-8 without one" },
		{ "{\"a\":1,\n\"a\":2}", "f.json:2:3: duplicate object key near '\"a\"'" },
		{ "{} {}", "f.json:1:4: end of file expected near '{'" },
		{ "{\"a\":\"x\\u0000y\"}", "f.json:1:15: a string holds a NUL character" },
		{ "{\"a\\u0000b\":1}", "f.json:1:11: a string holds a NUL character" },
		{ "[1,]", "f.json:1:4: unexpected token near ']'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *v = NULL;

		CHECK_INT(parse(bad[i].text, &v), -EINVAL);
		CHECK_STR(fail_text(), bad[i].message);
	}
}

static void test_hostile_bytes_do_not_reach_the_message(void)
{
	static const char *const bad[] = { "[\x1b[31m]", "[\"\x1b[31m\"]", "{\"a\":\x9b}",
					   "[\"\xff\"]", "\x07" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *v = NULL;

		CHECK_INT(json_parse("e\x1bvil", bad[i], strlen(bad[i]), &v), -EINVAL);
		CHECK_HAS(fail_text(), "e\\u001bvil:1:");
		for (const char *c = fail_text(); *c; c++)
			CHECK(*c >= ' ' && *c < 0x7f);
	}
}

static void test_depth_is_limited(void)
{
	char text[2 * (JSON_DEPTH_MAX + 1) + 1];
	cleanup_json json_t *v = NULL;

	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	CHECK_INT(json_parse("f", text, 2 * JSON_DEPTH_MAX, &v), 0);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	json_t *deep = NULL;
	CHECK_INT(json_parse("f", text, 2 * (JSON_DEPTH_MAX + 1), &deep), -EINVAL);
	CHECK_STR(fail_text(), "f:1:129: is nested more than 128 deep");
	/* brackets within strings do not count */
	memset(text, '[', sizeof(text));
	memcpy(text, "[\"", 2);
	memcpy(text + 200, "\"]", 2);
	cleanup_json json_t *flat = NULL;
	CHECK_INT(json_parse("f", text, 202, &flat), 0);
}

static void test_every_prefix_of_a_text_is_judged_in_its_bounds(void)
{
	static const char text[] =
		"{\"a\\\"\":[1,-2.5e3,\"x\\\\\",18446744073709551615,{\"b\":null}],\"c\":true}";

	/* exact copies on the heap: ASan sees a byte too far */
	for (size_t n = 0; n < sizeof(text); n++) {
		cleanup_free char *copy = malloc(n ? n : 1);
		cleanup_json json_t *v = NULL;

		memcpy(copy, text, n);
		CHECK_INT(json_parse("f", copy, n, &v), n == sizeof(text) - 1 ? 0 : -EINVAL);
	}
}

static void test_size_is_limited(void)
{
	char name[] = "/tmp/nacelle-test-json.XXXXXX";
	cleanup_fd int fd = mkostemp(name, O_CLOEXEC);
	json_t *v = NULL;

	CHECK_INT(ftruncate(fd, JSON_SIZE_MAX + 1), 0);
	CHECK_INT(json_read_at(AT_FDCWD, name, "big.json", &v), -EFBIG);
	CHECK_STR(fail_text(), "big.json: is larger than 16 MiB");
	(void)unlink(name);
}

static void test_only_regular_files_are_read(void)
{
	char folder[] = "/tmp/nacelle-test-json.XXXXXX";
	json_t *v = NULL;

	if (!CHECK(mkdtemp(folder)))
		return;
	cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(mkfifoat(dir, "fifo", 0600), 0);
	CHECK_INT(json_read_at(dir, "fifo", NULL, &v), -EINVAL);
	CHECK_STR(fail_text(), "'fifo' is not a regular file");
	CHECK_INT(json_read_at(dir, ".", "the folder", &v), -EINVAL);
	CHECK_STR(fail_text(), "'the folder' is not a regular file");
	CHECK_INT(json_read_at(dir, "/dev/zero", NULL, &v), -EINVAL);
	CHECK_INT(json_read_at(dir, "absent", NULL, &v), -ENOENT);
	CHECK_STR(fail_text(), "open 'absent': not found");
	CHECK_INT(fd_replace_file(dir, "good", "{\"a\":[1]}\n", 10, 0600), 0);
	cleanup_json json_t *good = NULL;
	CHECK_INT(json_read_at(dir, "good", NULL, &good), 0);
	cleanup_free char *text = json_text(good);
	CHECK_STR(text, "{\"a\":[1]}");
	CHECK(!v);
	(void)unlinkat(dir, "fifo", 0);
	(void)unlinkat(dir, "good", 0);
	(void)rmdir(folder);
}

static void test_the_text_comes_without_blanks(void)
{
	static const char written[] = " {\r\n\t\"a b\" : [ 1 , \"two  \\\" words\\\\\" , 18446744073709551615 ] ,\n \"c\":\" \" }\n";
	char name[] = "/tmp/nacelle-test-json.XXXXXX";
	cleanup_fd int fd = mkostemp(name, O_CLOEXEC);
	cleanup_json json_t *v = NULL, *again = NULL;
	cleanup_free char *text = NULL;

	CHECK_INT(fd_write_all(fd, written, sizeof(written) - 1), 0);
	CHECK_INT(json_read_text_at(AT_FDCWD, name, NULL, &text, &v), 0);
	CHECK_STR(text, "{\"a b\":[1,\"two  \\\" words\\\\\",18446744073709551615],\"c\":\" \"}");
	CHECK_INT(json_parse("again", text, strlen(text), &again), 0);
	CHECK(json_equal(v, again));
	/* refused: there is no text either */
	cleanup_free char *none = NULL;
	json_t *wrong = NULL;
	CHECK_INT(ftruncate(fd, 9), 0);
	CHECK(json_read_text_at(AT_FDCWD, name, NULL, &none, &wrong) < 0 && !none && !wrong);
	(void)unlink(name);
}

/* They are dropped before it is parsed. */
static void test_a_blank_that_parts_two_words_is_one(void)
{
	static const char *const wrong[] = { "[1 2]", "[tr ue]", "[- 1]", "[1\n.5]", "[1 e5]", "[\"a\" \"b\"]", "{\"a\" 1}", "[nul\tl]" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *v = NULL;

		CHECK(json_parse("f", wrong[i], strlen(wrong[i]), &v) < 0 && !v);
		CHECK_HAS(fail_text(), strchr(wrong[i], '\n') ? "f:2:" : "f:1:");
	}
	cleanup_json json_t *v = NULL;
	static const char good[] = "\t{ \"a\\\\\" : \"\\\" [ 1 , \" , \"\" : [ 1 , -2 , true , null , 1.5e3 ] }\n";

	CHECK_INT(json_parse("f", good, sizeof(good) - 1, &v), 0);
	cleanup_free char *text = json_text(v);
	CHECK_STR(text, "{\"a\\\\\":\"\\\" [ 1 , \",\"\":[1,-2,true,null,1500.0]}");
}

static void test_a_pipe_is_read_to_its_end(void)
{
	cleanup_json json_t *v = NULL;
	int fds[2];

	if (!CHECK_INT(pipe2(fds, O_CLOEXEC), 0))
		return;
	CHECK_INT(fd_write_all(fds[1], "{\"z\":1,\"a\":2}", 13), 0);
	(void)close(fds[1]);
	CHECK_INT(json_read_fd("standard input", fds[0], &v), 0);
	(void)close(fds[0]);
	/* keys keep their order */
	cleanup_free char *text = json_text(v);
	CHECK_STR(text, "{\"z\":1,\"a\":2}");
}

static void test_laid_over_each_other(void)
{
	cleanup_json json_t *object = json_pack("{s:{s:i,s:i}, s:[i], s:s}", "map", "a", 1, "b", 2, "list", 1, "text", "old");
	cleanup_json json_t *over = json_pack("{s:{s:i}, s:[i,i], s:n, s:b}", "map", "b", 3, "list", 2, 3, "text", "new", 1);
	cleanup_json json_t *want = json_pack("{s:{s:i,s:i}, s:[i,i], s:s, s:b}", "map", "a", 1, "b", 3, "list", 2, 3, "text",
					      "old", "new", 1);

	CHECK(object && over && want);
	CHECK_INT(json_lay_over(object, over), 0);
	CHECK(json_equal(object, want));
	CHECK_INT(json_lay_over(object, NULL), 0);
	CHECK(json_equal(object, want));
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
		TEST(test_other_overflows_stay_errors),
		TEST(test_a_later_error_keeps_its_column),
		TEST(test_syntax_errors_name_line_and_column),
		TEST(test_hostile_bytes_do_not_reach_the_message),
		TEST(test_depth_is_limited),
		TEST(test_every_prefix_of_a_text_is_judged_in_its_bounds),
		TEST(test_size_is_limited),
		TEST(test_only_regular_files_are_read),
		TEST(test_the_text_comes_without_blanks),
		TEST(test_a_blank_that_parts_two_words_is_one),
		TEST(test_a_pipe_is_read_to_its_end),
		TEST(test_laid_over_each_other),
		TEST(test_paths_are_written_so_that_they_can_be_read),
		TEST(test_of_a_long_path_the_end_is_shown),
		{ 0 },
	});
}
