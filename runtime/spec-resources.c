/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.resources, read straight into the input of cgroups/limits.h. Ranges and combinations are judged
 * there (cgroup_limits_check()), because `update` comes by without a spec; here are only the types.
 * Source: runtime-spec config-linux.md, "Control groups".
 */
#include "runtime/spec.h"

#include <errno.h>
#include <string.h>

#include "runtime/spec-internal.h"

#define LIMITS(member) offsetof(struct cgroup_limits, member)

static const struct json_range natural = { 0, INT64_MAX }, or_max = { LIMIT_MAX, INT64_MAX };
static const struct json_range uint16_range = { 0, UINT16_MAX }, uint32_range = { 0, UINT32_MAX };

static int get_true(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	bool is;
	int r;

	(void)target;
	r = json_get_bool(at, v, &is, field);
	if (r == 0 && !is)
		return json_fail(
			at, "must not be false: cgroup v2 always counts what is below as well");
	return r;
}

static const struct json_field memory_fields[] = {
	{ "limit", json_get_int, LIMITS(memory_max), 0, &or_max,
	  "bytes at which the kernel kills; -1: none" },
	{ "reservation", json_get_int, LIMITS(memory_low), 0, &or_max,
	  "bytes that are protected from being reclaimed" },
	{ "swap", json_get_int, LIMITS(memory_swap), 0, &or_max,
	  "bytes of memory and swap together; -1: no limit on swap" },
	{ "kernel", json_get_int, LIMITS(memory_kernel), 0, &or_max, "cgroup v1 only" },
	{ "kernelTCP", json_get_int, LIMITS(memory_kernel_tcp), 0, &or_max, "cgroup v1 only" },
	{ "swappiness", json_get_int, LIMITS(memory_swappiness), 0, &natural, "cgroup v1 only" },
	{ "disableOOMKiller", json_get_bool, LIMITS(memory_disable_oom_killer), 0, NULL,
	  "cgroup v1 only" },
	{ "useHierarchy", get_true, 0, 0, NULL, "always so on cgroup v2" },
	{ "checkBeforeUpdate", json_get_bool, LIMITS(memory_check_before_update), 0, NULL,
	  "an update below what is used is refused" },
	{ 0 },
};

static const struct json_field cpu_fields[] = {
	{ "shares", json_get_int, LIMITS(cpu_shares), 0, &natural,
	  "weight against others, 2…262144" },
	{ "quota", json_get_int, LIMITS(cpu_quota_us), 0, NULL,
	  "microseconds it may run in a period; negative: no limit" },
	{ "burst", json_get_int, LIMITS(cpu_burst_us), 0, &natural,
	  "microseconds of quota it may save up" },
	{ "period", json_get_int, LIMITS(cpu_period_us), 0, &natural, "microseconds" },
	{ "realtimeRuntime", json_get_int, LIMITS(cpu_rt_runtime), 0, NULL, "cgroup v1 only" },
	{ "realtimePeriod", json_get_int, LIMITS(cpu_rt_period), 0, &natural, "cgroup v1 only" },
	{ "cpus", json_get_string, LIMITS(cpuset_cpus), 0, NULL,
	  "the CPUs it runs on, as in 0-2,5" },
	{ "mems", json_get_string, LIMITS(cpuset_mems), 0, NULL, "the memory nodes it uses" },
	{ "idle", json_get_int, LIMITS(cpu_idle), 0, NULL,
	  "1: it runs when nothing else wants to" },
	{ 0 },
};

static const struct json_field pids_fields[] = {
	{ "limit", json_get_int, LIMITS(pids_max), JSON_REQUIRED, NULL,
	  "processes and threads; -1: no limit" },
	{ 0 },
};

#define IO_DEVICE(member) offsetof(struct cgroup_io_device, member)

static const struct json_field weight_fields[] = {
	{ "major", json_get_u32, IO_DEVICE(major), JSON_REQUIRED, NULL, "major number" },
	{ "minor", json_get_u32, IO_DEVICE(minor), JSON_REQUIRED, NULL, "minor number" },
	{ "weight", json_get_int, IO_DEVICE(weight), 0, &uint16_range,
	  "weight on this device, 10…1000" },
	{ "leafWeight", json_get_int, IO_DEVICE(leaf_weight), 0, &uint16_range, "cgroup v1 only" },
	{ 0 },
};

static void weight_init(void *item)
{
	struct cgroup_io_device *device = item;

	device->weight = device->leaf_weight = LIMIT_UNSET;
}

static const struct json_items weight_items = { sizeof(struct cgroup_io_device), weight_fields,
						weight_init, 0 };

#define THROTTLE(member) offsetof(struct cgroup_io_throttle, member)

static const struct json_field throttle_fields[] = {
	{ "major", json_get_u32, THROTTLE(major), JSON_REQUIRED, NULL, "major number" },
	{ "minor", json_get_u32, THROTTLE(minor), JSON_REQUIRED, NULL, "minor number" },
	{ "rate", json_get_int, THROTTLE(rate), JSON_REQUIRED, &natural, "a second" },
	{ 0 },
};

/* Four lists of the spec make one list of limits: the kind goes with the list. */
struct throttle_arg {
	struct json_items items;
	enum cgroup_io_kind kind;
};

#define THROTTLE_ARG(io_kind) \
	{ \
		.items = { sizeof(struct cgroup_io_throttle), throttle_fields, NULL, 0 }, \
		.kind = (io_kind) \
	}

static const struct throttle_arg read_bps = THROTTLE_ARG(IO_READ_BPS),
				 write_bps = THROTTLE_ARG(IO_WRITE_BPS);
static const struct throttle_arg read_iops = THROTTLE_ARG(IO_READ_IOPS),
				 write_iops = THROTTLE_ARG(IO_WRITE_IOPS);

static int get_throttles(const struct json_at *at, json_t *v, void *target,
			 const struct json_field *field)
{
	const struct throttle_arg *arg = field->arg;
	struct cgroup_limits *limits = target;
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return json_fail(at, "must be an array, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		struct cgroup_io_throttle *t;
		int r;

		t = spec_array_add(&limits->io_throttles, &limits->io_throttle_count, sizeof(*t));
		if (!t)
			return -ENOMEM;
		t->kind = arg->kind;
		r = json_object_read(&item_at, item, arg->items.fields, 0, t);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct json_field block_io_fields[] = {
	{ "weight", json_get_int, LIMITS(io_weight), 0, &uint16_range,
	  "weight against others, 10…1000" },
	{ "leafWeight", json_refuse, 0, 0, "has no counterpart in cgroup v2", "cgroup v1 only" },
	{ "weightDevice", json_get_array, LIMITS(io_devices), 0, &weight_items,
	  "weights on single devices" },
	{ "throttleReadBpsDevice", get_throttles, 0, 0, &read_bps, "bytes read" },
	{ "throttleWriteBpsDevice", get_throttles, 0, 0, &write_bps, "bytes written" },
	{ "throttleReadIOPSDevice", get_throttles, 0, 0, &read_iops, "reads" },
	{ "throttleWriteIOPSDevice", get_throttles, 0, 0, &write_iops, "writes" },
	{ 0 },
};

static const struct json_field hugepage_fields[] = {
	{ "pageSize", json_get_string, offsetof(struct cgroup_hugetlb, page_size),
	  JSON_REQUIRED | JSON_NOT_EMPTY, NULL, "64KB, 2MB, 1GB…" },
	{ "limit", json_get_int, offsetof(struct cgroup_hugetlb, limit), JSON_REQUIRED, &natural,
	  "bytes" },
	{ 0 },
};

static const struct json_items hugepage_items = { sizeof(struct cgroup_hugetlb), hugepage_fields,
						  NULL, 0 };

static const struct json_field rdma_fields[] = {
	{ "hcaHandles", json_get_int, offsetof(struct cgroup_rdma, handles), 0, &uint32_range,
	  "handles" },
	{ "hcaObjects", json_get_int, offsetof(struct cgroup_rdma, objects), 0, &uint32_range,
	  "objects" },
	{ 0 },
};

static const struct json_items rdma_items = { sizeof(struct cgroup_rdma), rdma_fields, NULL, 0 };

static int get_rdma(const struct json_at *at, json_t *v, void *target,
		    const struct json_field *field)
{
	struct cgroup_limits *limits = target;
	const char *name;
	json_t *value;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, name, value) {
		const struct json_at item_at = { .up = at, .key = name };
		struct cgroup_rdma *rdma;
		int r;

		/* The name is a word in a line of rdma.max. */
		if (!*name || strpbrk(name, " \t\n="))
			return json_fail(&item_at, "is not the name of a device");
		rdma = spec_array_add(&limits->rdma, &limits->rdma_count, sizeof(*rdma));
		if (!rdma)
			return -ENOMEM;
		rdma->handles = rdma->objects = LIMIT_UNSET;
		r = str_copy(&rdma->device, name);
		if (r == 0)
			r = json_object_read(&item_at, value, rdma_fields, 0, rdma);
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_unified(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	struct cgroup_limits *limits = target;
	const char *file;
	json_t *value;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object of strings, not %s", json_type_text(v));
	json_object_foreach(v, file, value) {
		const struct json_at item_at = { .up = at, .key = file };
		const char *dot = strchr(file, '.');
		struct cgroup_unified *unified;
		int r;

		if (!dot || dot == file || strchr(file, '/'))
			return json_fail(
				&item_at,
				"is not the name of a file of a cgroup, as memory.high is");
		if (!json_is_string(value))
			return json_fail(&item_at, "must be a string, not %s",
					 json_type_text(value));
		unified =
			spec_array_add(&limits->unified, &limits->unified_count, sizeof(*unified));
		if (!unified)
			return -ENOMEM;
		r = str_copy(&unified->file, file);
		if (r == 0)
			r = str_copy(&unified->value, json_string_value(value));
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_rule_type(const struct json_at *at, json_t *v, void *target,
			 const struct json_field *field)
{
	static const struct json_name types[] = {
		{ "a", 'a' }, { "b", 'b' }, { "c", 'c' }, { "u", 'c' }, { NULL, 0 },
	};
	const struct json_field as_enum = { .arg = types };
	int type, r;

	(void)field;
	if (json_is_string(v) && json_string_length(v) == 0)
		return 0;
	r = json_get_enum(at, v, &type, &as_enum);
	if (r == 0)
		*(char *)target = (char)type;
	return r;
}

static int get_access(const struct json_at *at, json_t *v, void *target,
		      const struct json_field *field)
{
	struct cgroup_device_rule *rule = target;
	const char *text = json_string_value(v);

	(void)field;
	if (!text)
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	if (text[strspn(text, "rwm")])
		return json_fail(at, "must be made of 'r', 'w' and 'm'");
	if (!*text)
		return 0;
	rule->read = strchr(text, 'r');
	rule->write = strchr(text, 'w');
	rule->mknod = strchr(text, 'm');
	return 0;
}

static const struct json_range any_or_number = { -1, UINT32_MAX };

#define RULE(member) offsetof(struct cgroup_device_rule, member)

static const struct json_field rule_fields[] = {
	{ "allow", json_get_bool, RULE(allow), JSON_REQUIRED, NULL, "allow or deny" },
	{ "type", get_rule_type, RULE(type), 0, NULL,
	  "c (or u): character, b: block, a: both; absent: a" },
	{ "major", json_get_int, RULE(major), 0, &any_or_number,
	  "major number; absent or -1: any" },
	{ "minor", json_get_int, RULE(minor), 0, &any_or_number,
	  "minor number; absent or -1: any" },
	{ "access", get_access, 0, 0, NULL, "of r (read), w (write), m (mknod); absent: all" },
	{ 0 },
};

static void rule_init(void *item)
{
	struct cgroup_device_rule *rule = item;

	*rule = (struct cgroup_device_rule){
		.type = 'a',
		.major = -1,
		.minor = -1,
		.read = true,
		.write = true,
		.mknod = true,
	};
}

static const struct json_items rule_items = { sizeof(struct cgroup_device_rule), rule_fields,
					      rule_init, 0 };

static int get_device_rules(const struct json_at *at, json_t *v, void *target,
			    const struct json_field *field)
{
	struct cgroup_limits *limits = target;

	limits->devices_set = true;
	return json_get_array(at, v, &limits->devices, field);
}

static int get_network(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	bool *set = target;
	json_t *class_id, *priorities;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	class_id = json_object_get(v, "classID");
	priorities = json_object_get(v, "priorities");
	*set = (class_id && !json_is_null(class_id) &&
		!(json_is_integer(class_id) && json_integer_value(class_id) == 0)) ||
	       json_array_size(priorities) > 0;
	return 0;
}

/* Offset 0: the limits themselves, where a getter fills more than one member. */
const struct json_field spec_resources_fields[] = {
	{ "devices", get_device_rules, 0, 0, &rule_items,
	  "which devices may be used; the last rule that matches decides" },
	{ "memory", json_get_object, 0, 0, memory_fields, "memory" },
	{ "cpu", json_get_object, 0, 0, cpu_fields, "CPU time and placement" },
	{ "pids", json_get_object, 0, 0, pids_fields, "processes" },
	{ "blockIO", json_get_object, 0, 0, block_io_fields, "block devices" },
	{ "hugepageLimits", json_get_array, LIMITS(hugetlb), 0, &hugepage_items, "huge pages" },
	{ "rdma", get_rdma, 0, 0, &rdma_items, "RDMA devices, by name" },
	{ "unified", get_unified, 0, 0, NULL, "files of the cgroup and what is written to them" },
	{ "network", get_network, LIMITS(network_set), 0, NULL, "cgroup v1 only" },
	{ 0 },
};

const struct spec_getter spec_resources_getters[] = {
	{ get_true, "boolean", SPEC_LEAF },
	{ get_throttles, "array of objects", SPEC_ITEMS },
	{ get_rdma, "object of objects", SPEC_VALUES },
	{ get_unified, "object of strings", SPEC_LEAF },
	{ get_rule_type, "string", SPEC_LEAF },
	{ get_access, "string", SPEC_LEAF },
	{ get_device_rules, "array of objects", SPEC_ITEMS },
	{ get_network, "object", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};
