/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * clock - how much time goes by: CLOCK_MONOTONIC as one number. Points in time as people write them are moment.h's
 */

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(void)
{
	struct timespec now = { .tv_sec = 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}
