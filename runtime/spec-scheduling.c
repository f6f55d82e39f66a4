/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a process is to be scheduled: process.scheduler, ioPriority and execCPUAffinity, and the getters of
 * lists of CPUs and of words that other tables share. Source: runtime-spec config.md, "Linux Process";
 * sched_setattr(2), ioprio_set(2).
 */
#include "runtime/spec.h"

#include <linux/ioprio.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/spec-internal.h"

/* Newer than the headers that we are built with. Source: include/uapi/linux/sched.h */
enum { POLICY_ISO = 4 };

static const struct json_name policies[] = {
	{ "SCHED_OTHER", SCHED_NORMAL }, { "SCHED_FIFO", SCHED_FIFO },	{ "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH },	 { "SCHED_ISO", POLICY_ISO },	{ "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", SCHED_DEADLINE }, { NULL, 0 },
};

static const struct json_name flags[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK },
	{ "SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM },
	{ "SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN },
	{ "SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY },
	{ "SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX },
	{ NULL, 0 },
};

static const struct json_range nice_range = { -20, 19 }, priority_range = { 0, 99 };

#define SCHEDULER(member) offsetof(struct spec_scheduler, member)

const struct json_field spec_scheduler_fields[] = {
	{ "policy", json_get_enum, SCHEDULER(policy), JSON_REQUIRED, policies, "SCHED_OTHER, SCHED_FIFO…" },
	{ "nice", json_get_int, SCHEDULER(nice), 0, &nice_range, "for SCHED_OTHER and SCHED_BATCH" },
	{ "priority", json_get_int, SCHEDULER(priority), 0, &priority_range, "for SCHED_FIFO and SCHED_RR" },
	{ "flags", spec_get_words, SCHEDULER(flags), 0, flags, "SCHED_FLAG_RESET_ON_FORK…" },
	{ "runtime", json_get_u64, SCHEDULER(runtime), 0, NULL, "nanoseconds a period, for SCHED_DEADLINE" },
	{ "deadline", json_get_u64, SCHEDULER(deadline), 0, NULL, "nanoseconds, for SCHED_DEADLINE" },
	{ "period", json_get_u64, SCHEDULER(period), 0, NULL, "nanoseconds, for SCHED_DEADLINE" },
	{ 0 },
};

int spec_get_scheduler(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_scheduler *s = target;
	int r = json_object_read(at, v, field->arg, 0, s);

	if (r < 0)
		return r;
	if (s->policy == POLICY_ISO)
		return json_fail(at, "SCHED_ISO is reserved, and in no kernel");
	/* Values for them have no field in the spec, and 0 would be one. */
	if (s->flags & (SCHED_FLAG_UTIL_CLAMP_MIN | SCHED_FLAG_UTIL_CLAMP_MAX))
		return json_fail(at, "SCHED_FLAG_UTIL_CLAMP_*: the spec has no field for the value");
	if (s->policy != SCHED_DEADLINE && (s->runtime || s->deadline || s->period))
		return json_fail(at, "'runtime', 'deadline' and 'period' go only with SCHED_DEADLINE");
	s->set = true;
	return 0;
}

static const struct json_name io_classes[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT },
	{ "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
	{ NULL, 0 },
};

static const struct json_range io_range = { 0, IOPRIO_NR_LEVELS - 1 };

#define IO(member) offsetof(struct spec_io_priority, member)

const struct json_field spec_io_priority_fields[] = {
	{ "class", json_get_enum, IO(io_class), JSON_REQUIRED, io_classes,
	  "IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE" },
	{ "priority", json_get_int, IO(priority), 0, &io_range, "0, the highest, to 7" },
	{ 0 },
};

int spec_get_io_priority(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_io_priority *io = target;
	int r = json_object_read(at, v, field->arg, 0, io);

	if (r == 0)
		io->set = true;
	return r;
}

#define PROCESS(member) offsetof(struct spec_process, member)

const struct json_field spec_affinity_fields[] = {
	{ "initial", spec_get_mask, PROCESS(cpus_initial), 0, NULL, "before it is in the container's cgroup" },
	{ "final", spec_get_mask, PROCESS(cpus_final), 0, NULL, "once it is" },
	{ 0 },
};

static void mask_put(struct spec_mask *mask, uint64_t bit)
{
	const size_t word = 8 * sizeof(mask->bits[0]);

	mask->bits[bit / word] |= 1UL << bit % word;
}

/* "3" or "0-3", at the beginning of @text. Return: what follows, or NULL. */
static const char *range_read(const char *text, struct spec_mask *mask)
{
	uint64_t ends[2];
	char *rest;

	for (int i = 0; i < 2; i++) {
		if (*text < '0' || *text > '9')
			return NULL;
		ends[i] = strtoull(text, &rest, 10);
		if (i == 0 && *rest != '-') {
			ends[1] = ends[0];
			break;
		}
		text = rest + (i == 0);
	}
	if (ends[0] > ends[1] || ends[1] >= SPEC_MASK_BITS)
		return NULL;
	for (uint64_t bit = ends[0]; bit <= ends[1]; bit++)
		mask_put(mask, bit);
	return rest;
}

int spec_get_mask(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_mask mask = { .set = true };
	cleanup_free char *text = NULL;
	char quoted[STR_QUOTE_SIZE];
	const char *rest;
	int r = json_get_string(at, v, &text, &(struct json_field){ .name = field->name });

	if (r < 0)
		return r;
	if (!*text)
		return 0;
	for (rest = range_read(text, &mask); rest && *rest == ','; rest = range_read(rest + 1, &mask))
		;
	if (!rest || *rest)
		return json_fail(at, "%s is no list of numbers below %d, as \"0-3,7\" is", str_quote(quoted, text),
				 SPEC_MASK_BITS);
	*(struct spec_mask *)target = mask;
	return 0;
}

int spec_get_words(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	int64_t all = 0;
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return json_fail(at, "must be an array of strings, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at here = { .up = at, .index = i };
		int value, r = json_get_enum(&here, item, &value, field);

		if (r < 0)
			return r;
		all |= value;
	}
	*(int64_t *)target = all;
	return 0;
}

int spec_get_text(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	cleanup_free char *text = NULL;
	int r = json_get_string(at, v, &text, field);

	if (r < 0)
		return r;
	free(*(char **)target);
	*(char **)target = *text ? steal_ptr(&text) : NULL;
	return 0;
}

const struct spec_getter spec_scheduling_getters[] = {
	{ spec_get_scheduler, "object", SPEC_FIELDS },
	{ spec_get_io_priority, "object", SPEC_FIELDS },
	{ spec_get_mask, "string", SPEC_LEAF },
	{ spec_get_words, "array of strings", SPEC_LEAF },
	{ spec_get_text, "string", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};
