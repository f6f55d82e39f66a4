/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short keys about limits, namespaces and names, and those that live on as annotations. */
#include "runtime/spec-short-internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-short.h"

static int fail_string(const struct json_at *at, const json_t *v)
{
	return json_fail(at, "must be a string, not %s", json_type_text(v));
}

int short_hostname(struct short_form *s, const struct json_at *at, json_t *v)
{
	if (!json_is_string(v))
		return fail_string(at, v);
	return short_set(s->doc, "hostname", json_incref(v));
}

int short_name(struct short_form *s, const struct json_at *at, json_t *v)
{
	const char *name = json_string_value(v);
	int r;

	if (!name)
		return fail_string(at, v);
	if (!isalnum((unsigned char)*name) ||
	    name[strspn(name,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-")])
		return json_fail(
			at,
			"must be letters, digits, '_', '.', '+' and '-', and begin with a letter "
			"or digit");
	r = short_annotate(s->doc, "name", name);
	/* 64: what the kernel takes as a host name. The key "hostname" comes later, and wins. */
	if (r < 0 || strlen(name) > 64)
		return r;
	return short_set(s->doc, "hostname", json_incref(v));
}

int short_memory(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *memory = short_section(s->doc, "linux.resources.memory");
	char quoted[STR_QUOTE_SIZE];
	int64_t bytes;

	if (!memory)
		return -EINVAL;
	if (!json_clamped(v, &bytes) && !json_is_string(v))
		return json_fail(at, "must be a size, as in \"64M\", not %s", json_type_text(v));
	if (!json_clamped(v, &bytes) && str_to_bytes(json_string_value(v), &bytes) < 0)
		return json_fail(at, "%s is not a size; \"64M\" is",
				 str_quote(quoted, json_string_value(v)));
	if (bytes < -1 || bytes == 0)
		return json_fail(at, "must be a number of bytes, or -1 for no limit");
	return short_set(memory, "limit", json_integer(bytes));
}

enum { CPU_PERIOD_US = 100000 };

int short_cpus(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *cpu = short_section(s->doc, "linux.resources.cpu");
	char *end = NULL;
	double cpus;
	int r;

	if (!cpu)
		return -EINVAL;
	if (json_is_number(v))
		cpus = json_number_value(v);
	else if (json_is_string(v) && isdigit((unsigned char)*json_string_value(v)))
		cpus = strtod(json_string_value(v), &end);
	else
		return json_fail(at, "must be a number, as in 0.5");
	if (end && *end)
		return json_fail(at, "must be a number, as in 0.5");
	/* Below a hundredth the kernel refuses the quota (1 ms); above is no machine. */
	if (!(cpus >= 0.01 && cpus <= 100000))
		return json_fail(at, "must be from 0.01 to 100000");
	r = short_set(cpu, "quota", json_integer((json_int_t)(cpus * CPU_PERIOD_US + 0.5)));
	return r < 0 ? r : short_set(cpu, "period", json_integer(CPU_PERIOD_US));
}

int short_pids(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *pids = short_section(s->doc, "linux.resources.pids");

	if (!json_is_integer(v))
		return json_fail(at, "must be an integer, not %s", json_type_text(v));
	if (json_integer_value(v) < -1 || json_integer_value(v) == 0)
		return json_fail(at, "must be at least 1, or -1 for no limit");
	return pids ? short_set(pids, "limit", json_incref(v)) : -EINVAL;
}

int short_sysctl(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *sysctls = short_section(s->doc, "linux.sysctl"), *value;
	const char *key;

	if (!sysctls)
		return -EINVAL;
	if (!json_is_object(v))
		return json_fail(at, "must be an object of strings, not %s", json_type_text(v));
	json_object_foreach(v, key, value) {
		const struct json_at item_at = { .up = at, .key = key };
		uint64_t wide;
		int r;

		if (json_is_wide(value, &wide))
			r = short_set(sysctls, key, json_sprintf("%" PRIu64, wide));
		else if (json_is_integer(value))
			r = short_set(
				sysctls, key,
				json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value)));
		else if (json_is_string(value))
			r = short_set(sysctls, key, json_incref(value));
		else
			r = json_fail(&item_at, "must be a string, not %s", json_type_text(value));
		if (r < 0)
			return r;
	}
	return 0;
}

static int label_put(struct short_form *s, const struct json_at *at, const char *key,
		     const char *value)
{
	cleanup_free char *name = NULL;
	int r;

	if (!*key || strchr(key, '='))
		return json_fail(at, "is not the name of a label");
	r = str_format(&name, "label.%s", key);
	return r < 0 ? r : short_annotate(s->doc, name, value);
}

int short_labels(struct short_form *s, const struct json_at *at, json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;
	int r;

	if (!json_is_object(v)) {
		if (!json_is_array(v))
			return json_fail(at, "must be an object or an array of strings, not %s",
					 json_type_text(v));
		r = short_strings_check(at, v, true);
		if (r < 0)
			return r;
	}
	json_object_foreach(v, key, item) {
		const struct json_at item_at = { .up = at, .key = key };

		if (!json_is_string(item))
			return fail_string(&item_at, item);
		r = label_put(s, &item_at, key, json_string_value(item));
		if (r < 0)
			return r;
	}
	json_array_foreach(v, i, item) {
		const struct json_at item_at = { .up = at, .index = i };
		cleanup_free char *name = NULL;
		char *equals;

		r = str_copy(&name, json_string_value(item));
		if (r < 0)
			return r;
		equals = strchr(name, '=');
		if (equals)
			*equals++ = '\0';
		r = label_put(s, &item_at, name, equals ? equals : "");
		if (r < 0)
			return r;
	}
	return 0;
}

int short_stop_signal(struct short_form *s, const struct json_at *at, json_t *v)
{
	char quoted[STR_QUOTE_SIZE], number[24];
	const char *name = json_string_value(v);

	if (json_is_integer(v)) {
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			       json_integer_value(v));
		name = number;
	}
	if (!name)
		return fail_string(at, v);
	if (str_signal(name) < 0)
		return json_fail(at, "%s is not a signal", str_quote(quoted, name));
	return short_annotate(s->doc, "stop_signal", name);
}

int short_stop_timeout(struct short_form *s, const struct json_at *at, json_t *v)
{
	char quoted[STR_QUOTE_SIZE], text[24];
	uint64_t usec = 0;

	if (json_is_integer(v)) {
		if (json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
			return json_fail(at, "must be from 0 to %d seconds", INT32_MAX);
		usec = (uint64_t)json_integer_value(v) * 1000000;
	} else if (!json_is_string(v)) {
		return json_fail(at, "must be seconds, not %s", json_type_text(v));
	} else if (str_to_usec(json_string_value(v), &usec) < 0) {
		return json_fail(at, "%s is not a time; 10 and \"1m30s\" are",
				 str_quote(quoted, json_string_value(v)));
	}
	/* Whole seconds, and never less than was asked for. */
	(void)snprintf(text, sizeof(text), "%" PRIu64, usec / 1000000 + (usec % 1000000 != 0));
	return short_annotate(s->doc, "stop_timeout", text);
}

int short_vm_kernel(struct short_form *s)
{
	const struct json_at vm = { .up = &JSON_ROOT, .key = "vm" }, kernel = { .up = &vm, .key = "kernel" };
	const struct json_at at = { .up = &kernel, .key = "path" };
	json_t *section = json_object_get(json_object_get(s->doc, "vm"), "kernel"), *v = json_object_get(section, "path");
	cleanup_free char *path = NULL;
	int r;

	if (!json_is_string(v) || *json_string_value(v) == '/' || !*json_string_value(v))
		return 0;
	r = short_path(s, &at, json_string_value(v), &path);
	return r < 0 ? r : short_set(section, "path", json_string(path));
}

/* A flag's `true` keeps what the document's section says of the machine. */
int short_vm(struct short_form *s, const struct json_at *at, json_t *v)
{
	if (!json_is_boolean(v))
		return json_fail(at, "must be true or false, or OCI's object, not %s", json_type_text(v));
	if (json_is_false(v)) {
		(void)json_object_del(s->doc, "vm");
		return 0;
	}
	return json_object_get(s->doc, "vm") ? 0 : short_set(s->doc, "vm", json_object());
}
