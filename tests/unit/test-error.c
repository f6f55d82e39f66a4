/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "tests/unit/tap.h"

static void test_a_failure_carries_its_errno_text(void)
{
	CHECK_INT(fail(EACCES, "open '%s'", "/x"), -EACCES);
	CHECK_STR(fail_text(), "open '/x': Permission denied");
	CHECK_INT(fail_status(), STATUS_OURS);
}

static void test_no_message_speaks_of_a_file_or_directory_that_is_not_there(void)
{
	(void)fail(ENOENT, "open 'x'");
	CHECK_STR(fail_text(), "open 'x': not found");
}

static void test_an_unknown_errno_is_said_so(void)
{
	CHECK_INT(fail(99999, "x"), -99999);
	CHECK_STR(fail_text(), "x: unknown error");
	CHECK(fail(0, "x") < 0);
	CHECK(fail(-EPERM, "x") < 0);
}

static void test_a_plain_failure_has_no_errno_text(void)
{
	CHECK_INT(fail_plain(ERANGE, "%d is too much", 7), -ERANGE);
	CHECK_STR(fail_text(), "7 is too much");
	CHECK(fail_plain(0, "x") < 0);
}

static void test_callers_put_what_they_know_in_front(void)
{
	int r = fail(EPERM, "write");

	CHECK_INT(fail_in(r, "cgroup '%s'", "c1"), -EPERM);
	CHECK_STR(fail_text(), "cgroup 'c1': write: Operation not permitted");
}

static void test_a_new_failure_forgets_the_old_exit_status(void)
{
	CHECK_INT(fail_exit(fail_plain(ENOENT, "x"), STATUS_NOT_FOUND), -ENOENT);
	CHECK_INT(fail_status(), STATUS_NOT_FOUND);
	(void)fail_in(-1, "y");
	CHECK_INT(fail_status(), STATUS_NOT_FOUND);
	(void)fail(EPERM, "z");
	CHECK_INT(fail_status(), STATUS_OURS);
	(void)fail_exit(-1, STATUS_NOT_FOUND);
	(void)fail_plain(EPERM, "z");
	CHECK_INT(fail_status(), STATUS_OURS);
}

static void test_a_long_text_keeps_its_errno_text(void)
{
	static char large[10000];
	size_t n;

	memset(large, 'a', sizeof(large) - 1);
	(void)fail(ENOENT, "%s", large);
	n = strlen(fail_text());
	CHECK_INT((long long)n, 4095);
	CHECK_STR(fail_text() + n - 12, "a: not found");
	(void)fail_plain(EINVAL, "%s", large);
	CHECK_INT((long long)strlen(fail_text()), 4095);
	/* full: no room for more in front, and the text stays as it is */
	(void)fail_in(-1, "%s", "front");
	CHECK(fail_text()[0] == 'a');
}

static void test_a_long_prefix_is_cut_before_the_cause(void)
{
	static char large[10000];

	memset(large, 'p', sizeof(large) - 1);
	for (int shorter = 0; shorter < 8; shorter++) {
		(void)fail_plain(EINVAL, "cause");
		(void)fail_in(-1, "%s", large + sizeof(large) - 1 - 4094 + shorter);
		CHECK(strlen(fail_text()) <= 4095);
		CHECK_HAS(fail_text(), "pp: cause");
	}
	(void)fail_plain(EINVAL, "cause");
	(void)fail_in(-1, "%s", large);
	CHECK_INT((long long)strlen(fail_text()), 4095);
	CHECK_HAS(fail_text(), "pp: cause");
}

static void test_the_recorded_text_may_be_part_of_the_next(void)
{
	(void)fail_plain(EINVAL, "inner");
	(void)fail_plain(EINVAL, "outer (%s)", fail_text());
	CHECK_STR(fail_text(), "outer (inner)");
	(void)fail(EPERM, "again %s", fail_text());
	CHECK_STR(fail_text(), "again outer (inner): Operation not permitted");
}

static void *other_thread(void *arg)
{
	(void)arg;
	(void)fail_exit(fail_plain(EINVAL, "from the other"), 3);
	return NULL;
}

static void test_each_thread_has_its_own_text(void)
{
	pthread_t thread;

	(void)fail_plain(EINVAL, "mine");
	if (!CHECK_INT(pthread_create(&thread, NULL, other_thread, NULL), 0))
		return;
	(void)pthread_join(thread, NULL);
	CHECK_STR(fail_text(), "mine");
	CHECK_INT(fail_status(), STATUS_OURS);
}

static int fail_with_something_to_clean(void)
{
	cleanup_fd int bad = 99999;

	errno = EBUSY;
	CHECK_INT(bad, 99999);
	return fail(errno, "x");
}

static void test_cleaning_up_keeps_errno(void)
{
	CHECK_INT(fail_with_something_to_clean(), -EBUSY);
	CHECK_INT(errno, EBUSY);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_failure_carries_its_errno_text),
		TEST(test_no_message_speaks_of_a_file_or_directory_that_is_not_there),
		TEST(test_an_unknown_errno_is_said_so),
		TEST(test_a_plain_failure_has_no_errno_text),
		TEST(test_callers_put_what_they_know_in_front),
		TEST(test_a_new_failure_forgets_the_old_exit_status),
		TEST(test_a_long_text_keeps_its_errno_text),
		TEST(test_a_long_prefix_is_cut_before_the_cause),
		TEST(test_the_recorded_text_may_be_part_of_the_next),
		TEST(test_each_thread_has_its_own_text),
		TEST(test_cleaning_up_keeps_errno),
		{ 0 },
	});
}
