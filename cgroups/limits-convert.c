/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spec speaks cgroup v1 for cpu.shares, blkio.weight and memory+swap. What they mean in cgroup
 * v2.
 */
#include <errno.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/error.h"

enum { SHARES_LEAST = 2, SHARES_MOST = 262144, WEIGHT_LEAST = 1, WEIGHT_MOST = 10000 };

/*
 * Natural logarithm of x in [1, 2], by the series of the area tangent: 9 times smaller every term.
 */
static double log_near_one(double x)
{
	double z = (x - 1) / (x + 1), power = z, sum = 0;

	for (int i = 1; i < 40; i += 2) {
		sum += power / i;
		power *= z * z;
	}
	return 2 * sum;
}

/* e^x for x in [0, ln 10000] */
static double exp_series(double x)
{
	double part = x / 16, term = 1, sum = 1;

	for (int i = 1; i < 24; i++) {
		term *= part / i;
		sum += term;
	}
	for (int i = 0; i < 4; i++)
		sum *= sum;
	return sum;
}

/*
 * weight = 10^(L²/612 + 125 L/612 - 7/34), rounded up, with L the binary logarithm of shares: the
 * curve that keeps both ends (2 is 1, 262144 is 10000) and both defaults (1024 is 100). A straight
 * line from end to end, as older runtimes have it, makes 39 of the default, so that a container
 * which asks for the usual share gets less than half of what its neighbours with the usual weight
 * get. runc has the curve since 1.3.2, crun since 1.23, and engines compute it backwards to show
 * shares.
 *
 * Written out rather than with log2() and pow(), as nothing else of ours needs libm.
 */
int64_t cgroup_weight_from_shares(int64_t shares)
{
	const double ln2 = 0.69314718055994530942, ln10 = 2.30258509299404568402;
	double power, log2, weight;
	int64_t whole;
	int bits;

	if (shares <= SHARES_LEAST)
		return WEIGHT_LEAST;
	if (shares >= SHARES_MOST)
		return WEIGHT_MOST;
	bits = 63 - __builtin_clzll((unsigned long long)shares);
	log2 = bits + log_near_one((double)shares / (double)(1LL << bits)) / ln2;
	power = (log2 * log2 + 125 * log2) / 612 - 7.0 / 34;
	weight = exp_series(power * ln10);
	/* What is meant to be whole (100 for 1024) must not be rounded up for its last digit. */
	whole = (int64_t)(weight - 1e-9) + 1;
	return whole < WEIGHT_LEAST ? WEIGHT_LEAST : whole > WEIGHT_MOST ? WEIGHT_MOST : whole;
}

/* Linear, as all runtimes have it. */
int64_t cgroup_weight_from_blkio(int64_t weight)
{
	return 1 + (weight - 10) * (WEIGHT_MOST - WEIGHT_LEAST) / (1000 - 10);
}

/*
 * 0 is what engines write for "nobody asked" (docker documents it so), not "no swap": that is spelt
 * by giving swap and limit the same value. Swap limited without memory limited cannot be told apart
 * into two numbers, and v1 refused it too.
 */
int cgroup_swap_from_memsw(int64_t memsw, int64_t memory, int64_t *ret_swap)
{
	if (!cgroup_limit_is_set(memsw)) {
		*ret_swap = LIMIT_UNSET;
		return 0;
	}
	if (memsw == LIMIT_MAX) {
		*ret_swap = LIMIT_MAX;
		return 0;
	}
	if (!cgroup_limit_is_set(memory) || memory == LIMIT_MAX)
		return fail_plain(
			EINVAL,
			"linux.resources.memory.swap: is memory and swap together, so it needs "
			"linux.resources.memory.limit");
	if (memsw < memory)
		return fail_plain(
			EINVAL,
			"linux.resources.memory.swap: %jd is less than the memory limit of %jd, "
			"which it includes",
			(intmax_t)memsw, (intmax_t)memory);
	*ret_swap = memsw - memory;
	return 0;
}
