/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From text to values: what is refused, where, and in what words. What tables make of values is test-json.c's. */
#include "runtime/base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

static int parse(const char *text, json_t **ret_v)
{
	return json_parse("f.json", text, strlen(text), ret_v);
}

/* Parse and read @text by the table above; the caller frees @ret. */
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

int main(void)
{
	return tap_run((struct tap_test[]){
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
		{ 0 },
	});
}
