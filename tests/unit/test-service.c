/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a keeper is to do, as annotations and short keys say it. */
#include <errno.h>
#include <string.h>

#include "runtime/base/str.h"
#include "runtime/spec-service.h"
#include "tests/unit/tap.h"

static int read_one(const char *annotation, struct service *ret)
{
	struct str_list list = { .items = NULL };
	int r;

	(void)str_list_add(&list, "other=1");
	(void)str_list_add(&list, annotation);
	r = service_read(&list, ret);
	str_list_done(&list);
	return r;
}

static void test_nothing_said(void)
{
	struct service s;

	CHECK_INT(read_one("io.nacelle.name=x", &s), 0);
	CHECK_INT(s.restart, RESTART_NO);
	CHECK_INT(s.log_size, SERVICE_LOG_SIZE);
	CHECK_INT(s.log_files, SERVICE_LOG_FILES);
	CHECK(!s.health.set && !s.init && s.log_driver == LOG_DRIVER_JSON_FILE);
	CHECK(service_needs_keeper(&s) == NULL);
	service_done(&s);
}

static void test_restart_policies(void)
{
	static const struct {
		const char *text;
		int restart, retries;
	} cases[] = {
		{ "no", RESTART_NO, 0 }, { "on-failure", RESTART_ON_FAILURE, 0 }, { "on-failure:5", RESTART_ON_FAILURE, 5 },
		{ "always", RESTART_ALWAYS, 0 }, { "unless-stopped", RESTART_UNLESS_STOPPED, 0 },
	};
	static const char *const wrong[] = { "yes", "always:1", "on-failure:", "on-failure:-1", "on-failure:5x", "On-Failure" };
	struct service s = { .restart = RESTART_NO };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *text = NULL;

		CHECK_INT(str_format(&text, "io.nacelle.restart=%s", cases[i].text), 0);
		CHECK_INT(read_one(text, &s), 0);
		CHECK_INT(s.restart, cases[i].restart);
		CHECK_INT(s.retries, cases[i].retries);
		CHECK((service_needs_keeper(&s) != NULL) == (s.restart != RESTART_NO));
		service_done(&s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		CHECK_INT(service_restart_read(wrong[i], &s), -EINVAL);
	CHECK(read_one("io.nacelle.restart=yes", &s) < 0);
	CHECK_HAS(fail_text(), "annotations[\"io.nacelle.restart\"]: \"yes\" is not one of");
	service_done(&s);
}

static void test_logs(void)
{
	struct service s;

	CHECK_INT(read_one("io.nacelle.log=driver=json-file,max-size=64k,max-file=7", &s), 0);
	CHECK_INT(s.log_size, 65536);
	CHECK_INT(s.log_files, 7);
	service_done(&s);
	CHECK_INT(read_one("io.nacelle.log=driver=none", &s), 0);
	CHECK(s.log_driver == LOG_DRIVER_NONE);
	service_done(&s);
	CHECK_INT(read_one("io.nacelle.log=max-size=-1", &s), 0);
	CHECK_INT(s.log_size, 0);
	service_done(&s);
	for (const char *const *text = (const char *const[]){ "max-size=10", "max-file=0", "colour=red", "driver=syslog", "x", NULL }; *text; text++) {
		cleanup_free char *line = NULL;

		CHECK_INT(str_format(&line, "io.nacelle.log=%s", *text), 0);
		CHECK(read_one(line, &s) < 0);
		CHECK_HAS(fail_text(), "annotations[\"io.nacelle.log\"]");
		service_done(&s);
	}
}

static void test_health_checks(void)
{
	struct service s;

	CHECK_INT(read_one("io.nacelle.health={\"Test\":[\"CMD-SHELL\",\"a b\"],\"Interval\":1500000000,\"Retries\":5}", &s), 0);
	CHECK(s.health.set && s.health.own);
	CHECK_INT((long long)s.health.args.count, 3);
	CHECK_STR(s.health.args.items[0], "/bin/sh");
	CHECK_STR(s.health.args.items[2], "a b");
	CHECK_INT(s.health.interval, 1500);
	CHECK_INT(s.health.timeout, 30000);
	CHECK_INT(s.health.start_interval, 1500);
	CHECK_INT(s.health.retries, 5);
	CHECK_STR(service_needs_keeper(&s), "a health check");
	service_done(&s);
	/* An image's wish is none that a keeper is needed for, and one that makes no sense is no failure. */
	CHECK_INT(read_one("io.nacelle.image_health={\"Test\":[\"CMD\",\"x\"],\"Timeout\":1}", &s), 0);
	CHECK(s.health.set && !s.health.own && !service_needs_keeper(&s));
	CHECK_INT(s.health.timeout, 1);
	service_done(&s);
	CHECK_INT(read_one("io.nacelle.image_health={\"Test\":[\"RUN\",\"x\"]}", &s), 0);
	CHECK(!s.health.set && s.health.odd);
	service_done(&s);
	CHECK_INT(read_one("io.nacelle.health={\"Test\":[\"NONE\"]}", &s), 0);
	CHECK(!s.health.set);
	service_done(&s);
	for (const char *const *text = (const char *const[]){ "x", "[]", "{\"Test\":\"x\"}", "{\"Test\":[\"CMD\"]}",
							     "{\"Test\":[\"CMD\",\"x\"],\"Interval\":-1}", NULL }; *text; text++) {
		cleanup_free char *line = NULL;

		CHECK_INT(str_format(&line, "io.nacelle.health=%s", *text), 0);
		CHECK(read_one(line, &s) < 0);
		CHECK_HAS(fail_text(), "annotations[\"io.nacelle.health\"]");
		service_done(&s);
	}
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_nothing_said),
		TEST(test_restart_policies),
		TEST(test_logs),
		TEST(test_health_checks),
		{ NULL, NULL },
	});
}
