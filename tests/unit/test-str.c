/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/str.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "tests/unit/tap.h"

static void test_a_list_is_always_ended_by_null(void)
{
	struct str_list list = { .items = NULL };

	for (int i = 0; i < 1000; i++) {
		CHECK_INT(str_list_addf(&list, "item %d", i), 0);
		CHECK(list.items[i + 1] == NULL);
	}
	CHECK_INT((long long)list.count, 1000);
	CHECK_STR(list.items[0], "item 0");
	CHECK_STR(list.items[999], "item 999");
	CHECK(str_list_has(&list, "item 512"));
	CHECK(!str_list_has(&list, "item"));
	str_list_done(&list);
	CHECK(!list.items && list.count == 0);
	CHECK_INT(str_list_add(&list, "again"), 0);
	CHECK_STR(list.items[0], "again");
	str_list_done(&list);
	str_list_done(&list);
}

static void test_a_list_may_be_shortened_and_grow_again(void)
{
	struct str_list list = { .items = NULL };

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 20; i++)
			CHECK_INT(str_list_add(&list, "x"), 0);
		for (int i = 0; i < 17; i++) {
			free(list.items[--list.count]);
			list.items[list.count] = NULL;
		}
	}
	CHECK_INT((long long)list.count, 120);
	str_list_done(&list);
}

static void test_the_environment_is_found_by_whole_names(void)
{
	struct str_list env = { .items = NULL };

	CHECK(!str_env_find(&env, "A"));
	CHECK_INT(str_env_set(&env, "AB", "1"), 0);
	CHECK_INT(str_env_set(&env, "A", "x=y"), 0);
	CHECK_INT(str_list_add(&env, "NOVALUE"), 0);
	CHECK_STR(str_env_find(&env, "A"), "x=y");
	CHECK_STR(str_env_find(&env, "AB"), "1");
	CHECK(!str_env_find(&env, "NOVALUE"));
	CHECK(!str_env_find(&env, "B"));
	str_list_done(&env);
}

static void test_setting_a_variable_leaves_exactly_one(void)
{
	struct str_list env = { .items = NULL };

	CHECK_INT(str_list_add(&env, "A=1"), 0);
	CHECK_INT(str_list_add(&env, "B=1"), 0);
	CHECK_INT(str_list_add(&env, "A=2"), 0);
	CHECK_INT(str_list_add(&env, "C=1"), 0);
	CHECK_INT(str_env_set(&env, "A", "3"), 0);
	CHECK_INT((long long)env.count, 3);
	CHECK_STR(env.items[0], "A=3");
	CHECK_STR(env.items[1], "B=1");
	CHECK_STR(env.items[2], "C=1");
	CHECK(env.items[3] == NULL);
	str_list_done(&env);
}

static void test_a_copy_frees_what_stood_there(void)
{
	cleanup_free char *text = NULL;

	CHECK_INT(str_copy(&text, "one"), 0);
	CHECK_INT(str_copy(&text, text), 0);
	CHECK_STR(text, "one");
	CHECK_INT(str_copy(&text, NULL), 0);
	CHECK(!text);
	CHECK_INT(str_format(&text, "%d-%s", 7, "x"), 0);
	CHECK_STR(text, "7-x");
}

static void test_beginnings_and_ends(void)
{
	CHECK_STR(str_starts("abc", "ab"), "c");
	CHECK_STR(str_starts("ab", "ab"), "");
	CHECK(!str_starts("a", "ab"));
	CHECK(str_ends("a.json", ".json"));
	CHECK(!str_ends("json", ".json"));
	CHECK(str_ends("x", ""));
}

static void test_a_number_is_digits_and_nothing_else(void)
{
	static const char *const bad[] = { "",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "1a",
					   "0x10",
					   "1.0",
					   "-",
					   "1\n",
					   "٣",
					   "1e3",
					   "18446744073709551616x" };
	uint64_t n = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(str_to_u64(bad[i], UINT64_MAX, &n), -EINVAL);
	CHECK_INT((long long)n, 7);
	CHECK_INT(str_to_u64("0", 0, &n), 0);
	CHECK_INT((long long)n, 0);
	CHECK_INT(str_to_u64("007", 10, &n), 0);
	CHECK_INT((long long)n, 7);
	CHECK_INT(str_to_u64("18446744073709551615", UINT64_MAX, &n), 0);
	CHECK(n == UINT64_MAX);
	CHECK_INT(str_to_u64("18446744073709551616", UINT64_MAX, &n), -ERANGE);
	CHECK_INT(str_to_u64("99999999999999999999999", UINT64_MAX, &n), -ERANGE);
	CHECK_INT(str_to_u64("4294967296", UINT32_MAX, &n), -ERANGE);
	CHECK_INT(str_to_u64("4294967295", UINT32_MAX, &n), 0);
}

static void test_a_signed_number_reaches_both_ends(void)
{
	int64_t n = 0;

	CHECK_INT(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &n), 0);
	CHECK(n == INT64_MIN);
	CHECK_INT(str_to_i64("9223372036854775807", INT64_MIN, INT64_MAX, &n), 0);
	CHECK(n == INT64_MAX);
	CHECK_INT(str_to_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &n), -ERANGE);
	CHECK_INT(str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &n), -ERANGE);
	CHECK_INT(str_to_i64("-0", -1, 1, &n), 0);
	CHECK_INT(n, 0);
	CHECK_INT(str_to_i64("-2", -1, 1, &n), -ERANGE);
	CHECK_INT(str_to_i64("2", -1, 1, &n), -ERANGE);
	CHECK_INT(str_to_i64("--1", -9, 9, &n), -EINVAL);
	CHECK_INT(str_to_i64("-", -9, 9, &n), -EINVAL);
	CHECK_INT(str_to_i64("", -9, 9, &n), -EINVAL);
}

static void test_a_size_is_read_as_docker_writes_it(void)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "42", 42 },
		{ "42b", 42 },
		{ "42B", 42 },
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "1kb", 1024 },
		{ "1KiB", 1024 },
		{ "64m", 67108864 },
		{ "1.5g", 1610612736 },
		{ "0.5t", 549755813888 },
		{ "0.1g", 107374182 },
		{ "1.999999999999999999k", 2047 },
		{ "-1", -1 },
		{ "unlimited", -1 },
		{ "9223372036854775807", INT64_MAX },
		{ "8388607t", INT64_C(8388607) << 40 },
		/* no double holds this one */
		{ "9007199254740993", INT64_C(9007199254740993) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int64_t n = 12345;

		CHECK_INT(str_to_bytes(good[i].text, &n), 0);
		if (!CHECK_INT(n, good[i].bytes))
			tap_check(false, __FILE__, __LINE__, "size '%s'", good[i].text);
	}
}

static void test_a_size_that_is_none_is_refused(void)
{
	static const char *const bad[] = {
		"",    "k",     "-2",     "-1k",       "1.k",
		".5g", "1..5g", "1.5.2g", "1x",        "1kk",
		"1ki", "1ib",   "1bb",    "1 k",       " 1",
		"1k ", "1e3",   "0x10",   "+1",        "inf",
		"nan", "1p",    "1kbi",   "Unlimited", "1.00000000000000000000g"
	};
	static const char *const large[] = { "9223372036854775808", "8388608t",
					     "18446744073709551616", "18446744073709551615t",
					     "99999999999999999999999k" };
	int64_t n = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(str_to_bytes(bad[i], &n), -EINVAL))
			tap_check(false, __FILE__, __LINE__, "size '%s'", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		CHECK_INT(str_to_bytes(large[i], &n), -ERANGE);
	CHECK_INT(n, 7);
}

static void test_a_duration_is_read_as_docker_writes_it(void)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{ "0", 0 },
		{ "10", 10000000 },
		{ "1.5", 1500000 },
		{ "1m30s", 90000000 },
		{ "500ms", 500000 },
		{ "1.5h", 5400000000 },
		{ "10us", 10 },
		{ "10µs", 10 },
		{ "1500ns", 1 },
		{ "0.5us0.5us", 1 },
		{ "1h1m1s1ms", 3661001000 },
		{ "584542h", UINT64_C(584542) * 3600000000 },
	};
	static const char *const bad[] = { "",    "s",     "-1s",  "1x",  "1s30", "30 s", "1.s",
					   ".5s", "1m 1s", "1ms1", "1sm", "+1s",  "1d",   "1M" };
	uint64_t n = 7;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(str_to_usec(bad[i], &n), -EINVAL))
			tap_check(false, __FILE__, __LINE__, "duration '%s'", bad[i]);
	CHECK_INT(str_to_usec("18446744073709551615h", &n), -ERANGE);
	CHECK_INT(str_to_usec("18446744073709552s", &n), -ERANGE);
	CHECK_INT((long long)n, 7);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_INT(str_to_usec(good[i].text, &n), 0);
		if (!CHECK(n == good[i].usec))
			tap_check(false, __FILE__, __LINE__, "duration '%s'", good[i].text);
	}
}

static void test_a_signal_has_many_names(void)
{
	CHECK_INT(str_signal("9"), SIGKILL);
	CHECK_INT(str_signal("KILL"), SIGKILL);
	CHECK_INT(str_signal("SIGKILL"), SIGKILL);
	CHECK_INT(str_signal("sigkill"), SIGKILL);
	CHECK_INT(str_signal("term"), SIGTERM);
	CHECK_INT(str_signal("IO"), SIGIO);
	CHECK_INT(str_signal("SIGPOLL"), SIGIO);
	CHECK_INT(str_signal("CLD"), SIGCHLD);
	CHECK_INT(str_signal("WINCH"), SIGWINCH);
	CHECK_INT(str_signal("SYS"), SIGSYS);
	CHECK_INT(str_signal("RTMIN"), 34);
	CHECK_INT(str_signal("SIGRTMIN+3"), 37);
	CHECK_INT(str_signal("rtmin+30"), 64);
	CHECK_INT(str_signal("RTMAX"), 64);
	CHECK_INT(str_signal("SIGRTMAX-14"), 50);
	CHECK_INT(str_signal("64"), 64);
	CHECK_INT(str_signal("1"), 1);
}

static void test_no_signal_is_made_up(void)
{
	static const char *const bad[] = { "",       "0",          "65",      "-9",       "SIG",
					   "SIG9",   "SIGSIGKILL", "RTMIN-1", "RTMIN+31", "RTMAX+1",
					   "RTMIN+", "RTMIN3",     "KILL ",   " 9",       "9 ",
					   "KILLX",  "RTM",        "RTMAX-31" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!CHECK_INT(str_signal(bad[i]), -EINVAL))
			tap_check(false, __FILE__, __LINE__, "signal '%s'", bad[i]);
}

static void test_the_nearest_word_is_a_near_one(void)
{
	static const char *const words[] = { "pid",    "network", "mount", "user",
					     "cgroup", "time",    NULL };
	static const char *const none[] = { NULL };
	char large[5000];

	CHECK_STR(str_nearest("pidd", words), "pid");
	CHECK_STR(str_nearest("pdi", words), "pid");
	CHECK_STR(str_nearest("PID", words), "pid");
	CHECK_STR(str_nearest("netwrok", words), "network");
	CHECK_STR(str_nearest("mnout", words), "mount");
	CHECK_STR(str_nearest("nettwork", words), "network");
	CHECK_STR(str_nearest("ntwrk", words), "network");
	CHECK(!str_nearest("ntwr", words));
	CHECK(!str_nearest("x", words));
	CHECK(!str_nearest("", words));
	CHECK(!str_nearest("banana", words));
	CHECK(!str_nearest("pid", none));
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	CHECK(!str_nearest(large, words));
}

static void test_no_control_character_reaches_a_terminal(void)
{
	char buf[200];

	CHECK_STR(str_printable(buf, sizeof(buf), "a \"b\" \\ ü 漢 €"), "a \"b\" \\ ü 漢 €");
	CHECK_STR(str_printable(buf, sizeof(buf), "\x1b[31mred\n\t\x7f"),
		  "\\u001b[31mred\\n\\t\\u007f");
	/* C1 controls, direction overrides, no UTF-8, overlong, a surrogate, cut short */
	CHECK_STR(str_printable(buf, sizeof(buf),
				"\xc2\x9b"
				"31m"),
		  "\\u009b31m");
	CHECK_STR(str_printable(buf, sizeof(buf), "\u202e\u2066\ufeff"), "\\u202e\\u2066\\ufeff");
	CHECK_STR(str_printable(buf, sizeof(buf), "\x9b\xff"), "\\x9b\\xff");
	CHECK_STR(str_printable(buf, sizeof(buf), "\xc0\x9b"), "\\xc0\\x9b");
	CHECK_STR(str_printable(buf, sizeof(buf), "\xed\xa0\x80"), "\\xed\\xa0\\x80");
	CHECK_STR(str_printable(buf, sizeof(buf), "\xe2\x82"), "\\xe2\\x82");
	CHECK_STR(str_printable(buf, sizeof(buf), "\xf0\x9f\x98"), "\\xf0\\x9f\\x98");
	CHECK_STR(str_printable(buf, sizeof(buf), ""), "");
}

static void test_a_text_is_cut_at_a_character(void)
{
	char buf[8];

	CHECK_STR(str_printable(buf, sizeof(buf), "abcdefg"), "abcdefg");
	CHECK_STR(str_printable(buf, sizeof(buf), "abcdefgh"), "abcd…");
	CHECK_STR(str_printable(buf, sizeof(buf), "abcüü"), "abcüü");
	CHECK_STR(str_printable(buf, sizeof(buf), "abcüüü"), "abc…");
	CHECK_STR(str_printable(buf, sizeof(buf),
				"a\x1b"
				"bc"),
		  "a…");
	CHECK_STR(str_printable(buf, sizeof(buf), "\x1b\x1b"), "…");
}

static void test_a_quotation_is_short_and_whole(void)
{
	char buf[STR_QUOTE_SIZE], large[3000];
	const char *end;

	CHECK_STR(str_quote(buf, "a\"b\\c\n"), "\"a\\\"b\\\\c\\n\"");
	CHECK_STR(str_quote(buf, ""), "\"\"");
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	CHECK_INT((long long)strlen(str_quote(buf, large)), 64 + 2 + 3);
	large[64] = '\0';
	CHECK_INT((long long)strlen(str_quote(buf, large)), 64 + 2);
	for (size_t i = 0; i + 4 <= sizeof(large) - 1; i += 4)
		memcpy(large + i, "\xf3\xa0\x80\x81", 4);
	large[2996] = '\0';
	end = str_quote(buf, large);
	CHECK(strlen(end) < STR_QUOTE_SIZE);
	CHECK(str_ends(end, "…\""));
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_list_is_always_ended_by_null),
		TEST(test_a_list_may_be_shortened_and_grow_again),
		TEST(test_the_environment_is_found_by_whole_names),
		TEST(test_setting_a_variable_leaves_exactly_one),
		TEST(test_a_copy_frees_what_stood_there),
		TEST(test_beginnings_and_ends),
		TEST(test_a_number_is_digits_and_nothing_else),
		TEST(test_a_signed_number_reaches_both_ends),
		TEST(test_a_size_is_read_as_docker_writes_it),
		TEST(test_a_size_that_is_none_is_refused),
		TEST(test_a_duration_is_read_as_docker_writes_it),
		TEST(test_a_signal_has_many_names),
		TEST(test_no_signal_is_made_up),
		TEST(test_the_nearest_word_is_a_near_one),
		TEST(test_no_control_character_reaches_a_terminal),
		TEST(test_a_text_is_cut_at_a_character),
		TEST(test_a_quotation_is_short_and_whole),
		{ 0 },
	});
}
