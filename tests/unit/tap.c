/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runner behind tap.h: one result line a test, the failed checks as comments above it. */
#include "tests/unit/tap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool test_failed;
static const char *test_skipped;

bool tap_check(bool held, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	if (held)
		return true;
	test_failed = true;
	printf("# %s:%d: does not hold: ", file, line);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	return false;
}

bool tap_check_int(long long got, long long want, const char *file, int line, const char *what)
{
	return tap_check(got == want, file, line, "%s is %lld, not %lld", what, got, want);
}

bool tap_check_str(const char *got, const char *want, const char *file, int line, const char *what)
{
	return tap_check(got && want && strcmp(got, want) == 0, file, line, "%s is \"%s\", not \"%s\"",
			 what, got ? got : "(null)", want ? want : "(null)");
}

bool tap_check_has(const char *text, const char *needle, const char *file, int line)
{
	return tap_check(text && strstr(text, needle), file, line, "\"%s\" has no \"%s\"",
			 text ? text : "(null)", needle);
}

void tap_skip(const char *reason)
{
	test_skipped = reason;
}

int tap_run(const struct tap_test *tests)
{
	int n = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct tap_test *t = tests; t->run; t++) {
		test_failed = false;
		test_skipped = NULL;
		t->run();
		failed += test_failed;
		printf("%sok %d - %s%s%s\n", test_failed ? "not " : "", ++n, t->name,
		       test_skipped ? " # SKIP " : "", test_skipped ? test_skipped : "");
	}
	printf("1..%d\n", n);
	return failed ? 1 : 0;
}
