/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan of a stack: from what is wanted and what was found to steps, written as one line each. */
#include <errno.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/service/stack-plan.h"
#include "runtime/service/stack.h"
#include "tests/unit/tap.h"

/* A stack "s": db, and web (2 of it) that needs it healthy; both in the default network, db with a volume. */
static const char file[] = "{ \"name\": \"s\", \"services\": { \"web\": { \"replicas\": 2, \"depends_on\": { \"db\": \"healthy\" } },"
			   " \"db\": {}, \"job\": { \"replicas\": 0, \"depends_on\": [\"db\"] } }, \"volumes\": { \"d\": null } }";

static char net[] = "s_default", vol[] = "s_d", db[] = "db", web[] = "web", db1[] = "s-db-1", web1[] = "s-web-1", web2[] = "s-web-2",
	    web3[] = "s-web-3", gone1[] = "s-gone-1", gone[] = "gone", same[] = "d", other[] = "e";
static char *nets[] = { net, NULL }, *vols[] = { vol, NULL }, *needs_db[] = { db, NULL };

#define IN_NET { .items = nets, .count = 1 }

static struct stack stack;

static const struct stack_replica wanted[] = {
	{ .id = db1, .service = 0, .number = 1, .digest = "d", .networks = IN_NET, .volumes = { .items = vols, .count = 1 }, .has_health = true },
	{ .id = web1, .service = 1, .number = 1, .digest = "d", .networks = IN_NET },
	{ .id = web2, .service = 1, .number = 2, .digest = "d", .networks = IN_NET },
};

#define RUNS(id_, service_) { .id = id_, .service = service_, .digest = same, .networks = IN_NET, .running = true }

static void stack_make(void)
{
	cleanup_json json_t *v = NULL;
	struct str_list none = { .items = NULL };

	CHECK_INT(json_parse("test", file, strlen(file), &v), 0);
	CHECK_INT(stack_read(v, "/srv", NULL, &none, &stack), 0);
	CHECK_STR(stack.services[0].name, "db");
	CHECK_STR(stack.services[1].name, "web");
	CHECK_INT(stack_select(&stack, NULL, 0, false), 0);
}

static char *plan_text(const struct stack_plan *plan)
{
	char *text = strdup("");

	for (size_t i = 0; i < plan->count; i++) {
		char *longer = NULL;
		const struct stack_step *s = &plan->steps[i];

		(void)str_format(&longer, "%s%s %s%s%s\n", text, stack_action_name(s->action), s->subject, s->why ? ": " : "", s->why ? s->why : "");
		free(text);
		text = longer;
	}
	return text;
}

static void check_up(const struct stack_container *containers, size_t count, const char *digest_of_net, struct stack_plan_options options,
		     const char *expected)
{
	cleanup_free char *text = NULL, *digest = strdup(digest_of_net ? digest_of_net : stack.networks[0].digest);
	struct stack_thing networks[] = { { .name = net, .digest = digest } }, volumes[] = { { .name = vol, .digest = same } };
	cleanup_free struct stack_container *copy = calloc(count + 1, sizeof(*copy));
	struct stack_found found = { .containers = copy, .container_count = count, .networks = networks, .volumes = volumes,
				     .network_count = count > 0, .volume_count = count > 0 };
	struct stack_plan plan = { .steps = NULL };

	if (count)
		memcpy(copy, containers, count * sizeof(*copy));
	CHECK_INT(stack_plan_up(&stack, wanted, 3, &found, &options, &plan), 0);
	text = plan_text(&plan);
	CHECK_STR(text, expected);
	stack_plan_done(&plan);
}

static const struct stack_plan_options whole = { .orphans = true };

static void test_from_nothing(void)
{
	stack_make();
	check_up(NULL, 0, NULL, whole, "make network s_default\nmake volume s_d\ncreate s-db-1\nwait for db\ncreate s-web-1\ncreate s-web-2\n");
	check_up(NULL, 0, NULL, (struct stack_plan_options){ .orphans = true, .await_all = true },
		 "make network s_default\nmake volume s_d\ncreate s-db-1\nwait for db\ncreate s-web-1\ncreate s-web-2\nwait for db\nwait for web\n");
	stack_done(&stack);
}

static void test_what_is_there_stays(void)
{
	const struct stack_container all[] = { RUNS(db1, db), RUNS(web1, web), RUNS(web2, web) };

	stack_make();
	check_up(all, 3, NULL, whole, "");
	check_up(all, 3, NULL, (struct stack_plan_options){ .recreate = true },
		 "replace s-db-1: it was asked for\nwait for db\nreplace s-web-1: it was asked for\nreplace s-web-2: it was asked for\n");
	stack_done(&stack);
}

/* Wherever the one before was killed, what is missing is done, and only that. */
static void test_a_killed_one_is_finished(void)
{
	const struct stack_container one[] = { RUNS(db1, db) };
	struct stack_container half[] = { RUNS(db1, db), RUNS(web1, web) };

	stack_make();
	check_up(one, 1, NULL, whole, "wait for db\ncreate s-web-1\ncreate s-web-2\n");
	half[1].half = true;
	half[1].running = false;
	check_up(half, 2, NULL, whole, "wait for db\nreplace s-web-1: it was left half made\ncreate s-web-2\n");
	stack_done(&stack);
}

static void test_an_edit_touches_only_its_service(void)
{
	struct stack_container all[] = { RUNS(db1, db), RUNS(web1, web), RUNS(web2, web) };

	stack_make();
	all[2].digest = other;
	check_up(all, 3, NULL, whole, "wait for db\nreplace s-web-2: its spec has changed\n");
	stack_done(&stack);
}

static void test_what_has_ended(void)
{
	struct stack_container all[] = { RUNS(db1, db), RUNS(web1, web), RUNS(web2, web) };

	stack_make();
	all[0].lost = true;
	all[1].running = false;
	all[1].complete = true;
	all[2].running = false;
	check_up(all, 3, NULL, whole, "start s-db-1: its keeper was killed\nwait for db\nstart s-web-2: it has ended\n");
	stack_done(&stack);
}

static void test_surplus_goes_first(void)
{
	const struct stack_container all[] = { RUNS(db1, db), RUNS(gone1, gone), RUNS(web1, web), RUNS(web2, web), RUNS(web3, web) };

	stack_make();
	check_up(all, 5, NULL, whole, "remove s-gone-1: its service is no longer there\nremove s-web-3: one replica less\n");
	/* not when only some services are meant */
	check_up(all, 5, NULL, (struct stack_plan_options){ .orphans = false }, "remove s-web-3: one replica less\n");
	stack_done(&stack);
}

static void test_a_changed_network_is_emptied_first(void)
{
	const struct stack_container all[] = { RUNS(db1, db), RUNS(web1, web) };

	stack_make();
	check_up(all, 2, "other", whole,
		 "remove s-db-1: its network has changed\nremove s-web-1: its network has changed\nremove network s_default: it has changed\n"
		 "make network s_default\ncreate s-db-1\nwait for db\ncreate s-web-1\ncreate s-web-2\n");
	stack_done(&stack);
}

static void test_down_ends_what_needs_others_first(void)
{
	struct stack_container all[] = { RUNS(db1, db), RUNS(web1, web), RUNS(web2, web) };
	struct stack_thing networks[] = { { .name = net } }, volumes[] = { { .name = vol } };
	const struct stack_found found = { .containers = all, .container_count = 3, .networks = networks, .network_count = 1,
					   .volumes = volumes, .volume_count = 1 };
	struct stack_plan plan = { .steps = NULL };
	cleanup_free char *text = NULL, *circle = NULL;

	all[1].needs = all[2].needs = (struct str_list){ .items = needs_db, .count = 1 };
	CHECK_INT(stack_plan_down(&found, false, &plan), 0);
	text = plan_text(&plan);
	CHECK_STR(text, "remove s-web-1\nremove s-web-2\nremove s-db-1\nremove network s_default\n");
	CHECK(plan.steps[0].group == plan.steps[1].group && plan.steps[1].group != plan.steps[2].group);
	stack_plan_done(&plan);
	/* annotations that say nonsense keep nobody from going */
	all[0].needs = (struct str_list){ .items = (char *[]){ web, NULL }, .count = 1 };
	CHECK_INT(stack_plan_down(&found, true, &plan), 0);
	circle = plan_text(&plan);
	CHECK_STR(circle, "remove s-db-1\nremove s-web-1\nremove s-web-2\nremove network s_default\nremove volume s_d\n");
	stack_plan_done(&plan);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_from_nothing), TEST(test_what_is_there_stays), TEST(test_a_killed_one_is_finished),
		TEST(test_an_edit_touches_only_its_service), TEST(test_what_has_ended), TEST(test_surplus_goes_first),
		TEST(test_a_changed_network_is_emptied_first), TEST(test_down_ends_what_needs_others_first), { 0 } });
}
