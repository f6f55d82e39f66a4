/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The annotations of a service. The health check has the form of an image's config, so that one reader serves both; its
 * times are nanoseconds there, and 0 is docker's way to say "the default".
 */
#include "runtime/spec-service.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/spec-short.h"

enum {
	INTERVAL_MS = 30000, TIMEOUT_MS = 30000, START_INTERVAL_MS = 5000, RETRIES = 3,
	FILES_MAX = 1000, RETRIES_MAX = 1000000,
};

#define NS_PER_MS   INT64_C(1000000)
#define HOUR_MS	    INT64_C(3600000)
#define TIME_MAX_MS (24 * 365 * HOUR_MS)
/* Smaller ones would be nothing but rotation: a line alone may have 16 KiB. */
#define LOG_SIZE_MIN INT64_C(4096)

static const char *const restart_names[] = { "no", "on-failure", "always", "unless-stopped" };

static const char *const log_driver_names[] = {
	[LOG_DRIVER_JSON_FILE] = "json-file", [LOG_DRIVER_JOURNALD] = "journald", [LOG_DRIVER_NONE] = "none",
};

const char *service_restart_name(enum service_restart restart)
{
	return restart_names[restart];
}

int service_restart_read(const char *text, struct service *ret)
{
	size_t n = strcspn(text, ":");
	uint64_t retries = 0;

	if (!*text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(restart_names); i++) {
		if (strlen(restart_names[i]) != n || strncmp(restart_names[i], text, n) != 0)
			continue;
		if (text[n] && (i != RESTART_ON_FAILURE || str_to_u64(text + n + 1, RETRIES_MAX, &retries) < 0))
			return -EINVAL;
		ret->restart = (enum service_restart)i;
		ret->retries = (int64_t)retries;
		return 0;
	}
	return -EINVAL;
}

int service_log_option_read(const char *name, const char *value, struct service *ret)
{
	uint64_t count = 0;
	int64_t size = 0;

	if (str_eq(name, "driver")) {
		for (size_t i = 0; i < ARRAY_SIZE(log_driver_names); i++) {
			if (str_eq(value, log_driver_names[i])) {
				ret->log_driver = (enum service_log_driver)i;
				return 0;
			}
		}
		return -EINVAL;
	}
	if (str_eq(name, "max-size")) {
		if (str_to_bytes(value, &size) < 0 || (size >= 0 && size < LOG_SIZE_MIN))
			return -EINVAL;
		ret->log_size = size < 0 ? 0 : size;
		return 0;
	}
	if (!str_eq(name, "max-file") || str_to_u64(value, FILES_MAX, &count) < 0 || count == 0)
		return -EINVAL;
	ret->log_files = (int64_t)count;
	return 0;
}

static int log_read(const char *text, struct service *ret)
{
	cleanup_free char *copy = NULL;
	char quoted[STR_QUOTE_SIZE];
	bool bounded = false;
	int r = str_copy(&copy, text);

	for (char *item = copy, *next; r == 0 && item && *item; item = next) {
		char *value = strchr(item, '=');

		next = strchr(item, ',');
		if (next)
			*next++ = '\0';
		if (!value || (next && value > next) || (*value++ = '\0', service_log_option_read(item, value, ret)) < 0)
			r = fail_plain(EINVAL, "%s is not driver=json-file, journald or none, max-size=SIZE (4k or more), or max-file=NUMBER",
				       str_quote(quoted, item));
		bounded = bounded || !str_eq(item, "driver");
	}
	if (r == 0 && bounded && ret->log_driver != LOG_DRIVER_JSON_FILE)
		r = fail_plain(EINVAL, "max-size and max-file are of the driver json-file; '%s' bounds nothing",
			       log_driver_names[ret->log_driver]);
	return r;
}

/* As the image's config has it. Source: image-spec's config.md, and docker's Healthcheck for StartInterval. */
struct check {
	struct str_list test;
	int64_t interval, timeout, start_period, start_interval, retries;
};

static int get_test(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct str_list *test = target;
	int r = json_get_strings(at, v, target, field);

	if (r < 0 || test->count == 0)
		return r;
	if (str_eq(test->items[0], "NONE") && test->count == 1)
		return 0;
	if (str_eq(test->items[0], "CMD") && test->count > 1)
		return 0;
	if (str_eq(test->items[0], "CMD-SHELL") && test->count == 2)
		return 0;
	return json_fail(at, "must be [\"NONE\"], [\"CMD\", PROGRAM, …], or [\"CMD-SHELL\", SCRIPT]");
}

#define AT(member) offsetof(struct check, member)

static int check_read(const char *text, struct check *ret)
{
	static const struct json_range times = { 0, TIME_MAX_MS * NS_PER_MS }, counts = { 0, RETRIES_MAX };
	static const struct json_field fields[] = {
		{ "Test", get_test, AT(test), 0, NULL, NULL },
		{ "Interval", json_get_int, AT(interval), 0, &times, NULL },
		{ "Timeout", json_get_int, AT(timeout), 0, &times, NULL },
		{ "StartPeriod", json_get_int, AT(start_period), 0, &times, NULL },
		{ "StartInterval", json_get_int, AT(start_interval), 0, &times, NULL },
		{ "Retries", json_get_int, AT(retries), 0, &counts, NULL },
		{ .name = NULL },
	};
	cleanup_json json_t *v = NULL;
	int r = json_parse("value", text, strlen(text), &v);

	return r < 0 ? r : json_object_read(&JSON_ROOT, v, fields, 0, ret);
}

/* A time that is too short for the clock of ours is the shortest, not none. */
static int64_t time_ms(int64_t ns, int64_t otherwise)
{
	return ns == 0 ? otherwise : ns < NS_PER_MS ? 1 : ns / NS_PER_MS;
}

static int health_take(struct service_health *h, const struct check *c)
{
	bool shell = c->test.count > 0 && str_eq(c->test.items[0], "CMD-SHELL");
	int r = 0;

	if (c->test.count == 0 || str_eq(c->test.items[0], "NONE"))
		return 0;
	if (shell)
		r = str_list_add(&h->args, "/bin/sh");
	if (shell && r == 0)
		r = str_list_add(&h->args, "-c");
	for (size_t i = 1; r == 0 && i < c->test.count; i++)
		r = str_list_add(&h->args, c->test.items[i]);
	h->set = true;
	h->interval = time_ms(c->interval, INTERVAL_MS);
	h->timeout = time_ms(c->timeout, TIMEOUT_MS);
	h->start_period = time_ms(c->start_period, 0);
	h->start_interval = time_ms(c->start_interval, START_INTERVAL_MS);
	/* During the start period it is asked at least as often as later. */
	if (h->start_interval > h->interval)
		h->start_interval = h->interval;
	h->retries = c->retries ? c->retries : RETRIES;
	return r;
}

static int health_read(const char *text, struct service_health *h)
{
	struct check check = { .interval = 0 };
	int r = check_read(text, &check);

	if (r == 0)
		r = health_take(h, &check);
	str_list_done(&check.test);
	return r;
}

static const char *find(const struct str_list *annotations, const char *name)
{
	for (size_t i = 0; i < annotations->count; i++) {
		const char *rest = str_starts(annotations->items[i], SHORT_ANNOTATION);
		const char *value = rest ? str_starts(rest, name) : NULL;

		if (value && *value == '=')
			return value + 1;
	}
	return NULL;
}

static int fail_annotation(int r, const char *name)
{
	return fail_in(r, "annotations[\"" SHORT_ANNOTATION "%s\"]", name);
}

static int read_all(const struct str_list *annotations, struct service *ret)
{
	const char *restart = find(annotations, "restart"), *log = find(annotations, "log"), *health = find(annotations, "health"),
		   *image = find(annotations, "image_health"), *init = find(annotations, "init");
	char quoted[STR_QUOTE_SIZE];
	int r = 0;

	if (restart && service_restart_read(restart, ret) < 0)
		return fail_annotation(fail_plain(EINVAL, "%s is not one of no, on-failure, on-failure:N, always, unless-stopped",
						  str_quote(quoted, restart)), "restart");
	if (log)
		r = log_read(log, ret);
	if (r < 0)
		return fail_annotation(r, "log");
	if (init && !str_eq(init, "true") && !str_eq(init, "false"))
		return fail_annotation(fail_plain(EINVAL, "%s is neither true nor false", str_quote(quoted, init)), "init");
	ret->init = init && str_eq(init, "true");
	if (health)
		r = health_read(health, &ret->health);
	else if (image && health_read(image, &ret->health) < 0)
		ret->health.odd = true;
	ret->health.own = ret->health.set && health;
	return r < 0 ? fail_annotation(r, "health") : 0;
}

int service_read(const struct str_list *annotations, struct service *ret)
{
	*ret = (struct service){ .log_size = SERVICE_LOG_SIZE, .log_files = SERVICE_LOG_FILES };
	return read_all(annotations, ret);
}

void service_done(struct service *service)
{
	str_list_done(&service->health.args);
}

const char *service_needs_keeper(const struct service *service)
{
	if (service->restart != RESTART_NO)
		return "a restart policy";
	return service->health.own ? "a health check" : NULL;
}
