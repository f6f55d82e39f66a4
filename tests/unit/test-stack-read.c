/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stack files: what is understood, what is refused and in which words, the order of services, variables, paths. */
#include <errno.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/service/stack.h"
#include "tests/unit/tap.h"

static int read_text(const char *text, struct stack *ret)
{
	cleanup_json json_t *v = NULL;
	struct str_list none = { .items = NULL };

	*ret = (struct stack){ .name = NULL };
	return json_parse("test", text, strlen(text), &v) < 0 ? -EINVAL : stack_read(v, "/srv/My_Stack", NULL, &none, ret);
}

static void check_refused(const char *text, const char *message)
{
	struct stack s;

	CHECK(read_text(text, &s) < 0);
	CHECK_STR(fail_text(), message);
	stack_done(&s);
}

static void test_defaults(void)
{
	struct stack s;

	CHECK_INT(read_text("{ \"services\": { \"web\": { \"image\": \"x\" } } }", &s), 0);
	CHECK_STR(s.name, "my-stack");
	CHECK_INT(s.service_count, 1);
	CHECK_INT(s.services[0].replicas, 1);
	CHECK_INT(s.services[0].update.timeout_ms, 60000);
	CHECK_INT(s.services[0].update.watch_ms, 1000);
	CHECK(s.services[0].active && !s.services[0].base);
	/* the network that nobody has to name */
	CHECK_INT(s.network_count, 1);
	CHECK_STR(s.networks[0].real, "my-stack_default");
	stack_done(&s);
}

static void test_all_keys(void)
{
	struct stack s;
	int r = read_text("{ \"name\": \"a\", \"services\": { \"web\": { \"spec\": \"web.json\", \"replicas\": \"3\", \"env\": {\"A\": \"b\"},"
			  " \"profiles\": [\"debug\"], \"configs\": [{ \"source\": \"c\", \"target\": \"/etc/c\", \"mode\": \"0440\", \"uid\": 5 }],"
			  " \"secrets\": [\"s\"], \"depends_on\": { \"db\": \"healthy\" }, \"update\": { \"timeout\": \"2m\", \"watch\": 0 } },"
			  " \"db\": { \"args\": [\"x\"] } }, \"networks\": { \"front\": { \"subnets\": [\"10.0.0.0/24\"] }, \"old\": { \"external\": true } },"
			  " \"volumes\": { \"d\": null, \"e\": { \"name\": \"E\" } }, \"configs\": { \"c\": { \"file\": \"c.conf\" } },"
			  " \"secrets\": { \"s\": { \"environment\": \"S\" } } }", &s);
	const struct stack_service *web;

	CHECK_INT(r, 0);
	CHECK_STR(s.services[0].name, "db");
	web = &s.services[1];
	CHECK_STR(web->base, "/srv/My_Stack/web.json");
	CHECK_INT(web->replicas, 3);
	CHECK(!web->active);
	CHECK_INT(web->needs[0].index, 0);
	CHECK_INT(web->needs[0].condition, STACK_HEALTHY);
	CHECK_INT(web->update.timeout_ms, 120000);
	CHECK_INT(web->update.watch_ms, 0);
	CHECK_INT(web->use_count, 2);
	CHECK_STR(web->uses[0].target, "/etc/c");
	CHECK_INT(web->uses[0].mode, 0440);
	CHECK_INT(web->uses[0].uid, 5);
	CHECK_STR(web->uses[1].target, "/run/secrets/s");
	CHECK(s.files[web->uses[1].file].secret);
	/* what is no key of the stack's is the spec's */
	CHECK_INT(json_object_size(web->spec), 1);
	CHECK_STR(stack_network_find(&s, "front")->real, "a_front");
	CHECK_STR(stack_network_find(&s, "old")->real, "old");
	CHECK_STR(stack_volume_find(&s, "d")->real, "a_d");
	CHECK_STR(stack_volume_find(&s, "e")->real, "E");
	stack_done(&s);
}

static void test_refusals_name_the_place(void)
{
	check_refused("{ }", "services: is required");
	check_refused("{ \"servces\": {}, \"services\": {} }", "servces: is not known: did you mean 'services'?");
	check_refused("{ \"services\": { \"a\": 1 } }", "services.a: must be an object, not an integer");
	check_refused("{ \"services\": { \"a_b\": {} } }",
		      "services.a_b: the name of a service is letters, digits and '-' within, at most 63");
	check_refused("{ \"services\": { \"a\": { \"replica\": 2 } } }", "services.a.replica: is not known: did you mean 'replicas'?");
	check_refused("{ \"services\": { \"a\": { \"name\": \"x\" } } }", "services.a.name: a replica's name is made up: STACK-SERVICE-N");
	check_refused("{ \"services\": { \"a\": { \"replicas\": -1 } } }", "services.a.replicas: must be from 0 to 1000");
	check_refused("{ \"services\": { \"a\": { \"depends_on\": [\"b\"] } } }", "services.a.depends_on: \"b\" is no service of the stack");
	check_refused("{ \"services\": { \"a\": { \"depends_on\": { \"b\": \"fine\" } } } }",
		      "services.a.depends_on.b: \"fine\" is not one of \"started\", \"healthy\", \"completed\"");
	check_refused("{ \"services\": { \"a\": { \"update\": { \"time\": 1 } } } }", "services.a.update.time: is not known");
	check_refused("{ \"services\": { \"a\": { \"configs\": [\"c\"] } } }", "services.a.configs: \"c\" is not among the stack's 'configs'");
	check_refused("{ \"services\": {}, \"configs\": { \"c\": {} } }",
		      "configs.c: says where it comes from by one of 'file', 'content', 'environment'");
	check_refused("{ \"services\": {}, \"secrets\": { \"c\": { \"file\": \"a\", \"content\": \"b\" } } }",
		      "secrets.c: says where it comes from by one of 'file', 'content', 'environment'");
	check_refused("{ \"services\": {}, \"volumes\": { \"v\": { \"driver\": \"nfs\" } } }", "volumes.v.driver: is not known");
	check_refused("{ \"name\": \"-a\", \"services\": {} }", "\"-a\" is not the name of a stack: letters, digits and '-' within, at most 63 "
		      "(say 'name' in the file, or --name)");
}

static void test_circles_are_refused(void)
{
	check_refused("{ \"services\": { \"a\": { \"depends_on\": [\"a\"] } } }",
		      "depends_on: the services need each other in a circle: 'a' needs 'a'");
	check_refused("{ \"services\": { \"x\": { \"depends_on\": [\"a\"] }, \"a\": { \"depends_on\": [\"b\"] }, \"b\": { \"depends_on\": [\"c\"] },"
		      " \"c\": { \"depends_on\": [\"a\"] } } }",
		      "depends_on: the services need each other in a circle: 'a' needs 'b' needs 'c' needs 'a'");
}

static void test_services_stand_behind_what_they_need(void)
{
	struct stack s;

	CHECK_INT(read_text("{ \"services\": { \"a\": { \"depends_on\": [\"d\", \"b\"] }, \"b\": { \"depends_on\": [\"c\"] }, \"c\": {},"
			    " \"d\": { \"depends_on\": [\"c\"] } } }", &s), 0);
	CHECK_STR(s.services[0].name, "c");
	CHECK_STR(s.services[1].name, "d");
	CHECK_STR(s.services[2].name, "b");
	CHECK_STR(s.services[3].name, "a");
	CHECK_INT(s.services[3].needs[0].index, 1);
	stack_done(&s);
}

static void test_a_command_chooses_services_and_what_they_need(void)
{
	static char b[] = "b", wrong[] = "bb", debug[] = "debug";
	struct stack s;

	CHECK_INT(read_text("{ \"services\": { \"a\": {}, \"b\": { \"depends_on\": [\"c\"] }, \"c\": {},"
			    " \"debug\": { \"profiles\": [\"p\"], \"depends_on\": [\"a\"] } } }", &s), 0);
	CHECK_INT(stack_select(&s, (char *[]){ b }, 1, false), 0);
	CHECK(stack_service_find(&s, "b")->selected && stack_service_find(&s, "c")->selected && !stack_service_find(&s, "a")->selected);
	CHECK(stack_select(&s, (char *[]){ wrong }, 1, false) < 0);
	CHECK_STR(fail_text(), "stack 'my-stack' has no service \"bb\", did you mean 'b'?");
	stack_done(&s);

	CHECK_INT(read_text("{ \"services\": { \"a\": { \"depends_on\": [\"debug\"] }, \"debug\": { \"profiles\": [\"p\"] } } }", &s), 0);
	CHECK(stack_select(&s, NULL, 0, false) < 0);
	CHECK_STR(fail_text(), "service 'a' needs 'debug', which is there only with a profile ('--profile p')");
	CHECK_INT(stack_select(&s, (char *[]){ debug }, 1, false), 0);
	CHECK(stack_service_find(&s, "debug")->selected);
	stack_done(&s);
}

static void check_vars(const char *from, const char *to)
{
	static char a[] = "A=1", empty[] = "E=", quote[] = "Q=\"}${A}";
	struct str_list env = { .items = (char *[]){ a, empty, quote, NULL }, .count = 3 };
	cleanup_json json_t *v = json_pack("[s]", from), *got = NULL;

	if (stack_vars_replace(&JSON_ROOT, v, &env, &got) < 0)
		CHECK_STR(fail_text(), to);
	else
		CHECK_STR(json_string_value(json_array_get(got, 0)), to);
}

static void test_variables(void)
{
	check_vars("x${A}y${A}", "x1y1");
	check_vars("${N:-${A}z}", "1z");
	check_vars("[${E}] [${E:-d}] [${E-d}]", "[] [d] []");
	check_vars("[${A:+s}] [${E:+s}] [${E+s}] [${N+s}]", "[s] [] [s] []");
	/* a value is never read again */
	check_vars("${Q}", "\"}${A}");
	/* what a shell is to see */
	check_vars("$A $$ $(x) $${A} a$", "$A $$ $(x) ${A} a$");
	check_vars("${N}", "[0]: the variable 'N' is not set (${N:-TEXT} gives it a default)");
	check_vars("${N?say it}", "[0]: the variable 'N' is not set: say it");
	check_vars("${E:?}", "[0]: the variable 'E' is empty");
	check_vars("${A", "[0]: '${' without its '}' ('$${' is a plain '${')");
	check_vars("${}", "[0]: '${' must be followed by the name of a variable ('$${' is a plain '${')");
	check_vars("${1}", "[0]: '${' must be followed by the name of a variable ('$${' is a plain '${')");
	check_vars("${A%x}", "[0]: in '${A' only :- - :? ? :+ + may stand behind the name ('$${' is a plain '${')");
	check_vars("${A:}", "[0]: in '${A' only :- - :? ? :+ + may stand behind the name ('$${' is a plain '${')");
}

static void test_relative_paths_count_from_the_folder(void)
{
	cleanup_json json_t *v = json_pack("{s:[sss], s:s, s:[ssss], s:[ss], s:s}", "layers", "./a", "/b", "../c", "env_file", "./e", "volumes",
					   "./d:/d:ro", "data:/x", "/abs:/y", "/z", "security", "seccomp=./f", "seccomp=unconfined", "upper",
					   "tmpfs");
	cleanup_free char *text = NULL;

	CHECK_INT(stack_paths_absolute(v, "/srv"), 0);
	text = json_text(v);
	CHECK_STR(text, "{\"layers\":[\"/srv/a\",\"/b\",\"/srv/../c\"],\"env_file\":\"/srv/e\",\"volumes\":[\"/srv/d:/d:ro\",\"data:/x\","
			"\"/abs:/y\",\"/z\"],\"security\":[\"seccomp=/srv/f\",\"seccomp=unconfined\"],\"upper\":\"tmpfs\"}");
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_defaults), TEST(test_all_keys), TEST(test_refusals_name_the_place), TEST(test_circles_are_refused),
		TEST(test_services_stand_behind_what_they_need), TEST(test_a_command_chooses_services_and_what_they_need),
		TEST(test_variables), TEST(test_relative_paths_count_from_the_folder), { 0 } });
}
