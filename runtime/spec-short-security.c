/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Short keys about privileges. Capabilities are counted on the sets that the document has by then; the
 * inheritable and ambient sets are never added to (capabilities(7): they leak into what is executed).
 */
#include "runtime/spec-short-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/str.h"
#include "runtime/spec-internal.h"
#include "seccomp/profile.h"

static const char *const set_names[] = { "bounding", "effective", "permitted", "inheritable",
					 "ambient" };
enum { SETS_ADDED_TO = 3 };

/* The set that a list of names means; "ALL" is apart. */
static int set_read(const struct json_at *at, json_t *v, uint64_t *ret_set, bool *ret_all)
{
	uint64_t set = 0;
	bool all = false;
	size_t i;
	json_t *item;
	int r;

	r = short_strings_check(at, v, true);
	if (r < 0)
		return r;
	json_array_foreach(v, i, item) {
		const char *name = json_string_value(item), *near;
		const struct json_at item_at = { .up = at, .index = i };
		char quoted[STR_QUOTE_SIZE];
		int cap;

		if (strcasecmp(name, "ALL") == 0) {
			all = true;
			continue;
		}
		cap = spec_capability(name);
		if (cap >= 0) {
			set |= UINT64_C(1) << cap;
			continue;
		}
		near = str_nearest(name, spec_capability_names);
		(void)str_quote(quoted, name);
		if (near)
			return json_fail(&item_at, "%s is not a capability; '%s' is", quoted, near);
		return json_fail(&item_at, "%s is not a capability (see capabilities(7))", quoted);
	}
	*ret_set = set;
	*ret_all = all;
	return 0;
}

static uint64_t set_full(void)
{
	uint64_t set = 0;

	for (int i = 0; spec_capability_names[i]; i++)
		set |= UINT64_C(1) << i;
	return set;
}

static int set_write(json_t *capabilities, const char *name, uint64_t set)
{
	json_t *names = json_array();

	for (int i = 0; names && spec_capability_names[i]; i++) {
		if ((set & UINT64_C(1) << i) &&
		    short_append(names, json_string(spec_capability_names[i])) < 0) {
			json_decref(names);
			return -ENOMEM;
		}
	}
	return short_set(capabilities, name, names);
}

/* Each of the document's sets becomes (set & @keep) | @add. */
static int sets_change(struct short_form *s, uint64_t keep, uint64_t add)
{
	const struct json_at process_at = { .up = &JSON_ROOT, .key = "process" };
	const struct json_at at = { .up = &process_at, .key = "capabilities" };
	json_t *capabilities = short_section(s->doc, "process.capabilities");

	if (!capabilities)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(set_names); i++) {
		json_t *old = json_object_get(capabilities, set_names[i]);
		uint64_t set = 0;
		bool all = false;
		int r = 0;

		if (old && !json_is_null(old))
			r = set_read(&(struct json_at){ .up = &at, .key = set_names[i] }, old, &set,
				     &all);
		else if (i >= SETS_ADDED_TO)
			continue;
		if (all)
			return json_fail(&at, "'ALL' is not a capability in OCI's own sections");
		if (r == 0)
			r = set_write(capabilities, set_names[i],
				      (set & keep) | (i < SETS_ADDED_TO ? add : 0));
		if (r < 0)
			return r;
	}
	return 0;
}

int short_cap_drop(struct short_form *s, const struct json_at *at, json_t *v)
{
	uint64_t set;
	bool all;
	int r = set_read(at, v, &set, &all);

	return r < 0 ? r : sets_change(s, all ? 0 : ~set, 0);
}

int short_cap_add(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *drop = json_object_get(s->current, "cap_drop");
	uint64_t set, dropped = 0;
	bool all, drop_all;
	int r;

	r = set_read(at, v, &set, &all);
	/* All but what the same object drops; it was read before and is well formed. */
	if (r == 0 && all && drop && !json_is_null(drop))
		r = set_read(at, drop, &dropped, &drop_all);
	if (r < 0)
		return r;
	return sets_change(s, ~UINT64_C(0), all ? (set_full() & ~dropped) | set : set);
}

/* docker's own format has rules that OCI's does not have: to ignore them would allow too much. */
static int profile_check(const struct json_at *at, const char *path, json_t *profile)
{
	char quoted[STR_QUOTE_SIZE];
	size_t i;
	json_t *rule;

	(void)str_quote(quoted, path);
	if (!json_is_object(profile))
		return json_fail(at, "%s holds no seccomp profile", quoted);
	json_array_foreach(json_object_get(profile, "syscalls"), i, rule) {
		if (json_object_size(json_object_get(rule, "includes")) > 0 ||
		    json_object_size(json_object_get(rule, "excludes")) > 0)
			return json_fail(at,
					 "%s is a profile in docker's format ('includes' in "
					 "syscalls[%zu]); OCI's linux.seccomp is needed",
					 quoted, i);
	}
	return json_object_get(profile, "archMap")
		       ? json_fail(at,
				   "%s is a profile in docker's format ('archMap'); OCI's "
				   "linux.seccomp is needed",
				   quoted)
		       : 0;
}

static int seccomp_choose(struct short_form *s, const struct json_at *at, const char *value)
{
	json_t *l = short_section(s->doc, "linux");
	cleanup_json json_t *profile = NULL;
	cleanup_free char *path = NULL;
	int r;

	if (!l)
		return -EINVAL;
	if (str_eq(value, "unconfined")) {
		(void)json_object_del(l, "seccomp");
		return 0;
	}
	if (str_eq(value, SECCOMP_DEFAULT)) {
		profile = json_string(SECCOMP_DEFAULT);
		r = profile ? 0 : fail(ENOMEM, "make a spec");
	} else {
		r = short_path(s, at, value, &path);
		if (r == 0)
			r = json_read_at(AT_FDCWD, path, NULL, &profile);
		if (r == 0)
			r = profile_check(at, path, profile);
	}
	return r < 0 ? r : short_set(l, "seccomp", steal_ptr(&profile));
}

static int new_privileges_choose(struct short_form *s, const struct json_at *at, const char *value)
{
	json_t *process = short_section(s->doc, "process");

	if (!str_eq(value, "true") && !str_eq(value, "false"))
		return json_fail(at, "must be no-new-privileges=true or no-new-privileges=false");
	return process ? short_set(process, "noNewPrivileges", json_boolean(str_eq(value, "true")))
		       : -EINVAL;
}

static void list_remove(json_t *list, const char *text)
{
	for (size_t i = json_array_size(list); i > 0; i--) {
		const char *item = json_string_value(json_array_get(list, i - 1));

		if (item && str_eq(item, text))
			(void)json_array_remove(list, i - 1);
	}
}

/* "mask=/a:/b" hides more, "unmask=ALL" or "unmask=/a:/b" shows and frees again. */
static int paths_mask(struct short_form *s, const struct json_at *at, const char *value, bool mask)
{
	json_t *masked = short_list(s->doc, "linux.maskedPaths"),
	       *readonly = short_list(s->doc, "linux.readonlyPaths");
	cleanup_free char *copy = NULL;
	char *rest, *path, quoted[STR_QUOTE_SIZE];
	int r;

	if (!masked || !readonly)
		return -EINVAL;
	if (!mask && strcasecmp(value, "ALL") == 0) {
		(void)json_array_clear(masked);
		(void)json_array_clear(readonly);
		return 0;
	}
	r = str_copy(&copy, value);
	rest = copy;
	while (r == 0 && (path = strsep(&rest, ":"))) {
		if (*path != '/')
			return json_fail(at, "%s is not an absolute path", str_quote(quoted, path));
		list_remove(masked, path);
		if (mask)
			r = short_append(masked, json_string(path));
		else
			list_remove(readonly, path);
	}
	return r;
}

static int security_apply(struct short_form *s, const struct json_at *at, const char *option)
{
	char quoted[STR_QUOTE_SIZE];
	const char *value;

	if (str_eq(option, "no-new-privileges"))
		return new_privileges_choose(s, at, "true");
	/* docker wrote ':' first, and still takes it. */
	value = str_starts(option, "no-new-privileges");
	if (value && (*value == '=' || *value == ':'))
		return new_privileges_choose(s, at, value + 1);
	value = str_starts(option, "seccomp");
	if (value && (*value == '=' || *value == ':'))
		return seccomp_choose(s, at, value + 1);
	value = str_starts(option, "unmask=");
	if (value)
		return paths_mask(s, at, value, false);
	value = str_starts(option, "mask=");
	if (value)
		return paths_mask(s, at, value, true);
	if (str_eq(option, "systempaths=unconfined"))
		return paths_mask(s, at, "ALL", false);
	(void)str_quote(quoted, option);
	if (str_starts(option, "apparmor") || str_starts(option, "label"))
		return json_fail(at, "%s: not supported yet", quoted);
	return json_fail(at,
			 "%s is not known; seccomp=, no-new-privileges=, mask=, unmask= and "
			 "systempaths=unconfined are",
			 quoted);
}

int short_security(struct short_form *s, const struct json_at *at, json_t *v)
{
	size_t i;
	json_t *item;
	int r = short_strings_check(at, v, true);

	if (r < 0)
		return r;
	json_array_foreach(v, i, item) {
		r = security_apply(s, &(struct json_at){ .up = at, .index = i },
				   json_string_value(item));
		if (r < 0)
			return r;
	}
	return 0;
}
