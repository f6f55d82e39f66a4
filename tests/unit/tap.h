/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tap - the few words our unit tests need; output is TAP, one line a test function
 *
 *	static void test_a_size_has_a_suffix(void) { CHECK_INT(str_to_bytes("1k", &n), 0); }
 *	int main(void) { return tap_run((struct tap_test[]){ TEST(test_a_size_has_a_suffix), { 0 } }); }
 */

#include <stdbool.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TEST(fn) { #fn, fn }

/* tap_run() - run all, print TAP. Return: exit status, 0 when every test held. */
int tap_run(const struct tap_test *tests);

/* tap_skip() - say why the running test cannot hold here; return from it afterwards. */
void tap_skip(const char *reason);

/* The check behind the macros; returns @held so that a test may stop. */
bool tap_check(bool held, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool tap_check_int(long long got, long long want, const char *file, int line, const char *what);
bool tap_check_str(const char *got, const char *want, const char *file, int line, const char *what);
/* holds when @needle stands in @text */
bool tap_check_has(const char *text, const char *needle, const char *file, int line);

#define CHECK(cond)	     tap_check((cond), __FILE__, __LINE__, "%s", #cond)
#define CHECK_INT(got, want) tap_check_int((got), (want), __FILE__, __LINE__, #got)
#define CHECK_STR(got, want) tap_check_str((got), (want), __FILE__, __LINE__, #got)
#define CHECK_HAS(text, needle) tap_check_has((text), (needle), __FILE__, __LINE__)
