/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * attack - what the programs here share: trying a way out, and saying what came of it
 *
 * They run as payloads, from bats (tests/bats/escape-*.bats), which looks at the canaries from outside. One line
 * a try on standard output: "held NAME (why)" or "OUT NAME". A program always tries everything, and ends
 * with "tried N", so that one that died half-way is not taken for a wall that held. Exit status 0 then.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int attack_tried;

/* The kernel's answer: what is below 0 held, and errno says why. */
static inline void attack_answer(const char *name, long answer)
{
	attack_tried++;
	if (answer < 0)
		(void)printf("held %s (%s)\n", name, strerror(errno));
	else
		(void)printf("OUT %s\n", name);
	(void)fflush(stdout);
}

/* A call that asks for its right first, and for sense later: only a refusal held. */
static inline void attack_permitted(const char *name, long answer)
{
	if (answer < 0 && errno != EPERM && errno != EACCES && errno != ENOSYS)
		answer = 0;
	attack_answer(name, answer);
}

/* We found out ourselves. */
static inline void attack_found(const char *name, bool out, const char *detail)
{
	attack_tried++;
	(void)printf("%s %s%s%s\n", out ? "OUT" : "held", name, *detail ? ": " : "", detail);
	(void)fflush(stdout);
}

static inline int attack_end(void)
{
	(void)printf("tried %d\n", attack_tried);
	return 0;
}

/* What the test tells by the environment; without it the test is wrong. */
static inline const char *attack_told(const char *name)
{
	const char *value = getenv(name);

	if (value)
		return value;
	(void)fprintf(stderr, "%s is not set\n", name);
	exit(2);
}
