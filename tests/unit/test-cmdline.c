/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc shows of our own command line, before and after it is hidden.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/cmdline.h"
#include "tests/unit/tap.h"

static char **given;
static int count;

/* How many bytes of it are no NUL. */
static size_t shown(void)
{
	char text[4096];
	ssize_t size;
	size_t n = 0;
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return SIZE_MAX;
	size = read(fd, text, sizeof(text));
	CHECK(size >= 0);
	for (ssize_t i = 0; i < size; i++)
		n += text[i] != '\0';
	(void)close(fd);
	return n;
}

static void test_what_is_taken_stays_when_it_is_hidden(void)
{
	char **copy = NULL;
	size_t length = strlen(given[0]);

	cmdline_hide();
	CHECK_INT(shown(), length);
	CHECK_INT(cmdline_take(count, given, &copy), 0);
	CHECK_INT(shown(), length);
	cmdline_hide();
	CHECK_INT(shown(), 0);
	CHECK_INT(strlen(copy[0]), length);
	CHECK(!copy[count]);
	free(copy);
}

int main(int argc, char **argv)
{
	count = argc;
	given = argv;
	return tap_run((struct tap_test[]){
		TEST(test_what_is_taken_stays_when_it_is_hidden),
		{ 0 },
	});
}
