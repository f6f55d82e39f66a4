/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Docker's options about a container's log and health check: several of them make one key of the short form. */
#include <errno.h>
#include <string.h>

#include "cmd/nacelle/run.h"
#include "runtime/base/json.h"

static int set(json_t *v, const char *key, json_t *value)
{
	if (!value)
		return fail_plain(EILSEQ, "%s: is not UTF-8", key);
	return json_object_set_new(v, key, value) < 0 ? fail(ENOMEM, "read the options") : 0;
}

static int set_text(json_t *v, const char *key, const char *text)
{
	return text ? set(v, key, json_string(text)) : 0;
}

/* "max-size=10m": docker's names of what the short form calls max_size. */
static int log_option(json_t *log, const char *text)
{
	static const char *const names[][2] = { { "max-size=", "max_size" }, { "max-file=", "max_file" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = str_starts(text, names[i][0]);

		if (value)
			return set(log, names[i][1], json_string(value));
	}
	return fail_plain(EINVAL, "--log-opt: '%s' is not max-size=SIZE or max-file=NUMBER", text);
}

static int log_put(const struct run_options *o, json_t *v)
{
	json_t *log = json_object();
	int r = log ? set_text(log, "driver", o->log_driver) : fail(ENOMEM, "read the options");

	for (size_t i = 0; r == 0 && i < o->log_options.count; i++)
		r = log_option(log, o->log_options.items[i]);
	if (r == 0 && json_object_size(log) > 0)
		return set(v, "log", log);
	json_decref(log);
	return r;
}

static int health_put(const struct run_options *o, json_t *v)
{
	json_t *health = json_object();
	int r = health ? set_text(health, "cmd", o->health_cmd) : fail(ENOMEM, "read the options");

	if (r == 0)
		r = set_text(health, "interval", o->health_interval);
	if (r == 0)
		r = set_text(health, "timeout", o->health_timeout);
	if (r == 0)
		r = set_text(health, "start_period", o->health_start_period);
	if (r == 0)
		r = set_text(health, "start_interval", o->health_start_interval);
	if (r == 0 && o->health_retries != UINT64_MAX)
		r = set(health, "retries", json_integer((json_int_t)o->health_retries));
	if (r == 0 && o->no_health && json_object_size(health) > 0)
		r = fail_plain(EINVAL, "--no-healthcheck and options of a health check are given");
	if (r == 0 && o->no_health)
		r = set(health, "test", json_pack("[s]", "NONE"));
	if (r == 0 && json_object_size(health) > 0)
		return set(v, "health", health);
	json_decref(health);
	return r;
}

int run_service_overrides(const struct run_options *o, json_t *v)
{
	int r = log_put(o, v);

	return r < 0 ? r : health_put(o, v);
}
