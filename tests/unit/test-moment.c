/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as people write them, each against seconds that were counted elsewhere (date -d … +%s). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/moment.h"
#include "runtime/base/str.h"
#include "tests/unit/tap.h"

static const struct timespec now = { .tv_sec = 1700000000, .tv_nsec = 250000000 };

static void test_times_are_read(void)
{
	static const struct {
		const char *text;
		long long seconds, ns;
	} cases[] = {
		{ "2023-11-14T22:13:20Z", 1700000000, 0 },
		{ "2023-11-14T22:13:20.5Z", 1700000000, 500000000 },
		{ "2023-11-14T22:13:20.123456789123Z", 1700000000, 123456789 },
		{ "2023-11-14T23:13:20+01:00", 1700000000, 0 },
		{ "2023-11-14T16:43:20-05:30", 1700000000, 0 },
		{ "2023-11-14T22:13Z", 1699999980, 0 },
		{ "2024-02-29T00:00:00Z", 1709164800, 0 },
		/* without a zone: ours, which is UTC here */
		{ "2023-11-14T22:13:20", 1700000000, 0 },
		{ "2023-11-14 22:13:20", 1700000000, 0 },
		{ "2023-11-14", 1699920000, 0 },
		{ "1700000000", 1700000000, 0 },
		{ "1700000000.25", 1700000000, 250000000 },
		{ "0", 0, 0 },
		{ "10s", 1699999990, 250000000 },
		{ "1h30m", 1699994600, 250000000 },
		{ "500ms", 1699999999, 750000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timespec moment = { .tv_sec = -1 };

		CHECK_INT(moment_read(cases[i].text, &now, &moment), 0);
		CHECK_INT(moment.tv_sec, cases[i].seconds);
		CHECK_INT(moment.tv_nsec, cases[i].ns);
	}
}

static void test_what_is_no_time_is_refused(void)
{
	static const char *const texts[] = {
		"", "x", "-1", "-5m", "2023-13-01", "2023-11-14T", "2023-11-14T25:00:00Z", "2023-11-14T22:13:20+1",
		"2023-11-14T22:13:20Zx", "2023-11-14T22:13:20.Z", "1700000000.", "1700000000x", "99999999999999999", "3000000h",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct timespec moment;

		if (moment_read(texts[i], &now, &moment) != -EINVAL)
			CHECK_STR("was taken for a time", texts[i]);
	}
}

static void test_texts_compare_as_moments_do(void)
{
	static const struct timespec moments[] = {
		{ 0, 0 }, { 0, 1 }, { 1700000000, 0 }, { 1700000000, 999999999 }, { 1700000001, 0 }, { 253402300800, 0 },
	};
	char before[MOMENT_SIZE], text[MOMENT_SIZE];

	moment_text(&moments[2], text);
	CHECK_STR(text, "2023-11-14T22:13:20.000000000Z");
	for (size_t i = 1; i < ARRAY_SIZE(moments); i++) {
		moment_text(&moments[i - 1], before);
		moment_text(&moments[i], text);
		CHECK(strcmp(before, text) < 0);
		CHECK_INT((long long)strlen(text), 30);
	}
}

/* Every day of the 400 years after 1970, and some of each later one. */
static void test_dates_are_those_of_the_c_library(void)
{
	for (time_t day = 0; day < 2932896; day += day < 146097 ? 1 : 59) {
		const struct timespec moment = { .tv_sec = day * 86400 + day % 86400, .tv_nsec = day };
		char text[MOMENT_SIZE], theirs[64];
		struct tm tm;

		moment_text(&moment, text);
		(void)gmtime_r(&moment.tv_sec, &tm);
		(void)strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", &tm);
		if (strncmp(text, theirs, strlen(theirs)) != 0) {
			CHECK_STR(text, theirs);
			return;
		}
	}
}

int main(void)
{
	(void)setenv("TZ", "UTC", 1);
	return tap_run((struct tap_test[]){
		TEST(test_times_are_read),
		TEST(test_what_is_no_time_is_refused),
		TEST(test_texts_compare_as_moments_do),
		TEST(test_dates_are_those_of_the_c_library),
		{ NULL, NULL },
	});
}
