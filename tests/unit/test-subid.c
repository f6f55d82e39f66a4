/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /etc/subuid gives to whom. */
#include "runtime/subid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "tests/unit/tap.h"

static struct subid_range ranges[SUBID_RANGES_MAX];

/* How many ranges of alice, whose uid is 1234, stand in @text. */
static size_t ranges_in(const char *text)
{
	char path[] = "/tmp/test-subid-XXXXXX";
	int fd = mkstemp(path);
	size_t n;

	CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
	n = subid_ranges(path, "alice", 1234, ranges);
	(void)close(fd);
	(void)unlink(path);
	return n;
}

static void test_lines_of_a_user_by_name_and_by_number(void)
{
	CHECK_INT(ranges_in("bob:1:2\nalice:100000:65536\n1234:300000:10\nalicex:5:5\n"), 2);
	CHECK_INT(ranges[0].start, 100000);
	CHECK_INT(ranges[0].count, 65536);
	CHECK_INT(ranges[1].start, 300000);
	CHECK_INT(ranges_in("alice:1:1"), 1);
}

static void test_lines_that_make_no_sense_are_passed_over(void)
{
	CHECK_INT(ranges_in(""), 0);
	CHECK_INT(ranges_in("alice\nalice:\nalice:1\nalice:1:\nalice::1\nalice:1:0\nalice:-1:5\nalice: 1:5\n:1:5\n\n"), 0);
	CHECK_INT(ranges_in("alice:4294967294:2\nalice:4294967295:1\nalice:1:4294967295\nalice:99999999999:1\n"), 0);
	CHECK_INT(ranges_in("alice:1:2:3\n"), 0);
	CHECK_INT(ranges_in("alice:4294967290:3\n"), 1);
}

static void test_more_than_there_is_room_for(void)
{
	char text[40 * 16] = "";

	for (int i = 0; i < 40; i++)
		(void)strcat(text, "alice:5:1\n");
	CHECK_INT(ranges_in(text), SUBID_RANGES_MAX);
}

static void test_no_such_file(void)
{
	CHECK_INT(subid_ranges("/nonexistent", "alice", 1234, ranges), 0);
	CHECK_INT(subid_ranges("/", NULL, 1234, ranges), 0);
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_lines_of_a_user_by_name_and_by_number),
					    TEST(test_lines_that_make_no_sense_are_passed_over),
					    TEST(test_more_than_there_is_room_for), TEST(test_no_such_file), { 0 } });
}
