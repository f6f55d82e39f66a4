/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Other limits for a container that lives. What is asked is merged into the kept spec as JSON, and the result is
 * judged as at create, because limits depend on each other: memory.swap counts in memory.limit. To the cgroup goes
 * what was asked, and what belongs to it; the rest of its files may by now be somebody else's business.
 */
#include "runtime/update.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/devices.h"
#include "cgroups/systemd.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/kept.h"
#include "runtime/machine-update.h"
#include "runtime/spec-internal.h"

/* Numbers whose 0 is an engine's way to say nothing. */
static const struct {
	const char *section, *key;
} zero_is_nothing[] = {
	{ "memory", "limit" },	     { "memory", "swap" },	     { "memory", "kernel" },
	{ "memory", "kernelTCP" },   { "cpu", "shares" },	     { "cpu", "quota" },
	{ "cpu", "period" },	     { "cpu", "realtimeRuntime" },   { "cpu", "realtimePeriod" },
	{ "pids", "limit" },	     { "blockIO", "weight" },	     { "blockIO", "leafWeight" },
};

/* Lists of limits, and what tells their elements apart. */
static const struct {
	const char *list, *keys[2];
} keyed_lists[] = {
	{ "hugepageLimits", { "pageSize", NULL } },
	{ "weightDevice", { "major", "minor" } },
	{ "throttleReadBpsDevice", { "major", "minor" } },
	{ "throttleWriteBpsDevice", { "major", "minor" } },
	{ "throttleReadIOPSDevice", { "major", "minor" } },
	{ "throttleWriteIOPSDevice", { "major", "minor" } },
};

#define NUMBER(member) offsetof(struct cgroup_limits, member)

/* What the kernel starts with: how a limit that was not there before is taken back. */
static const struct {
	size_t offset;
	int64_t value;
} numbers_idle[] = {
	{ NUMBER(cpu_shares), 1024 },	     { NUMBER(cpu_quota_us), LIMIT_MAX }, { NUMBER(cpu_period_us), 100000 },
	{ NUMBER(cpu_burst_us), 0 },	     { NUMBER(cpu_idle), 0 },		  { NUMBER(memory_max), LIMIT_MAX },
	{ NUMBER(memory_swap), LIMIT_MAX },  { NUMBER(memory_low), 0 },		  { NUMBER(memory_high), LIMIT_MAX },
	{ NUMBER(pids_max), LIMIT_MAX },
};

/* Asked for one, both are written: one cannot be told, or does not hold, without the other. */
static const size_t pairs[][2] = {
	{ NUMBER(memory_max), NUMBER(memory_swap) },
	{ NUMBER(cpu_shares), NUMBER(cpu_idle) },
};

struct update {
	const char *id;
	struct state_dir dir;
	struct state state;
	struct cgroup cgroup;
	json_t *spec;			/* as kept */
	struct cgroup_limits asked, before, after;
	struct machine_update machine;
};

static int64_t *number_at(struct cgroup_limits *limits, size_t offset)
{
	return (int64_t *)(void *)((char *)limits + offset);
}

static bool is_nothing(const char *section, const char *key, const json_t *v)
{
	if (json_is_null(v) || (json_is_string(v) && !*json_string_value(v)))
		return true;
	if (!json_is_integer(v) || json_integer_value(v) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(zero_is_nothing); i++)
		if (str_eq(zero_is_nothing[i].section, section) && str_eq(zero_is_nothing[i].key, key))
			return true;
	return false;
}

/* Take out what asks for nothing, so that it is neither judged nor recorded. */
static void nothings_remove(json_t *resources)
{
	const char *section, *key;
	json_t *object, *v;
	void *next, *next_key;

	json_object_foreach_safe(resources, next, section, object) {
		/* There an empty text is a value: it clears a cpuset. */
		if (str_eq(section, "unified"))
			continue;
		if (json_is_object(object))
			json_object_foreach_safe(object, next_key, key, v)
				if (is_nothing(section, key, v))
					(void)json_object_del(object, key);
		if (json_is_null(object) || (json_is_object(object) && json_object_size(object) == 0))
			(void)json_object_del(resources, section);
	}
}

/* Somebody who hands in a whole config.json would otherwise change nothing, and not be told. */
static int known_check(const json_t *resources)
{
	if (!json_is_object(resources))
		return fail_plain(EINVAL, "resources: must be an object, not %s", json_type_text(resources));
	if (json_object_size(resources) == 0)
		return 0;
	for (const struct json_field *f = spec_resources_fields; f->name; f++)
		if (json_object_get(resources, f->name))
			return 0;
	return fail_plain(EINVAL, "resources: holds nothing that linux.resources has ('memory', 'cpu', 'pids', …)");
}

static bool same_element(const json_t *a, const json_t *b, const char *const keys[2])
{
	for (size_t i = 0; i < 2 && keys[i]; i++)
		if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
			return false;
	return true;
}

/* @into: a list of the kept spec */
static int list_merge(json_t *into, json_t *from, const char *const keys[2])
{
	size_t i, k;
	json_t *element, *old;

	json_array_foreach(from, i, element) {
		json_array_foreach(into, k, old)
			if (same_element(old, element, keys))
				break;
		if ((k < json_array_size(into) ? json_array_set(into, k, element) :
						 json_array_append(into, element)) < 0)
			return fail(ENOMEM, "merge the limits");
	}
	return 0;
}

static const char *const *list_keys(const char *list)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed_lists); i++)
		if (str_eq(keyed_lists[i].list, list))
			return keyed_lists[i].keys;
	return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the field table, which was applied to @from before */
static int object_merge(json_t *into, json_t *from)
{
	const char *key;
	json_t *v;

	json_object_foreach(from, key, v) {
		json_t *old = json_object_get(into, key);
		const char *const *keys = list_keys(key);
		int r = 0;

		if (json_is_object(old) && json_is_object(v))
			r = object_merge(old, v);
		else if (json_is_array(old) && json_is_array(v) && keys)
			r = list_merge(old, v, keys);
		else if (json_object_set(into, key, v) < 0)
			r = fail(ENOMEM, "merge the limits");
		if (r < 0)
			return r;
	}
	return 0;
}

static int limits_read(json_t *v, struct cgroup_limits *limits)
{
	const struct json_at linux_at = { .up = &JSON_ROOT, .key = "linux" };
	const struct json_at at = { .up = &linux_at, .key = "resources" };

	return v ? json_object_read(&at, v, spec_resources_fields, 0, limits) : 0;
}

/* @ret_linux: borrowed */
static int kept_resources(struct update *u, json_t **ret_linux, json_t **ret_resources)
{
	int r = kept_json(&u->dir, &u->spec);

	if (r < 0)
		return r;
	*ret_linux = json_object_get(u->spec, "linux");
	if (!json_is_object(*ret_linux))
		return fail_plain(EIO, "container '%s': its kept spec has no 'linux'", u->id);
	*ret_resources = json_object_get(*ret_linux, "resources");
	if (!json_is_object(*ret_resources)) {
		*ret_resources = json_object();
		if (json_object_set_new(*ret_linux, "resources", *ret_resources) < 0)
			return fail(ENOMEM, "read the container's spec");
	}
	return 0;
}

/* "No limit" was always meant for memory and swap together. */
static int swap_follow(json_t *resources, const struct cgroup_limits *asked)
{
	json_t *memory = json_object_get(resources, "memory");

	if (asked->memory_max != LIMIT_MAX || asked->memory_swap != LIMIT_UNSET || !json_object_get(memory, "swap"))
		return 0;
	return json_object_set_new(memory, "swap", json_integer(LIMIT_MAX)) < 0 ? fail(ENOMEM, "merge the limits") : 0;
}

/* What a machine's guest limits is none of the cell's business. */
static void inside_forget(struct cgroup_limits *asked)
{
	static const size_t inside[] = {
		NUMBER(memory_max),    NUMBER(memory_swap),	  NUMBER(memory_low),	     NUMBER(memory_high),
		NUMBER(memory_kernel), NUMBER(memory_kernel_tcp), NUMBER(memory_swappiness), NUMBER(pids_max),
	};

	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		*number_at(asked, inside[i]) = LIMIT_UNSET;
	asked->memory_check_before_update = asked->devices_set = false;
}

static int limits_prepare(struct update *u, json_t *asked)
{
	json_t *spec_linux = NULL, *resources = NULL;
	int r = limits_read(asked, &u->asked);

	if (r == 0)
		r = kept_resources(u, &spec_linux, &resources);
	if (r == 0)
		r = limits_read(resources, &u->before);
	if (r == 0)
		r = object_merge(resources, asked);
	if (r == 0)
		r = swap_follow(resources, &u->asked);
	if (r == 0)
		r = limits_read(resources, &u->after);
	if (r == 0)
		r = cgroup_limits_check(&u->after);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		int64_t *a = number_at(&u->asked, pairs[i][0]), *b = number_at(&u->asked, pairs[i][1]);

		if (*a == LIMIT_UNSET && *b == LIMIT_UNSET)
			continue;
		*a = *number_at(&u->after, pairs[i][0]);
		*b = *number_at(&u->after, pairs[i][1]);
	}
	if (u->machine.is_one)
		inside_forget(&u->asked);
	return 0;
}

static int cgroup_find(struct update *u)
{
	int r;

	if (!u->state.cgroup_path || !u->state.cgroup_made)
		return fail_plain(EINVAL, "container '%s' has no cgroup of its own to be limited by", u->id);
	r = str_copy(&u->cgroup.path, u->state.cgroup_path);
	if (r == 0)
		r = cgroup_open(&u->cgroup);
	if (r == CGROUP_NOT_FOUND)
		return fail_plain(ENOENT, "the cgroup '%s' of container '%s' is gone", u->state.cgroup_path, u->id);
	return r;
}

/* Not for a user's own systemd or without root: as at create, where devices are then left to who is above. */
static int devices_apply(const struct update *u, const struct cgroup_limits *limits)
{
	return u->asked.devices_set && geteuid() == 0 ? cgroup_devices_attach(u->cgroup.fd, limits) : 0;
}

static int limits_write(const struct update *u, const struct cgroup_limits *limits)
{
	int r = u->state.cgroup_unit ? systemd_scope_update(u->state.cgroup_unit, limits) : 0;

	if (r == 0)
		r = cgroup_limits_apply(u->cgroup.fd, limits);
	return r < 0 ? r : devices_apply(u, limits);
}

/* What holds must be what is recorded; the failure that brought us here keeps its text. */
static void limits_restore(struct update *u)
{
	cleanup_free char *text = strdup(fail_text());

	for (size_t i = 0; i < ARRAY_SIZE(numbers_idle); i++) {
		int64_t *before = number_at(&u->before, numbers_idle[i].offset);

		if (*number_at(&u->asked, numbers_idle[i].offset) == LIMIT_UNSET)
			*before = LIMIT_UNSET;
		else if (*before == LIMIT_UNSET || (*before == 0 && numbers_idle[i].value != 0))
			*before = numbers_idle[i].value;
	}
	u->before.memory_check_before_update = false;
	if (limits_write(u, &u->before) < 0)
		log_warn("take back an update that failed: %s, ignoring", fail_text());
	(void)fail_plain(EINVAL, "%s", text ? text : "out of memory");
}

static int spec_replace(const struct update *u)
{
	cleanup_free char *text = json_text(u->spec);

	if (!text)
		return fail(ENOMEM, "keep the spec");
	return fd_replace_file(u->dir.fd, "config.json", text, strlen(text), 0600);
}

static int update_locked(struct update *u, json_t *resources)
{
	enum container_status status;
	int r = kept_status(&u->state, &status);

	if (r == 0 && (status == CONTAINER_STOPPED || status == CONTAINER_CREATING))
		r = fail_plain(EINVAL, "container '%s' cannot be updated: it is %s", u->id,
			       container_status_name(status));
	if (r == 0)
		r = limits_prepare(u, resources);
	if (r == 0)
		r = cgroup_find(u);
	if (r == 0)
		r = cgroup_controllers_add(&u->cgroup, &u->asked);
	if (r < 0)
		return r;
	r = limits_write(u, &u->asked);
	if (r == 0)
		r = spec_replace(u);
	if (r < 0)
		limits_restore(u);
	return r;
}

static int update_run(struct update *u, const struct container_place *place, json_t *resources)
{
	int r = kept_open(place, u->id, true, &u->dir, &u->state);

	return r > 0 ? container_no_such(u->id) : r < 0 ? r : update_locked(u, resources);
}

int container_update(const struct container_place *place, const char *id, json_t *resources)
{
	struct update u = { .id = id, .dir = STATE_DIR_NONE, .cgroup = CGROUP_NONE };
	int r = known_check(resources);

	if (r < 0)
		return r;
	nothings_remove(resources);
	/* Without the lock: whoever deletes a machine that does not answer must not have to wait for us. */
	r = machine_update_inside(place, id, resources, &u.machine);
	if (r < 0)
		return r;
	cgroup_limits_init(&u.asked);
	cgroup_limits_init(&u.before);
	cgroup_limits_init(&u.after);
	r = update_run(&u, place, resources);
	machine_update_done(&u.machine, r < 0);
	cgroup_limits_done(&u.asked);
	cgroup_limits_done(&u.before);
	cgroup_limits_done(&u.after);
	cgroup_close(&u.cgroup);
	json_decref(u.spec);
	state_done(&u.state);
	state_close(&u.dir);
	return r;
}
