/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Short keys about how a service is kept. None has a home in OCI: they live on as annotations (runtime/spec-service.h). */
#include "runtime/spec-short-internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"

int short_restart(struct short_form *s, const struct json_at *at, json_t *v)
{
	struct service judged = { .restart = RESTART_NO };
	const char *text = json_string_value(v);
	char quoted[STR_QUOTE_SIZE];

	if (!text)
		return json_fail(at, "must be a string, not %s", json_type_text(v));
	if (service_restart_read(text, &judged) < 0)
		return json_fail(at, "%s is not one of \"no\", \"on-failure\", \"on-failure:N\", \"always\", \"unless-stopped\"",
				 str_quote(quoted, text));
	return short_annotate(s->doc, "restart", text);
}

int short_init(struct short_form *s, const struct json_at *at, json_t *v)
{
	if (!json_is_boolean(v))
		return json_fail(at, "must be true or false, not %s", json_type_text(v));
	return short_annotate(s->doc, "init", json_is_true(v) ? "true" : "false");
}

/* --- log ---------------------------------------------------------------------------------------- */

/* One of the object's members as the text that it is among docker's options; what is said later counts. */
static int log_option(const struct json_at *at, const char *name, json_t *v, char **text)
{
	struct service judged = { .log_size = 0 };
	char number[24], quoted[STR_QUOTE_SIZE];
	const char *value = json_string_value(v);
	cleanup_free char *before = *text;

	*text = NULL;
	if (json_is_integer(v)) {
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		value = number;
	}
	if (!value)
		return json_fail(at, "must be a string or a number, not %s", json_type_text(v));
	if (service_log_option_read(name, value, &judged) < 0)
		return json_fail(at, "%s is not %s", str_quote(quoted, value),
				 str_eq(name, "driver") ? "\"json-file\", \"journald\" or \"none\"" :
				 str_eq(name, "max-size") ? "a size of 4k or more, or -1 for no limit" : "a number from 1 to 1000");
	return str_format(text, "%s%s%s=%s", before ? before : "", before ? "," : "", name, value);
}

int short_log(struct short_form *s, const struct json_at *at, json_t *v)
{
	static const char *const keys[] = { "driver", "max_size", "max_file" };
	static const char *const names[] = { "driver", "max-size", "max-file" };
	const char *key, *before = json_string_value(json_object_get(json_object_get(s->doc, "annotations"), SHORT_ANNOTATION "log"));
	cleanup_free char *text = NULL;
	json_t *member;
	int r = str_copy(&text, before && *before ? before : NULL);

	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, key, member) {
		const struct json_at here = { .up = at, .key = key };
		size_t i = 0;

		while (i < ARRAY_SIZE(keys) && !str_eq(keys[i], key))
			i++;
		if (i == ARRAY_SIZE(keys))
			return json_fail(&here, "is not one of driver, max_size, max_file");
		r = log_option(&here, names[i], member, &text);
		if (r < 0)
			return r;
	}
	return short_annotate(s->doc, "log", text ? text : "");
}

/* --- health -------------------------------------------------------------------------------------- */

/* A script, or words with docker's first one, or a bare command. Return: new reference, or NULL with a recorded failure. */
static json_t *test_read(const struct json_at *at, json_t *v)
{
	const char *first;
	json_t *test;

	if (json_is_string(v)) {
		if (!*json_string_value(v))
			return json_fail(at, "is empty"), NULL;
		return json_pack("[s, O]", "CMD-SHELL", v);
	}
	if (!json_is_array(v))
		return json_fail(at, "must be a string or an array of strings, not %s", json_type_text(v)), NULL;
	if (short_strings_check(at, v, false) < 0)
		return NULL;
	first = json_string_value(json_array_get(v, 0));
	if (!first)
		return json_fail(at, "is empty"), NULL;
	if (str_eq(first, "NONE") || str_eq(first, "CMD") || str_eq(first, "CMD-SHELL"))
		return json_incref(v);
	test = json_pack("[s]", "CMD");
	if (!test || json_array_extend(test, v) < 0) {
		json_decref(test);
		return fail(ENOMEM, "make a spec"), NULL;
	}
	return test;
}

static json_t *time_read(const struct json_at *at, json_t *v)
{
	char quoted[STR_QUOTE_SIZE];
	uint64_t usec = 0;

	if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= INT32_MAX)
		usec = (uint64_t)json_integer_value(v) * 1000000;
	else if (!json_is_string(v))
		return json_fail(at, "must be a time, as in \"30s\""), NULL;
	else if (str_to_usec(json_string_value(v), &usec) < 0 || usec > INT64_MAX / 1000)
		return json_fail(at, "%s is not a time; \"30s\" is", str_quote(quoted, json_string_value(v))), NULL;
	return json_integer((json_int_t)usec * 1000);
}

static json_t *count_read(const struct json_at *at, json_t *v)
{
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 1000000)
		return json_fail(at, "must be a number from 1 to 1000000"), NULL;
	return json_incref(v);
}

static const struct health_key {
	const char *key, *name;
	json_t *(*read)(const struct json_at *at, json_t *v);
} health_keys[] = {
	{ "cmd", "Test", test_read },		{ "test", "Test", test_read },
	{ "interval", "Interval", time_read },	{ "timeout", "Timeout", time_read },
	{ "retries", "Retries", count_read },	{ "start_period", "StartPeriod", time_read },
	{ "start_interval", "StartInterval", time_read },
};

/* What the image says, or the part of the document before: a check may be given in pieces. */
static json_t *health_before(struct short_form *s)
{
	json_t *annotations = json_object_get(s->doc, "annotations");
	const char *own = json_string_value(json_object_get(annotations, SHORT_ANNOTATION "health"));
	const char *image = json_string_value(json_object_get(annotations, SHORT_ANNOTATION "image_health"));
	json_t *v = own || image ? json_loads(own ? own : image, 0, NULL) : NULL;

	if (json_is_object(v))
		return v;
	json_decref(v);
	return json_object();
}

int short_health(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_json json_t *health = health_before(s);
	cleanup_free char *text = NULL;
	const char *key;
	json_t *member;
	int r = health ? 0 : fail(ENOMEM, "make a spec");

	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	json_object_foreach(v, key, member) {
		const struct json_at here = { .up = at, .key = key };
		const struct health_key *row = health_keys;
		json_t *value;

		while (row < health_keys + ARRAY_SIZE(health_keys) && !str_eq(row->key, key))
			row++;
		if (row == health_keys + ARRAY_SIZE(health_keys))
			return json_fail(&here, "is not one of cmd, test, interval, timeout, retries, start_period, start_interval");
		value = row->read(&here, member);
		if (!value)
			return -EINVAL;
		r = r == 0 ? short_set(health, row->name, value) : r;
		if (r < 0)
			return r;
	}
	if (!json_object_get(health, "Test") && !s->trial)
		return json_fail(at, "has no 'cmd', and neither has the image: what is to be run in the container?");
	text = json_dumps(health, JSON_COMPACT);
	return text ? short_annotate(s->doc, "health", text) : fail(ENOMEM, "make a spec");
}
