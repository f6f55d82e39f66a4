/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * limits - what a container may use, in the OCI runtime-spec's terms, and how it is written to cgroup v2
 *
 * This is the folder's own plain input: runtime/spec-resources.c fills it, nothing here knows the spec.
 * Numbers are optional: LIMIT_UNSET means that the spec said nothing, which is not 0 and not -1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/str.h"

#define LIMIT_UNSET INT64_MIN
#define LIMIT_MAX   (-1) /* "max" in the kernel's files, -1 in the spec */

struct cgroup_io_device {
	uint32_t major, minor;
	int64_t weight;				/* 10…1000 as in OCI (blkio); LIMIT_UNSET */
	int64_t leaf_weight;
};

enum cgroup_io_kind { IO_READ_BPS, IO_WRITE_BPS, IO_READ_IOPS, IO_WRITE_IOPS, IO_KINDS };

struct cgroup_io_throttle {
	enum cgroup_io_kind kind;
	uint32_t major, minor;
	int64_t rate;				/* bytes or operations a second */
};

struct cgroup_hugetlb {
	char *page_size;			/* "2MB", as in the kernel's file names */
	int64_t limit;				/* bytes */
};

struct cgroup_rdma {
	char *device;				/* "mlx5_1" */
	int64_t handles, objects;
};

struct cgroup_unified {
	char *file, *value;			/* file name without '/', value as written */
};

/* One rule of linux.resources.devices, in the order of the spec; the last that matches decides. */
struct cgroup_device_rule {
	bool allow;
	char type;				/* 'a', 'b' or 'c' ('u' is read as 'c'; 'p' never comes here) */
	int64_t major, minor;			/* -1: any */
	bool read, write, mknod;
};

struct cgroup_limits {
	/* cpu; shares is cgroup v1's 2…262144, converted to cpu.weight */
	int64_t cpu_shares, cpu_quota_us, cpu_period_us, cpu_burst_us, cpu_idle;
	int64_t cpu_rt_runtime, cpu_rt_period;	/* v1 only: set means an error that says so */
	char *cpuset_cpus, *cpuset_mems;	/* NULL: unset */

	/* memory, bytes; swap is memory+swap as in OCI, converted to memory.swap.max */
	int64_t memory_max, memory_low, memory_swap, memory_high;
	int64_t memory_kernel, memory_kernel_tcp, memory_swappiness;	/* v1 only, see limits.c */
	bool memory_oom_group;
	bool memory_check_before_update;	/* refuse a limit below what is used now */
	bool memory_disable_oom_killer;		/* v1 only: true is an error that says so */

	int64_t pids_max;

	int64_t io_weight;			/* OCI blkio.weight 10…1000 */
	struct cgroup_io_device *io_devices;
	size_t io_device_count;
	struct cgroup_io_throttle *io_throttles;
	size_t io_throttle_count;

	struct cgroup_hugetlb *hugetlb;
	size_t hugetlb_count;
	struct cgroup_rdma *rdma;
	size_t rdma_count;
	struct cgroup_unified *unified;
	size_t unified_count;

	bool network_set;			/* linux.resources.network (v1 only) was given with content */

	struct cgroup_device_rule *devices;
	size_t device_count;
	bool devices_set;			/* linux.resources.devices was there: a filter is wanted */
};

/* cgroup_limits_init() - everything unset. For storage of the caller's. */
void cgroup_limits_init(struct cgroup_limits *limits);
/* cgroup_limits_done() - free what it owns (every char * and array above); it is then as after init. */
void cgroup_limits_done(struct cgroup_limits *limits);

/*
 * cgroup_limits_check() - judge the numbers alone, before anything is made
 *
 * Ranges and combinations that no kernel takes (v1-only knobs included) are refused with the spec's own
 * name of the field ("linux.resources.memory.swap: …"). Return: 0 or a recorded failure.
 */
int cgroup_limits_check(const struct cgroup_limits *limits);

/*
 * cgroup_limits_controllers() - the controllers that these limits need
 * @ret_names: static strings of the kernel's ("cpu", "memory", …), ended by NULL; room for 9 pointers
 */
void cgroup_limits_controllers(const struct cgroup_limits *limits, const char **ret_names);

/*
 * cgroup_limits_apply() - write them to the files of one cgroup
 * @dir: directory fd of the cgroup
 *
 * Used at create and at update; the order is such that an update that raises or lowers both of a pair
 * (memory.max and swap, quota and burst) passes. Devices are not its business (cgroups/devices.h).
 * Return: 0 or a recorded failure that names file and value.
 */
int cgroup_limits_apply(int dir, const struct cgroup_limits *limits);
