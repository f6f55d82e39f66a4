/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * linux.seccomp is read whole, and what is wrong in it is named by its path.
 */
#include <string.h>

#include <seccomp.h>

#include "runtime/base/json.h"
#include "seccomp/profile.h"
#include "tests/unit/tap.h"

#define cleanup_profile __attribute__((cleanup(seccomp_profile_free_p)))

static int parse(const char *text, struct seccomp_profile **ret)
{
	struct json_at root = JSON_ROOT, linux_at = { .up = &root, .key = "linux" };
	struct json_at at = { .up = &linux_at, .key = "seccomp" };
	cleanup_json json_t *v = NULL;
	int r = json_parse("test", text, strlen(text), &v);

	return r < 0 ? r : seccomp_profile_parse(&at, v, ret);
}

/* @text must be refused, and the message must hold @why. */
static void check_refused(const char *text, const char *why)
{
	cleanup_profile struct seccomp_profile *profile = NULL;

	CHECK(parse(text, &profile) < 0);
	CHECK(!profile);
	CHECK_HAS(fail_text(), why);
}

static void test_all_fields_are_read(void)
{
	cleanup_profile struct seccomp_profile *p = NULL;

	if (!CHECK_INT(
		    parse("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
			  "\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_S390X\",\"SCMP_ARCH_X86\"],"
			  "\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
			  "\"listenerPath\":\"/run/agent.sock\",\"listenerMetadata\":\"x=y\",\"other\":[1],"
			  "\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":40000},"
			  "{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\",\"errnoRet\":null,\"args\":["
			  "{\"index\":5,\"value\":7,\"valueTwo\":9,\"op\":\"SCMP_CMP_MASKED_EQ\"},"
			  "{\"index\":0,\"value\":18446744073709551615,\"op\":\"SCMP_CMP_LT\"}]}]}",
			  &p),
		    0))
		return;
	CHECK_INT(p->default_action, SECCOMP_ERRNO);
	CHECK(p->default_errno_set);
	CHECK_INT(p->default_errno, 38);
	CHECK_INT(p->architecture_count, seccomp_arch_native() == SCMP_ARCH_X86 ? 2 : 3);
	CHECK(p->architectures[0] == SCMP_ARCH_X86);
	CHECK(p->architectures[1] == SCMP_ARCH_S390X);
	CHECK(p->flags_set && p->flag_log && p->flag_wait_killable && !p->flag_tsync &&
	      !p->flag_spec_allow);
	CHECK_STR(p->listener_path, "/run/agent.sock");
	CHECK_STR(p->listener_metadata, "x=y");
	CHECK_INT(p->rule_count, 2);
	CHECK_INT(p->rules[0].names.count, 2);
	CHECK_STR(p->rules[0].names.items[1], "write");
	CHECK_INT(p->rules[0].action, SECCOMP_TRACE);
	CHECK_INT(p->rules[0].errno_ret, 40000);
	CHECK(!p->rules[1].errno_set);
	CHECK_INT(p->rules[1].arg_count, 2);
	CHECK_INT(p->rules[1].args[0].index, 5);
	CHECK_INT(p->rules[1].args[0].value, 7);
	CHECK_INT(p->rules[1].args[0].value_two, 9);
	CHECK_INT(p->rules[1].args[0].op, COMPARE_MASKED_EQ);
	CHECK(p->rules[1].args[1].value == UINT64_MAX);
	CHECK_INT(p->rules[1].args[1].op, COMPARE_LT);
}

static void test_the_native_architecture_is_always_there(void)
{
	cleanup_profile struct seccomp_profile *p = NULL;

	if (!CHECK_INT(parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\"}", &p), 0))
		return;
	CHECK_INT(p->architecture_count, 1);
	CHECK(p->architectures[0] == seccomp_arch_native());
	CHECK(!p->flags_set);
}

static void test_the_text_does_not_depend_on_order_or_blanks(void)
{
	cleanup_profile struct seccomp_profile *a = NULL, *b = NULL, *c = NULL;

	CHECK_INT(parse("{\"flags\":[],\"defaultAction\":\"SCMP_ACT_ALLOW\"}", &a), 0);
	CHECK_INT(parse("{ \"defaultAction\" : \"SCMP_ACT_ALLOW\", \"flags\":[ ] }", &b), 0);
	CHECK_INT(parse("{ \"defaultAction\" : \"SCMP_ACT_LOG\", \"flags\":[ ] }", &c), 0);
	if (!CHECK(a && b && c))
		return;
	CHECK(a->flags_set);
	CHECK_STR(a->text, b->text);
	CHECK(strcmp(a->text, c->text) != 0);
}

/* The cache goes by the text alone: what differs must show in it. */
static void test_different_profiles_have_different_texts(void)
{
	static const char *const rules[] = {
		"{\"names\":[\"a\",\"b\"],\"action\":\"SCMP_ACT_ALLOW\"}",
		"{\"names\":[\"b\",\"a\"],\"action\":\"SCMP_ACT_ALLOW\"}",
		"{\"names\":[\"a 1 b\"],\"action\":\"SCMP_ACT_ALLOW\"}",
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\"}",
		"{\"names\":[\"a\\n5 0,0: 1 b\"],\"action\":\"SCMP_ACT_ALLOW\"}",
		"{\"names\":[\"a\",\"b\"],\"action\":\"SCMP_ACT_TRACE\"}",
		"{\"names\":[\"a\",\"b\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":0}",
		"{\"names\":[\"a\",\"b\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":10}",
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}",
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":2,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}",
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_NE\"}]}",
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":2,\"valueTwo\":1,"
		"\"op\":\"SCMP_CMP_EQ\"}]}",
	};
	struct seccomp_profile *p[ARRAY_SIZE(rules)] = { NULL };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		cleanup_free char *text = NULL;

		CHECK_INT(str_format(&text,
				     "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[%s]}",
				     rules[i]),
			  0);
		CHECK_INT(parse(text, &p[i]), 0);
		for (size_t k = 0; k < i; k++)
			tap_check(p[i] && p[k] && !str_eq(p[i]->text, p[k]->text), __FILE__,
				  __LINE__, "%s and %s are told apart", rules[i], rules[k]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		(void)seccomp_profile_free(p[i]);
}

/* OCI: config-linux.md, Seccomp: every action, operator, architecture and flag of the text is known */
static void test_every_action_operator_architecture_and_flag_is_known(void)
{
	static const char *const good[] = {
		"\"defaultAction\":\"SCMP_ACT_KILL\"",
		"\"defaultAction\":\"SCMP_ACT_KILL_PROCESS\"",
		"\"defaultAction\":\"SCMP_ACT_KILL_THREAD\"",
		"\"defaultAction\":\"SCMP_ACT_TRAP\"",
		"\"defaultAction\":\"SCMP_ACT_TRACE\",\"defaultErrnoRet\":65535",
		"\"defaultAction\":\"SCMP_ACT_LOG\"",
		"\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4095",
		"\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X86_64\","
		"\"SCMP_ARCH_X32\",\"SCMP_ARCH_ARM\",\"SCMP_ARCH_AARCH64\",\"SCMP_ARCH_MIPS\",\"SCMP_ARCH_MIPS64\","
		"\"SCMP_ARCH_MIPS64N32\",\"SCMP_ARCH_MIPSEL\",\"SCMP_ARCH_MIPSEL64\",\"SCMP_ARCH_MIPSEL64N32\","
		"\"SCMP_ARCH_PPC\",\"SCMP_ARCH_PPC64\",\"SCMP_ARCH_PPC64LE\",\"SCMP_ARCH_S390\",\"SCMP_ARCH_S390X\","
		"\"SCMP_ARCH_PARISC\",\"SCMP_ARCH_PARISC64\",\"SCMP_ARCH_RISCV64\",\"SCMP_ARCH_LOONGARCH64\"]",
		"\"defaultAction\":\"SCMP_ACT_LOG\",\"flags\":[\"SECCOMP_FILTER_FLAG_TSYNC\",\"SECCOMP_FILTER_FLAG_LOG\","
		"\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\",\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup_profile struct seccomp_profile *p = NULL;
		cleanup_free char *text = NULL;

		CHECK_INT(str_format(&text, "{%s}", good[i]), 0);
		if (!CHECK_INT(parse(text, &p), 0))
			tap_check(false, __FILE__, __LINE__, "%s: %s", good[i], fail_text());
	}
}

#define RULE(text) \
	"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\"}," text \
	"]}"
#define ARG(text) RULE("{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[" text "]}")

/* OCI: config-linux.md, Seccomp: listenerMetadata MUST NOT be set without listenerPath */
static void test_a_wrong_profile_is_refused_by_its_path(void)
{
	check_refused("[]", "linux.seccomp: must be an object");
	check_refused("{}", "linux.seccomp.defaultAction: is required");
	check_refused("{\"defaultAction\":\"ALLOW\"}", "linux.seccomp.defaultAction: ");
	check_refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/a\"}",
		      "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
		      "linux.seccomp.defaultErrnoRet: goes only with");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096}",
		      "linux.seccomp.defaultErrnoRet: ");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}",
		      "linux.seccomp.defaultErrnoRet: ");
	check_refused(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_Z80\"]}",
		"linux.seccomp.architectures[1]: \"SCMP_ARCH_Z80\" is not one of");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":\"SCMP_ARCH_X86\"}",
		      "linux.seccomp.architectures: must be an array");
	check_refused(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]}",
		"linux.seccomp.flags[0]: ");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"flags\":[7]}",
		      "linux.seccomp.flags[0]: ");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"listenerPath\":\"agent\"}",
		      "linux.seccomp.listenerPath: ");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"listenerMetadata\":\"x\"}",
		      "linux.seccomp.listenerMetadata: must not be set");
}

/* OCI: config-linux.md, Seccomp: an action that takes no errno MUST be an error with one */
static void test_a_wrong_rule_is_refused_by_its_path(void)
{
	check_refused(RULE("{\"action\":\"SCMP_ACT_ALLOW\"}"),
		      "linux.seccomp.syscalls[1].names: is required");
	check_refused(RULE("{\"names\":[],\"action\":\"SCMP_ACT_ALLOW\"}"),
		      "linux.seccomp.syscalls[1].names: must hold");
	check_refused(RULE("{\"names\":[\"x\",\"\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
		      "linux.seccomp.syscalls[1].names[1]: ");
	check_refused(RULE("{\"names\":[\"x\"]}"), "linux.seccomp.syscalls[1].action: is required");
	check_refused(RULE("{\"names\":[\"x\"],\"action\":\"SCMP_ACT_ALLOWED\"}"),
		      "did you mean 'SCMP_ACT_ALLOW'");
	check_refused(RULE("{\"names\":[\"x\"],\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":1}"),
		      "linux.seccomp.syscalls[1].errnoRet: goes only with");
	check_refused(
		RULE("{\"names\":[\"x\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":\"EPERM\"}"),
		"linux.seccomp.syscalls[1].errnoRet: must be an integer");
	check_refused(RULE("{\"names\":[\"x\"],\"action\":\"SCMP_ACT_NOTIFY\"}"),
		      "linux.seccomp.syscalls[1].action: SCMP_ACT_NOTIFY needs 'listenerPath'");
	check_refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"listenerPath\":\"/a\",\"syscalls\":"
		      "[{\"names\":[\"sendmsg\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		      "cannot be used for 'sendmsg'");
	check_refused(ARG("{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}"),
		      "linux.seccomp.syscalls[1].args[0].index: must be from 0 to 5, not 6");
	check_refused(ARG("{\"index\":-1,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}"),
		      "linux.seccomp.syscalls[1].args[0].index: ");
	check_refused(ARG("{\"index\":1,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}"),
		      "linux.seccomp.syscalls[1].args[0].value: ");
	check_refused(ARG("{\"index\":1,\"op\":\"SCMP_CMP_EQ\"}"),
		      "linux.seccomp.syscalls[1].args[0].value: is required");
	check_refused(ARG("{\"index\":1,\"value\":1}"),
		      "linux.seccomp.syscalls[1].args[0].op: is required");
	check_refused(ARG("{\"index\":1,\"value\":1,\"op\":\"==\"}"),
		      "linux.seccomp.syscalls[1].args[0].op: ");
}

static void test_our_default_is_a_profile(void)
{
	cleanup_profile struct seccomp_profile *p = NULL;

	if (!CHECK_INT(parse(seccomp_default_json(), &p), 0))
		return;
	CHECK_INT(p->default_action, SECCOMP_ERRNO);
	CHECK_INT(p->default_errno, 38);
	CHECK(p->rule_count > 20);
}

/* It is known by a word, and its rules are read by who compiles them. */
static void test_the_default_has_a_name(void)
{
	cleanup_profile struct seccomp_profile *p = NULL, *whole = NULL;

	check_refused("{}", "linux.seccomp.defaultAction: is required");
	check_refused("[\"default\"]", "linux.seccomp: ");
	if (!CHECK_INT(seccomp_profile_builtin(&whole), 0))
		return;
	CHECK(whole->rule_count > 20 && !whole->builtin);
	cleanup_json json_t *v = json_string("default"), *odd = json_string("docker\n");
	CHECK(seccomp_profile_parse(&JSON_ROOT, odd, &p) < 0);
	CHECK_HAS(fail_text(), "must be an object, or \"default\", not \"docker\\n\"");
	if (!CHECK_INT(seccomp_profile_parse(&JSON_ROOT, v, &p), 0))
		return;
	CHECK(p->builtin && p->rule_count == 0 && strstr(p->text, "sha256 ") && strcmp(p->text, whole->text) != 0);
	CHECK_INT(seccomp_names_check(p), 0);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_all_fields_are_read),
		TEST(test_the_native_architecture_is_always_there),
		TEST(test_the_text_does_not_depend_on_order_or_blanks),
		TEST(test_different_profiles_have_different_texts),
		TEST(test_every_action_operator_architecture_and_flag_is_known),
		TEST(test_a_wrong_profile_is_refused_by_its_path),
		TEST(test_a_wrong_rule_is_refused_by_its_path),
		TEST(test_our_default_is_a_profile),
		TEST(test_the_default_has_a_name),
		{ 0 } });
}
