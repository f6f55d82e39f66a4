/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing limits to the files of one cgroup, in an order that also holds for an update, and owning
 * struct cgroup_limits. Judging them is in limits-check.c, conversions in limits-convert.c, block
 * devices in limits-io.c.
 */
#include "cgroups/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum { NUMBER_TEXT = 48 };

void cgroup_limits_init(struct cgroup_limits *limits)
{
	*limits = (struct cgroup_limits){
		.cpu_shares = LIMIT_UNSET,
		.cpu_quota_us = LIMIT_UNSET,
		.cpu_period_us = LIMIT_UNSET,
		.cpu_burst_us = LIMIT_UNSET,
		.cpu_idle = LIMIT_UNSET,
		.cpu_rt_runtime = LIMIT_UNSET,
		.cpu_rt_period = LIMIT_UNSET,
		.memory_max = LIMIT_UNSET,
		.memory_low = LIMIT_UNSET,
		.memory_swap = LIMIT_UNSET,
		.memory_high = LIMIT_UNSET,
		.memory_kernel = LIMIT_UNSET,
		.memory_kernel_tcp = LIMIT_UNSET,
		.memory_swappiness = LIMIT_UNSET,
		.pids_max = LIMIT_UNSET,
		.io_weight = LIMIT_UNSET,
	};
}

void cgroup_limits_done(struct cgroup_limits *limits)
{
	free(limits->cpuset_cpus);
	free(limits->cpuset_mems);
	free(limits->io_devices);
	free(limits->io_throttles);
	for (size_t i = 0; i < limits->hugetlb_count; i++)
		free(limits->hugetlb[i].page_size);
	free(limits->hugetlb);
	for (size_t i = 0; i < limits->rdma_count; i++)
		free(limits->rdma[i].device);
	free(limits->rdma);
	for (size_t i = 0; i < limits->unified_count; i++) {
		free(limits->unified[i].file);
		free(limits->unified[i].value);
	}
	free(limits->unified);
	free(limits->devices);
	cgroup_limits_init(limits);
}

static int fail_write(int errnum, const char *field, const char *file, const char *text)
{
	if (errnum == ENOENT)
		return fail_plain(
			errnum,
			"%s: there is no '%s': the kernel is without it, or its controller is not "
			"enabled for this cgroup",
			field, file);
	return fail(errnum, "%s: write '%s' to '%s'", field, text, file);
}

int cgroup_limit_write(int dir, const char *field, const char *file, const char *text)
{
	int r = cgroup_file_write(dir, file, text);

	return r < 0 ? fail_write(-r, field, file, text) : 0;
}

static const char *number_text(char text[static NUMBER_TEXT], int64_t value)
{
	if (value < 0)
		return "max";
	(void)snprintf(text, NUMBER_TEXT, "%" PRId64, value);
	return text;
}

/*
 * @idle: what the kernel has anyway; for that a missing file is no failure, so that a value which
 * asks for nothing needs no controller
 */
static int number_write(int dir, const char *field, const char *file, int64_t value, int64_t idle)
{
	char text[NUMBER_TEXT];
	const char *what = number_text(text, value);
	int r = cgroup_file_write(dir, file, what);

	if (r == -ENOENT && value == idle)
		return 0;
	return r < 0 ? fail_write(-r, field, file, what) : 0;
}

/* A period alone: the quota stays what it is, but cpu.max wants both. */
static int quota_now(int dir, char *ret_text, size_t size)
{
	int r = cgroup_file_read(dir, "cpu.max", ret_text, size);

	if (r < 0)
		return fail_write(-r, "linux.resources.cpu.period", "cpu.max", "");
	ret_text[strcspn(ret_text, " \n")] = '\0';
	return 0;
}

static int cpu_max_write(int dir, const struct cgroup_limits *limits)
{
	bool quota = cgroup_limit_is_set(limits->cpu_quota_us);
	bool period = cgroup_limit_is_set(limits->cpu_period_us);
	char now[CGROUP_FILE_SMALL], number[NUMBER_TEXT];
	cleanup_free char *text = NULL;
	const char *first = now;
	int r;

	if (!quota && !period)
		return 0;
	if (quota && !period) /* the period stays: the kernel keeps what is not written */
		return number_write(dir, "linux.resources.cpu.quota", "cpu.max",
				    limits->cpu_quota_us, LIMIT_MAX);
	if (quota) {
		first = number_text(number, limits->cpu_quota_us);
	} else {
		r = quota_now(dir, now, sizeof(now));
		if (r < 0)
			return r;
	}
	r = str_format(&text, "%s %" PRId64, first, limits->cpu_period_us);
	if (r < 0)
		return r;
	return cgroup_limit_write(
		dir, quota ? "linux.resources.cpu.quota" : "linux.resources.cpu.period", "cpu.max",
		text);
}

/*
 * A burst may not exceed the quota. Lowering both, the burst must go first; raising both, the
 * quota: so the burst is tried first, and again after the quota where the kernel refused it.
 */
static int cpu_bandwidth_write(int dir, const struct cgroup_limits *limits)
{
	static const char field[] = "linux.resources.cpu.burst", file[] = "cpu.max.burst";
	char text[NUMBER_TEXT];
	const char *burst;
	int r, first;

	if (limits->cpu_burst_us == LIMIT_UNSET)
		return cpu_max_write(dir, limits);
	burst = number_text(text, limits->cpu_burst_us);
	first = cgroup_file_write(dir, file, burst);
	/* Linux before 5.14 has no burst: as much as a burst of 0. */
	if (first == -ENOENT && limits->cpu_burst_us == 0)
		first = 0;
	if (first < 0 && first != -EINVAL)
		return fail_write(-first, field, file, burst);
	r = cpu_max_write(dir, limits);
	return r < 0 || first == 0 ? r : cgroup_limit_write(dir, field, file, burst);
}

static int cpu_write(int dir, const struct cgroup_limits *limits)
{
	char text[NUMBER_TEXT];
	int r = 0;

	/* An idle cgroup refuses a weight: leave idleness first, and enter it last. */
	if (limits->cpu_idle == 0)
		r = number_write(dir, "linux.resources.cpu.idle", "cpu.idle", 0, 0);
	if (r == 0 && cgroup_limit_is_set(limits->cpu_shares) && limits->cpu_idle != 1)
		r = cgroup_limit_write(
			dir, "linux.resources.cpu.shares", "cpu.weight",
			number_text(text, cgroup_weight_from_shares(limits->cpu_shares)));
	if (r == 0)
		r = cpu_bandwidth_write(dir, limits);
	if (r == 0 && limits->cpu_idle == 1)
		r = cgroup_limit_write(dir, "linux.resources.cpu.idle", "cpu.idle", "1");
	if (r == 0 && limits->cpuset_cpus && *limits->cpuset_cpus)
		r = cgroup_limit_write(dir, "linux.resources.cpu.cpus", "cpuset.cpus",
				       limits->cpuset_cpus);
	if (r == 0 && limits->cpuset_mems && *limits->cpuset_mems)
		r = cgroup_limit_write(dir, "linux.resources.cpu.mems", "cpuset.mems",
				       limits->cpuset_mems);
	return r;
}

/* Whether anything can be swapped out: /proc/swaps has a line below its heading. */
static bool host_swaps(void)
{
	char text[4096], *line;
	int r = cgroup_file_read(AT_FDCWD, "/proc/swaps", text, sizeof(text));

	if (r == -ENOENT)
		return false; /* a kernel without swap */
	line = r < 0 ? NULL : strchr(text, '\n');
	return r < 0 || (line && line[1]);
}

static int swap_write(int dir, const struct cgroup_limits *limits)
{
	static const char field[] = "linux.resources.memory.swap", file[] = "memory.swap.max";
	char text[NUMBER_TEXT];
	int64_t swap;
	int r = cgroup_swap_from_memsw(limits->memory_swap, limits->memory_max, &swap);

	if (r < 0 || swap == LIMIT_UNSET)
		return r;
	r = cgroup_file_write(dir, file, number_text(text, swap));
	/*
	 * Engines limit swap along with memory by default; without swap on the host that holds by
	 * itself.
	 */
	if (r == -ENOENT && (swap == LIMIT_MAX || !host_swaps()))
		return 0;
	if (r == -ENOENT)
		return fail_plain(
			ENOENT,
			"%s: the kernel does not account swap, yet swaps; boot with swapaccount=1",
			field);
	return r < 0 ? fail_write(-r, field, file, number_text(text, swap)) : 0;
}

/* checkBeforeUpdate: the kernel would take the limit and reclaim, or kill, until it holds. */
static int usage_check(int dir, const char *field, const char *file, int64_t limit)
{
	char text[CGROUP_FILE_SMALL];
	uint64_t now;
	int r;

	if (limit < 0) /* unset or no limit */
		return 0;
	r = cgroup_file_read(dir, file, text, sizeof(text));
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(-r, "%s: read '%s'", field, file);
	text[strcspn(text, "\n")] = '\0';
	r = str_to_u64(text, UINT64_MAX, &now);
	if (r < 0)
		return fail_plain(EIO, "%s: '%s' is no number in '%s'", field, text, file);
	if (now > (uint64_t)limit)
		return fail_plain(EBUSY,
				  "%s: %" PRIu64
				  " bytes are used now, more than the limit of %" PRId64
				  " (and checkBeforeUpdate asks to refuse that)",
				  field, now, limit);
	return 0;
}

static int memory_check_usage(int dir, const struct cgroup_limits *limits)
{
	int64_t swap;
	int r = cgroup_swap_from_memsw(limits->memory_swap, limits->memory_max, &swap);

	if (r == 0 && cgroup_limit_is_set(limits->memory_max))
		r = usage_check(dir, "linux.resources.memory.limit", "memory.current",
				limits->memory_max);
	return r < 0 ? r
		     : usage_check(dir, "linux.resources.memory.swap", "memory.swap.current", swap);
}

static int memory_write(int dir, const struct cgroup_limits *limits)
{
	int r = limits->memory_check_before_update ? memory_check_usage(dir, limits) : 0;

	/*
	 * In v2 memory and swap are counted apart, so the kernel takes them in any order. Swap
	 * goes first: a lower memory.max cannot push out to swap then what that limit forbids.
	 */
	if (r == 0)
		r = swap_write(dir, limits);
	if (r == 0 && limits->memory_oom_group)
		r = cgroup_limit_write(dir, "memory.oom.group", "memory.oom.group", "1");
	if (r == 0 && cgroup_limit_is_set(limits->memory_high))
		r = number_write(dir, "linux.resources.memory.high", "memory.high",
				 limits->memory_high, LIMIT_MAX);
	if (r == 0 && cgroup_limit_is_set(limits->memory_max))
		r = number_write(dir, "linux.resources.memory.limit", "memory.max",
				 limits->memory_max, LIMIT_MAX);
	if (r == 0 && limits->memory_low != LIMIT_UNSET)
		r = number_write(dir, "linux.resources.memory.reservation", "memory.low",
				 limits->memory_low, 0);
	return r;
}

/*
 * The spec's 0 was long taken for "no limit" and is now, since 1.3, a number like any other:
 * nothing may be forked. With 0 in pids.max not even the first process could be born into the
 * cgroup; 1 is the same to everybody after it, and runc writes that too.
 */
static int pids_write(int dir, const struct cgroup_limits *limits)
{
	int64_t most = limits->pids_max == 0 ? 1 : limits->pids_max;

	if (most == LIMIT_UNSET)
		return 0;
	return number_write(dir, "linux.resources.pids.limit", "pids.max", most, LIMIT_MAX);
}

static int hugetlb_write(int dir, const struct cgroup_hugetlb *limit)
{
	static const char field[] = "linux.resources.hugepageLimits";
	cleanup_free char *file = NULL, *reserved = NULL;
	char text[NUMBER_TEXT];
	int r = str_format(&file, "hugetlb.%s.max", limit->page_size);

	if (r == 0)
		r = number_write(dir, field, file, limit->limit, LIMIT_MAX);
	if (r == 0)
		r = str_format(&reserved, "hugetlb.%s.rsvd.max", limit->page_size);
	if (r < 0)
		return r;
	/*
	 * Reservations are counted since Linux 5.7; without that a mapping may reserve, then die by
	 * SIGBUS.
	 */
	r = cgroup_file_write(dir, reserved, number_text(text, limit->limit));
	if (r < 0 && r != -ENOENT)
		return fail_write(-r, field, reserved, number_text(text, limit->limit));
	return 0;
}

static int rdma_write(int dir, const struct cgroup_rdma *limit)
{
	cleanup_free char *text = NULL;
	char handles[NUMBER_TEXT], objects[NUMBER_TEXT];
	int r = str_format(&text, "%s hca_handle=%s hca_object=%s", limit->device,
			   number_text(handles, limit->handles),
			   number_text(objects, limit->objects));

	if (r < 0)
		return r;
	r = cgroup_file_write(dir, "rdma.max", text);
	if (r == -ENOENT && limit->handles < 0 && limit->objects < 0)
		return 0;
	return r < 0 ? fail_write(-r, "linux.resources.rdma", "rdma.max", text) : 0;
}

/* Files such as io.max take one line a write, so several lines are several writes. */
static int unified_write(int dir, const struct cgroup_unified *entry)
{
	static const char field[] = "linux.resources.unified";
	cleanup_free char *lines = NULL;
	char *saved = NULL;
	int r = str_copy(&lines, entry->value);

	if (r < 0)
		return r;
	if (!lines[strspn(lines,
			  "\n")]) /* "" clears a cpuset; a write of nothing would do nothing */
		return cgroup_limit_write(dir, field, entry->file, "\n");
	for (char *line = strtok_r(lines, "\n", &saved); r == 0 && line;
	     line = strtok_r(NULL, "\n", &saved))
		r = cgroup_limit_write(dir, field, entry->file, line);
	return r;
}

int cgroup_limits_apply(int dir, const struct cgroup_limits *limits)
{
	int r = memory_write(dir, limits);

	if (r == 0)
		r = cpu_write(dir, limits);
	if (r == 0)
		r = pids_write(dir, limits);
	if (r == 0)
		r = cgroup_limits_apply_io(dir, limits);
	for (size_t i = 0; r == 0 && i < limits->hugetlb_count; i++)
		r = hugetlb_write(dir, &limits->hugetlb[i]);
	for (size_t i = 0; r == 0 && i < limits->rdma_count; i++)
		r = rdma_write(dir, &limits->rdma[i]);
	/* Last, so that what is spelt in the kernel's own words has the last word. */
	for (size_t i = 0; r == 0 && i < limits->unified_count; i++)
		r = unified_write(dir, &limits->unified[i]);
	return r;
}
