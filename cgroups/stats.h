/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stats - what a cgroup uses now, read from its files
 *
 * A value whose file is not there (controller missing) is STAT_NONE.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAT_NONE UINT64_MAX

struct cgroup_stats {
	uint64_t cpu_usage_us, cpu_user_us, cpu_system_us, cpu_periods, cpu_throttled, cpu_throttled_us;
	uint64_t memory_current, memory_peak, memory_max, memory_swap_current, memory_swap_max;
	uint64_t memory_anon, memory_file, memory_kernel, memory_slab, memory_sock, memory_inactive_file;
	uint64_t memory_pgfault, memory_pgmajfault;
	uint64_t oom, oom_kill, oom_group_kill;	/* memory.events.local, or memory.events where that is missing */
	uint64_t pids_current, pids_max;
	uint64_t io_read_bytes, io_write_bytes, io_read_ops, io_write_ops; /* sums over devices */
};

/* cgroup_stats_read() - fill it from the files of @dir. Return: 0 or a recorded failure. */
int cgroup_stats_read(int dir, struct cgroup_stats *ret_stats);

/* cgroup_oom_kills() - oom_kill of memory.events: how many processes the kernel killed for memory; 0 when unknown. */
uint64_t cgroup_oom_kills(int dir);

/* How long tasks waited for a resource: *.pressure. Averages are in hundredths of a per cent. */
struct cgroup_pressure_line {
	uint32_t avg10, avg60, avg300;
	uint64_t total_us;
};
struct cgroup_pressure {
	bool set;	/* false: the kernel does not count it */
	struct cgroup_pressure_line some, full;
};

struct cgroup_io_use {
	uint32_t major, minor;
	uint64_t read_bytes, write_bytes, read_ops, write_ops;
};

struct cgroup_hugetlb_use {
	char *page_size;	/* "2MB" */
	uint64_t current, failures;
};

struct cgroup_count {
	char *name;
	uint64_t value;
};

/* What has no fixed number of parts. */
struct cgroup_details {
	struct cgroup_pressure cpu, memory, io;
	struct cgroup_io_use *ios;
	size_t io_count;
	struct cgroup_hugetlb_use *hugetlbs;
	size_t hugetlb_count;
	struct cgroup_count *memory_stat;	/* memory.stat, line by line */
	size_t memory_stat_count;
	struct cgroup_count *memory_events;	/* memory.events */
	size_t memory_event_count;
	char *cpus, *mems;			/* in effect, as "0-3"; NULL: unknown */
};

/* cgroup_details_read() - cgroup_details_done() it. What is missing or odd is left out. Return: 0 or a recorded failure. */
int cgroup_details_read(int dir, struct cgroup_details *ret_details);
void cgroup_details_done(struct cgroup_details *details);

/*
 * cgroup_stats_file() - one file of a cgroup as text
 * @ret_text: malloc'ed; NULL when it is missing or cannot be read
 *
 * Return: 0 or a recorded failure (of our own means, such as memory).
 */
int cgroup_stats_file(int dir, const char *file, char **ret_text);
