/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging limits before anything is made: ranges, combinations, what only cgroup v1 had, and which
 * controllers the rest needs. The numbers stand in one table, under the names that the spec gives
 * them.
 *
 * Engines write some fields always, with a value that asks for nothing: 0 for most, -1 for "no
 * limit", false. Such a value passes and needs no controller. Anything else that cgroup v2 cannot
 * do is refused, however other runtimes pass over it: who asked for it would not have it.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

#define R          "linux.resources."
#define NUMBER(of) offsetof(struct cgroup_limits, of)
#define SECOND     1000000
#define MOST       INT64_MAX

struct number {
	const char *field;
	enum cgroup_controller controller;
	size_t offset;
	int64_t least, most;
	int64_t idle; /* the kernel's default: no controller is needed for it */
	bool unlimited; /* LIMIT_MAX is allowed */
	bool real_zero; /* 0 is a value, not "unset" */
};

/* clang-format off */
static const struct number numbers[] = {
	/* v1 clamps shares into 2…262144 itself, so nothing is out of range. */
	{ R "cpu.shares",  CGROUP_CPU, NUMBER(cpu_shares), 1, MOST, LIMIT_UNSET, false, false },
	/* kernel/sched/core.c: quota and period at least 1 ms, period at most 1 s */
	{ R "cpu.quota",   CGROUP_CPU, NUMBER(cpu_quota_us), 1000, MOST, LIMIT_MAX, true, false },
	{ R "cpu.period", CGROUP_CPU, NUMBER(cpu_period_us), 1000, SECOND, LIMIT_UNSET, false, false },
	{ R "cpu.burst",   CGROUP_CPU, NUMBER(cpu_burst_us), 0, MOST, 0, false, true },
	{ R "cpu.idle",    CGROUP_CPU, NUMBER(cpu_idle), 0, 1, 0, false, true },
	{ R "memory.limit", CGROUP_MEMORY, NUMBER(memory_max), 1, MOST, LIMIT_MAX, true, false },
	{ R "memory.reservation", CGROUP_MEMORY, NUMBER(memory_low), 0, MOST, 0, true, true },
	{ R "memory.high", CGROUP_MEMORY, NUMBER(memory_high), 1, MOST, LIMIT_MAX, true, false },
	{ R "memory.swap", CGROUP_MEMORY, NUMBER(memory_swap), 1, MOST, LIMIT_MAX, true, false },
	{ R "pids.limit",  CGROUP_PIDS, NUMBER(pids_max), 0, MOST, LIMIT_MAX, true, true },
	{ R "blockIO.weight", CGROUP_IO, NUMBER(io_weight), 10, 1000, LIMIT_UNSET, false, false },
};
/* clang-format on */

static int64_t number_of(const struct cgroup_limits *limits, const struct number *number)
{
	return *(const int64_t *)(const void *)((const char *)limits + number->offset);
}

bool cgroup_limit_is_set(int64_t value)
{
	return value != LIMIT_UNSET && value != 0;
}

static bool is_asked(const struct number *number, int64_t value)
{
	return value != LIMIT_UNSET && (value != 0 || number->real_zero);
}

static int numbers_check(const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct number *number = &numbers[i];
		int64_t value = number_of(limits, number);

		if (!is_asked(number, value) || (value == LIMIT_MAX && number->unlimited))
			continue;
		if (value < number->least && number->unlimited)
			return fail_plain(ERANGE,
					  "%s: %jd is neither -1 (no limit) nor at least %jd",
					  number->field, (intmax_t)value, (intmax_t)number->least);
		if (value < number->least && number->most == MOST)
			return fail_plain(ERANGE, "%s: %jd is less than %jd", number->field,
					  (intmax_t)value, (intmax_t)number->least);
		if (value < number->least || value > number->most)
			return fail_plain(ERANGE, "%s: %jd is not between %jd and %jd",
					  number->field, (intmax_t)value, (intmax_t)number->least,
					  (intmax_t)number->most);
	}
	return 0;
}

static int fail_v1(const char *field, const char *instead)
{
	return fail_plain(EOPNOTSUPP, "linux.resources.%s: exists only in cgroup v1%s%s", field,
			  instead ? "; " : "", instead ? instead : "");
}

/* More than "unset", 0 and "no limit". */
static bool asks_for_limit(int64_t value)
{
	return cgroup_limit_is_set(value) && value != LIMIT_MAX;
}

static int v1_only_check(const struct cgroup_limits *limits)
{
	if (cgroup_limit_is_set(limits->cpu_rt_runtime))
		return fail_v1("cpu.realtimeRuntime", NULL);
	if (cgroup_limit_is_set(limits->cpu_rt_period))
		return fail_v1("cpu.realtimePeriod", NULL);
	if (asks_for_limit(limits->memory_kernel))
		return fail_v1("memory.kernel", "cgroup v2 counts kernel memory in memory.limit");
	if (asks_for_limit(limits->memory_kernel_tcp))
		return fail_v1("memory.kernelTCP",
			       "cgroup v2 counts socket memory in memory.limit");
	/*
	 * 60 is what every kernel starts with, and what older engines wrote when nobody had asked.
	 */
	if (limits->memory_swappiness != LIMIT_UNSET && limits->memory_swappiness != -1 &&
	    limits->memory_swappiness != 60)
		return fail_v1("memory.swappiness",
			       "a limit of swap is linux.resources.memory.swap");
	if (limits->memory_disable_oom_killer)
		return fail_v1("memory.disableOOMKiller", NULL);
	if (limits->network_set)
		return fail_v1("network", NULL);
	return 0;
}

static int io_check(const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < limits->io_device_count; i++) {
		const struct cgroup_io_device *device = &limits->io_devices[i];

		if (cgroup_limit_is_set(device->leaf_weight))
			return fail_v1("blockIO.weightDevice[].leafWeight", NULL);
		if (cgroup_limit_is_set(device->weight) &&
		    (device->weight < 10 || device->weight > 1000))
			return fail_plain(
				ERANGE,
				"linux.resources.blockIO.weightDevice[%zu].weight: %jd is not "
				"between 10 and 1000",
				i, (intmax_t)device->weight);
	}
	for (size_t i = 0; i < limits->io_throttle_count; i++) {
		if ((unsigned int)limits->io_throttles[i].kind >= IO_KINDS ||
		    limits->io_throttles[i].rate < 0)
			return fail_plain(
				ERANGE,
				"linux.resources.blockIO: rate %jd of device %u:%u is negative",
				(intmax_t)limits->io_throttles[i].rate,
				limits->io_throttles[i].major, limits->io_throttles[i].minor);
	}
	return 0;
}

/* The kernel's own spelling in file names: "64KB", "2MB", "1GB". */
static bool is_page_size(const char *text)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;

	return digits > 0 && digits < 8 && text[0] != '0' &&
	       (str_eq(text + digits, "KB") || str_eq(text + digits, "MB") ||
		str_eq(text + digits, "GB"));
}

static int hugetlb_and_rdma_check(const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < limits->hugetlb_count; i++) {
		if (!is_page_size(limits->hugetlb[i].page_size))
			return fail_plain(
				EINVAL,
				"linux.resources.hugepageLimits[%zu].pageSize: '%s' is not of the "
				"form 2MB, 1GB",
				i,
				limits->hugetlb[i].page_size ? limits->hugetlb[i].page_size : "");
		if (limits->hugetlb[i].limit < LIMIT_MAX)
			return fail_plain(
				ERANGE,
				"linux.resources.hugepageLimits[%zu].limit: %jd is negative", i,
				(intmax_t)limits->hugetlb[i].limit);
	}
	for (size_t i = 0; i < limits->rdma_count; i++) {
		const char *name = limits->rdma[i].device;

		if (!name || !*name || strpbrk(name, " \t\n="))
			return fail_plain(
				EINVAL, "linux.resources.rdma: '%s' cannot be the name of a device",
				name ? name : "");
	}
	return 0;
}

static int unified_check(const struct cgroup_unified *entry)
{
	/*
	 * These move or stop processes, or are in the hands of the runtime; they are no resources.
	 */
	static const char *const ours[] = { "cgroup.procs", "cgroup.threads",
					    "cgroup.kill",  "cgroup.freeze",
					    "cgroup.type",  "cgroup.subtree_control" };
	const char *file = entry->file ? entry->file : "";

	if (!entry->value)
		return fail_plain(EINVAL, "linux.resources.unified: '%s' has no value", file);
	if (strchr(file, '/') || file[0] == '.' || !strchr(file, '.'))
		return fail_plain(
			EINVAL,
			"linux.resources.unified: '%s' is not the name of a file of a cgroup, "
			"such as memory.high",
			file);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (str_eq(file, ours[i]))
			return fail_plain(EINVAL, "linux.resources.unified: '%s' is not a resource",
					  file);
	}
	return 0;
}

static int devices_check(const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < limits->device_count; i++) {
		const struct cgroup_device_rule *rule = &limits->devices[i];

		if (!rule->type || !strchr("abc", rule->type))
			return fail_plain(
				EINVAL, "linux.resources.devices[%zu].type: is none of a, b, c", i);
		if (rule->major < -1 || rule->major > INT32_MAX || rule->minor < -1 ||
		    rule->minor > INT32_MAX)
			return fail_plain(
				ERANGE,
				"linux.resources.devices[%zu]: no device has the number %jd:%jd", i,
				(intmax_t)rule->major, (intmax_t)rule->minor);
	}
	return 0;
}

int cgroup_limits_check(const struct cgroup_limits *limits)
{
	int64_t swap;
	int r = numbers_check(limits);

	if (r == 0)
		r = v1_only_check(limits);
	if (r == 0)
		r = cgroup_swap_from_memsw(limits->memory_swap, limits->memory_max, &swap);
	if (r == 0)
		r = io_check(limits);
	if (r == 0)
		r = hugetlb_and_rdma_check(limits);
	for (size_t i = 0; r == 0 && i < limits->unified_count; i++)
		r = unified_check(&limits->unified[i]);
	if (r == 0)
		r = devices_check(limits);
	/* kernel/sched/core.c, tg_set_cfs_bandwidth(): a burst is never more than the quota. */
	if (r == 0 && limits->cpu_quota_us > 0 && limits->cpu_burst_us > limits->cpu_quota_us)
		r = fail_plain(ERANGE,
			       "linux.resources.cpu.burst: %jd is more than the quota of %jd",
			       (intmax_t)limits->cpu_burst_us, (intmax_t)limits->cpu_quota_us);
	return r;
}

static void need(struct cgroup_needs *needs, enum cgroup_controller controller, const char *field)
{
	if (needs->mask & 1U << controller)
		return;
	needs->mask |= 1U << controller;
	needs->field[controller] = field;
}

static void need_unified(struct cgroup_needs *needs, const char *file)
{
	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		const char *rest =
			str_starts(file, cgroup_controller_name((enum cgroup_controller)i));

		if (rest && *rest == '.')
			need(needs, (enum cgroup_controller)i, R "unified");
	}
}

static void need_lists(struct cgroup_needs *needs, const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < limits->io_device_count; i++) {
		if (cgroup_limit_is_set(limits->io_devices[i].weight))
			need(needs, CGROUP_IO, R "blockIO.weightDevice");
	}
	for (size_t i = 0; i < limits->io_throttle_count; i++) {
		/* A rate of 0 is v1's word for "no limit". */
		if (limits->io_throttles[i].rate > 0)
			need(needs, CGROUP_IO, cgroup_throttle_field(limits->io_throttles[i].kind));
	}
	for (size_t i = 0; i < limits->hugetlb_count; i++) {
		if (limits->hugetlb[i].limit != LIMIT_MAX)
			need(needs, CGROUP_HUGETLB, R "hugepageLimits");
	}
	for (size_t i = 0; i < limits->rdma_count; i++) {
		if (limits->rdma[i].handles >= 0 || limits->rdma[i].objects >= 0)
			need(needs, CGROUP_RDMA, R "rdma");
	}
	for (size_t i = 0; i < limits->unified_count; i++)
		need_unified(needs, limits->unified[i].file);
}

void cgroup_limits_needs(const struct cgroup_limits *limits, struct cgroup_needs *ret_needs)
{
	*ret_needs = (struct cgroup_needs){ .mask = 0 };
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		int64_t value = number_of(limits, &numbers[i]);

		if (is_asked(&numbers[i], value) && value != numbers[i].idle)
			need(ret_needs, numbers[i].controller, numbers[i].field);
	}
	if (limits->memory_oom_group)
		need(ret_needs, CGROUP_MEMORY, "memory.oom.group");
	if (limits->cpuset_cpus && *limits->cpuset_cpus)
		need(ret_needs, CGROUP_CPUSET, R "cpu.cpus");
	if (limits->cpuset_mems && *limits->cpuset_mems)
		need(ret_needs, CGROUP_CPUSET, R "cpu.mems");
	need_lists(ret_needs, limits);
}

void cgroup_limits_controllers(const struct cgroup_limits *limits, const char **ret_names)
{
	struct cgroup_needs needs;
	size_t count = 0;

	cgroup_limits_needs(limits, &needs);
	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		if (needs.mask & 1U << i)
			ret_names[count++] = cgroup_controller_name((enum cgroup_controller)i);
	}
	ret_names[count] = NULL;
}
