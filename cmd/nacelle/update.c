/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `update`: other limits for a container that lives, from a file as OCI has it or from options. The table of
 * values says under which name of linux.resources an option goes into the JSON that is then the same as a file's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/update.h"

struct update_options {
	const char *resources;
	const char *memory, *memory_reservation, *memory_swap;
	const char *cpu_share, *cpu_period, *cpu_quota, *cpu_burst, *cpu_idle;
	const char *cpu_rt_period, *cpu_rt_runtime;
	const char *cpuset_cpus, *cpuset_mems;
	const char *pids_limit, *blkio_weight;
	const char *kernel_memory, *kernel_memory_tcp;
	const char *l3_cache_schema, *mem_bw_schema;
};

#define UPDATE(member) offsetof(struct update_options, member)

const struct option_row update_options[] = {
	{ "resources", 'r', OPTION_STRING, UPDATE(resources), "FILE", "read them from FILE, or - (as linux.resources has them)" },
	{ "memory", 0, OPTION_STRING, UPDATE(memory), "SIZE", "memory limit; -1: none" },
	{ "memory-reservation", 0, OPTION_STRING, UPDATE(memory_reservation), "SIZE", "memory that is not reclaimed" },
	{ "memory-swap", 0, OPTION_STRING, UPDATE(memory_swap), "SIZE", "memory and swap together; -1: no limit on swap" },
	{ "cpu-share", 0, OPTION_STRING, UPDATE(cpu_share), "N", "weight against others, 2 to 262144" },
	{ "cpu-period", 0, OPTION_STRING, UPDATE(cpu_period), "USEC", "length of a period" },
	{ "cpu-quota", 0, OPTION_STRING, UPDATE(cpu_quota), "USEC", "time it may run in a period; -1: no limit" },
	{ "cpu-burst", 0, OPTION_STRING, UPDATE(cpu_burst), "USEC", "quota that it may save up" },
	{ "cpu-idle", 0, OPTION_STRING, UPDATE(cpu_idle), "0|1", "1: it runs when nothing else wants to" },
	{ "cpu-rt-period", 0, OPTION_STRING, UPDATE(cpu_rt_period), "USEC", "cgroup v1 only: refused" },
	{ "cpu-rt-runtime", 0, OPTION_STRING, UPDATE(cpu_rt_runtime), "USEC", "cgroup v1 only: refused" },
	{ "cpuset-cpus", 0, OPTION_STRING, UPDATE(cpuset_cpus), "LIST", "the CPUs it runs on, as in 0-2,5" },
	{ "cpuset-mems", 0, OPTION_STRING, UPDATE(cpuset_mems), "LIST", "the memory nodes it uses" },
	{ "pids-limit", 0, OPTION_STRING, UPDATE(pids_limit), "N", "processes and threads; -1: no limit" },
	{ "blkio-weight", 0, OPTION_STRING, UPDATE(blkio_weight), "N", "weight of its reads and writes, 10 to 1000" },
	{ "kernel-memory", 0, OPTION_STRING, UPDATE(kernel_memory), "SIZE", "cgroup v1 only: ignored" },
	{ "kernel-memory-tcp", 0, OPTION_STRING, UPDATE(kernel_memory_tcp), "SIZE", "cgroup v1 only: ignored" },
	{ "l3-cache-schema", 0, OPTION_STRING, UPDATE(l3_cache_schema), "TEXT", "Intel RDT: refused, it is set at create" },
	{ "mem-bw-schema", 0, OPTION_STRING, UPDATE(mem_bw_schema), "TEXT", "Intel RDT: refused, it is set at create" },
	{ .name = NULL },
};

enum value_kind { VALUE_TEXT, VALUE_NUMBER, VALUE_BYTES };

static const struct value {
	const char *option;
	size_t offset;
	const char *section, *key;
	enum value_kind kind;
} values[] = {
	{ "memory", UPDATE(memory), "memory", "limit", VALUE_BYTES },
	{ "memory-reservation", UPDATE(memory_reservation), "memory", "reservation", VALUE_BYTES },
	{ "memory-swap", UPDATE(memory_swap), "memory", "swap", VALUE_BYTES },
	{ "cpu-share", UPDATE(cpu_share), "cpu", "shares", VALUE_NUMBER },
	{ "cpu-period", UPDATE(cpu_period), "cpu", "period", VALUE_NUMBER },
	{ "cpu-quota", UPDATE(cpu_quota), "cpu", "quota", VALUE_NUMBER },
	{ "cpu-burst", UPDATE(cpu_burst), "cpu", "burst", VALUE_NUMBER },
	{ "cpu-idle", UPDATE(cpu_idle), "cpu", "idle", VALUE_NUMBER },
	{ "cpu-rt-period", UPDATE(cpu_rt_period), "cpu", "realtimePeriod", VALUE_NUMBER },
	{ "cpu-rt-runtime", UPDATE(cpu_rt_runtime), "cpu", "realtimeRuntime", VALUE_NUMBER },
	{ "cpuset-cpus", UPDATE(cpuset_cpus), "cpu", "cpus", VALUE_TEXT },
	{ "cpuset-mems", UPDATE(cpuset_mems), "cpu", "mems", VALUE_TEXT },
	{ "pids-limit", UPDATE(pids_limit), "pids", "limit", VALUE_NUMBER },
	{ "blkio-weight", UPDATE(blkio_weight), "blockIO", "weight", VALUE_NUMBER },
};

static const char *option_text(const struct update_options *o, size_t offset)
{
	return *(const char *const *)(const void *)((const char *)o + offset);
}

static int value_make(const struct globals *globals, const struct value *value, const char *text, json_t **ret_v)
{
	int64_t number = 0;

	if (value->kind == VALUE_TEXT) {
		*ret_v = json_string(text);
		return *ret_v ? 0 : fail_plain(EINVAL, "--%s: is not UTF-8", value->option);
	}
	if (value->kind == VALUE_BYTES && str_to_bytes(text, &number) < 0)
		return usage_fail(globals->command, "--%s: '%s' is not a size", value->option, text);
	if (value->kind == VALUE_NUMBER && str_to_i64(text, INT64_MIN, INT64_MAX, &number) < 0)
		return usage_fail(globals->command, "--%s: '%s' is not a number", value->option, text);
	*ret_v = json_integer(number);
	return *ret_v ? 0 : fail(ENOMEM, "read the options");
}

static int value_put(json_t *resources, const struct value *value, json_t *v)
{
	json_t *section = json_object_get(resources, value->section);

	if (!section) {
		section = json_object();
		if (json_object_set_new(resources, value->section, section) < 0) {
			json_decref(v);
			return fail(ENOMEM, "read the options");
		}
	}
	return json_object_set_new(section, value->key, v) < 0 ? fail(ENOMEM, "read the options") : 0;
}

/* How many options were given, 0 and empty ones too. */
static size_t values_count(const struct update_options *o)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		n += option_text(o, values[i].offset) != NULL;
	return n + !!o->kernel_memory + !!o->kernel_memory_tcp;
}

static int from_options(const struct globals *globals, const struct update_options *o, json_t **ret_v)
{
	cleanup_json json_t *resources = json_object();

	if (!resources)
		return fail(ENOMEM, "read the options");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *text = option_text(o, values[i].offset);
		json_t *v;
		int r;

		if (!text)
			continue;
		r = value_make(globals, &values[i], text, &v);
		if (r == 0)
			r = value_put(resources, &values[i], v);
		if (r < 0)
			return r;
	}
	if (o->kernel_memory || o->kernel_memory_tcp)
		log_warn("--kernel-memory%s: cgroup v2 counts it in the memory limit, ignoring",
			 o->kernel_memory ? "" : "-tcp");
	*ret_v = steal_ptr(&resources);
	return 0;
}

static int from_file(const char *file, json_t **ret_v)
{
	cleanup_fd int fd = -1;

	if (str_eq(file, "-"))
		return json_read_fd("standard input", STDIN_FILENO, ret_v);
	/* It may be a pipe: shells make one of <(…). */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? fail(errno, "open '%s'", file) : json_read_fd(file, fd, ret_v);
}

int cmd_update(const struct globals *globals, int argc, char **argv)
{
	struct update_options o = { .resources = NULL };
	cleanup_json json_t *resources = NULL;
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o.l3_cache_schema || o.mem_bw_schema)
		return fail_plain(EOPNOTSUPP, "--%s: a schema of Intel RDT cannot be changed, only set by linux.intelRdt "
				  "at create", o.l3_cache_schema ? "l3-cache-schema" : "mem-bw-schema");
	if (o.resources && values_count(&o))
		log_warn("--resources has all limits: the other options say nothing, ignoring");
	if (!o.resources && !values_count(&o))
		return usage_fail(globals->command, "no limit is given");
	r = o.resources ? from_file(o.resources, &resources) : from_options(globals, &o, &resources);
	return r < 0 ? r : container_update(&globals->place, operands.items[0], resources);
}
