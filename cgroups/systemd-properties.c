/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits as properties of a unit. The files of the cgroup are written all the same; these are for systemd, which
 * writes them again by what it believes. What it has no property for is left to the files.
 * Source: systemd.resource-control(5), org.freedesktop.systemd1(5).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgroups/internal.h"
#include "cgroups/systemd-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum { PERIOD_DEFAULT_US = 100000, PERCENT_US = 10000, CPUS_MOST = 8192 };

void systemd_properties_done(struct systemd_properties *properties)
{
	for (size_t i = 0; i < properties->count; i++) {
		struct systemd_property *p = &properties->items[i];

		for (char **item = p->list; item && *item; item++)
			free(*item);
		free(p->list);
		free(p->name);
		free(p->text);
	}
	free(properties->items);
	*properties = (struct systemd_properties){ .count = 0 };
}

struct systemd_property *systemd_property_add(struct systemd_properties *properties, const char *name,
					      enum systemd_type type)
{
	struct systemd_property *longer =
		reallocarray(properties->items, properties->count + 1, sizeof(*longer)), *p;

	if (!longer) {
		(void)fail(ENOMEM, "make a systemd property");
		return NULL;
	}
	properties->items = longer;
	p = &longer[properties->count];
	*p = (struct systemd_property){ .type = type };
	if (str_copy(&p->name, name) < 0)
		return NULL;
	properties->count++;
	return p;
}

/* A number that is not set is no property; LIMIT_MAX is systemd's "infinity", all bits set. */
static int number_add(struct systemd_properties *properties, const char *name, int64_t value)
{
	struct systemd_property *p;

	if (value == LIMIT_UNSET)
		return 0;
	p = systemd_property_add(properties, name, SYSTEMD_UINT64);
	if (!p)
		return -ENOMEM;
	p->number = (uint64_t)value;
	return 0;
}

/* "0-2,5" as bits, the first CPU in the lowest bit of the first byte. */
static int cpus_add(struct systemd_properties *properties, const char *name, const char *ranges)
{
	struct systemd_property *p;
	unsigned int from, to;
	int n = 0;

	if (!ranges || !*ranges)
		return 0;
	p = systemd_property_add(properties, name, SYSTEMD_BYTES);
	if (!p)
		return -ENOMEM;
	p->text = calloc(1, CPUS_MOST / 8);
	if (!p->text)
		return fail(ENOMEM, "make a systemd property");
	for (const char *at = ranges; sscanf(at, "%u%n", &from, &n) == 1; at += *at == ',') {
		at += n;
		to = from;
		if (*at == '-' && sscanf(at, "-%u%n", &to, &n) == 1)
			at += n;
		for (; from <= to && to < CPUS_MOST; from++) {
			p->text[from / 8] = (char)(p->text[from / 8] | 1 << from % 8);
			if (from / 8 + 1 > p->size)
				p->size = from / 8 + 1;
		}
	}
	/* What does not parse is refused where it is written to the file; here it is just not told. */
	p->left_out = p->size == 0;
	return 0;
}

/*
 * systemd keeps the quota as a percentage of a CPU, whole in older versions, and would cut a finer one when it
 * reads its own files again: so it is rounded up.
 */
static int quota_add(struct systemd_properties *properties, int64_t quota, int64_t period)
{
	int64_t per_second = LIMIT_MAX;
	int r = 0;

	if (cgroup_limit_is_set(period))
		r = number_add(properties, "CPUQuotaPeriodUSec", period);
	if (r < 0 || !cgroup_limit_is_set(quota))
		return r;
	if (!cgroup_limit_is_set(period))
		period = PERIOD_DEFAULT_US;
	if (quota > 0 && !__builtin_mul_overflow(quota, 1000000, &per_second))
		per_second = (per_second / period + PERCENT_US - 1) / PERCENT_US * PERCENT_US;
	else
		per_second = LIMIT_MAX;
	return number_add(properties, "CPUQuotaPerSecUSec", per_second);
}

static int cpu_add(struct systemd_properties *properties, const struct cgroup_limits *limits)
{
	int r = 0;

	/* An idle one has the weight 0, since version 252; older ones refuse it, and do not know better. */
	if (limits->cpu_idle == 1)
		r = number_add(properties, "CPUWeight", 0);
	else if (cgroup_limit_is_set(limits->cpu_shares))
		r = number_add(properties, "CPUWeight", cgroup_weight_from_shares(limits->cpu_shares));
	if (r == 0)
		r = quota_add(properties, limits->cpu_quota_us, limits->cpu_period_us);
	if (r == 0)
		r = cpus_add(properties, "AllowedCPUs", limits->cpuset_cpus);
	return r < 0 ? r : cpus_add(properties, "AllowedMemoryNodes", limits->cpuset_mems);
}

static int64_t set_or_unset(int64_t value)
{
	return cgroup_limit_is_set(value) ? value : LIMIT_UNSET;
}

static int memory_add(struct systemd_properties *properties, const struct cgroup_limits *limits)
{
	int64_t swap;
	int r = cgroup_swap_from_memsw(limits->memory_swap, limits->memory_max, &swap);

	if (r == 0)
		r = number_add(properties, "MemoryMax", set_or_unset(limits->memory_max));
	if (r == 0)
		r = number_add(properties, "MemorySwapMax", swap);
	if (r == 0)
		r = number_add(properties, "MemoryHigh", set_or_unset(limits->memory_high));
	return r < 0 ? r : number_add(properties, "MemoryLow", limits->memory_low);
}

static int io_add(struct systemd_properties *properties, const struct cgroup_limits *limits)
{
	static const char *const names[IO_KINDS] = {
		[IO_READ_BPS] = "IOReadBandwidthMax",
		[IO_WRITE_BPS] = "IOWriteBandwidthMax",
		[IO_READ_IOPS] = "IOReadIOPSMax",
		[IO_WRITE_IOPS] = "IOWriteIOPSMax",
	};
	int r = 0;

	if (cgroup_limit_is_set(limits->io_weight))
		r = number_add(properties, "IOWeight", cgroup_weight_from_blkio(limits->io_weight));
	for (size_t i = 0; r == 0 && i < limits->io_throttle_count; i++) {
		const struct cgroup_io_throttle *t = &limits->io_throttles[i];
		struct systemd_property *p = systemd_property_add(properties, names[t->kind], SYSTEMD_DEVICES);

		if (!p)
			return -ENOMEM;
		p->number = t->rate > 0 ? (uint64_t)t->rate : UINT64_MAX;
		r = str_format(&p->text, "/dev/block/%u:%u", t->major, t->minor);
	}
	return r;
}

static int unified_cpu_max_add(struct systemd_properties *properties, const char *value)
{
	char quota[24];
	int64_t number = LIMIT_MAX;
	long long period = PERIOD_DEFAULT_US;

	if (sscanf(value, "%23s %lld", quota, &period) < 1 ||
	    (!str_eq(quota, "max") && str_to_i64(quota, 1, INT64_MAX, &number) < 0))
		return 0;
	return quota_add(properties, number, period);
}

static int unified_add(struct systemd_properties *properties, const struct cgroup_unified *entry)
{
	static const struct {
		const char *file, *property;
	} numbers[] = {
		{ "memory.min", "MemoryMin" },	 { "memory.low", "MemoryLow" },
		{ "memory.high", "MemoryHigh" }, { "memory.max", "MemoryMax" },
		{ "pids.max", "TasksMax" },	 { "memory.swap.max", "MemorySwapMax" },
		{ "cpu.weight", "CPUWeight" },
	};
	int64_t value;

	if (str_eq(entry->file, "cpu.max"))
		return unified_cpu_max_add(properties, entry->value);
	if (str_eq(entry->file, "cpuset.cpus"))
		return cpus_add(properties, "AllowedCPUs", entry->value);
	if (str_eq(entry->file, "cpuset.mems"))
		return cpus_add(properties, "AllowedMemoryNodes", entry->value);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (!str_eq(entry->file, numbers[i].file))
			continue;
		if (str_eq(entry->value, "max"))
			return number_add(properties, numbers[i].property, LIMIT_MAX);
		if (str_to_i64(entry->value, 0, INT64_MAX, &value) == 0)
			return number_add(properties, numbers[i].property, value);
	}
	return 0;
}

int systemd_properties_limits(struct systemd_properties *properties, const struct cgroup_limits *limits)
{
	int r = memory_add(properties, limits);

	if (r == 0)
		r = cpu_add(properties, limits);
	if (r == 0)
		r = number_add(properties, "TasksMax", limits->pids_max == 0 ? 1 : limits->pids_max);
	if (r == 0)
		r = io_add(properties, limits);
	for (size_t i = 0; r == 0 && i < limits->unified_count; i++)
		r = unified_add(properties, &limits->unified[i]);
	return r;
}
