/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stats - what a cgroup uses now, read from its files
 *
 * A value whose file is not there (controller missing) is STAT_NONE.
 */

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
