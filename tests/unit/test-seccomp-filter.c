/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the compiled filters do, call by call, in an interpreter: comparisons on 64 bits, how rules
 * meet, which ABI is which. test-seccomp-same.c holds them against libseccomp's.
 */
#include <errno.h>
#include <string.h>

#include <linux/audit.h>
#include <seccomp.h>

#include "runtime/base/str.h"
#include "seccomp/internal.h"
#include "tests/unit/seccomp-judge.h"
#include "tests/unit/tap.h"

/* One rule for mkdir under a default of errno 38. */
static int compile_rules(const char *rules, struct seccomp_filter *ret)
{
	cleanup_free char *text = NULL;
	int r = str_format(
		&text,
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":"
		"[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"],\"syscalls\":[%s]}",
		rules);

	return r < 0 ? r : compile(text, ret);
}

static void test_an_abi_that_is_not_listed_ends_the_process(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(
		    compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],"
			    "\"action\":\"SCMP_ACT_ERRNO\"}]}",
			    &f),
		    0))
		return;
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 0, NULL) == ALLOW);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, NULL) == ERRNO(EPERM));
	CHECK(judge(&f, AUDIT_ARCH_X86_64, X32, NULL) == SECCOMP_RET_KILL_PROCESS);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, X32 | 83, NULL) == SECCOMP_RET_KILL_PROCESS);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 0xfffffffe, NULL) == SECCOMP_RET_KILL_PROCESS);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 0xffffffff, NULL) == ALLOW);
	CHECK(judge(&f, AUDIT_ARCH_I386, 4, NULL) == SECCOMP_RET_KILL_PROCESS);
}

static bool holds(const char *op, uint64_t arg, uint64_t value, uint64_t two)
{
	if (str_eq(op, "NE"))
		return arg != value;
	if (str_eq(op, "LT"))
		return arg < value;
	if (str_eq(op, "LE"))
		return arg <= value;
	if (str_eq(op, "EQ"))
		return arg == value;
	if (str_eq(op, "GE"))
		return arg >= value;
	if (str_eq(op, "GT"))
		return arg > value;
	return (arg & value) == (two & value);
}

/* Comparisons are of all 64 bits: each value against its neighbours in both halves. */
static void test_every_operator_compares_64_bits(void)
{
	static const char *const ops[] = { "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ" };
	static const uint64_t words[] = {
		0,
		1,
		2,
		0x7fffffff,
		0x80000000,
		0xfffffffe,
		0xffffffff,
		0x100000000,
		0x100000001,
		0x1ffffffff,
		0x200000000,
		0x7fffffff00000000,
		0x7ffffffffffffffe,
		0x8000000000000000,
		0xffffffff00000000,
		UINT64_MAX,
	};

	for (size_t o = 0; o < ARRAY_SIZE(ops); o++)
		for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
			unsigned int index = (unsigned int)(i % 6);
			uint64_t two = words[(i * 7 + 3) % ARRAY_SIZE(words)], args[6] = { 0 };
			struct seccomp_arg arg = {
				.index = index, .value = words[i], .value_two = two, .op = (int)o
			};
			char *names[] = { (char[]){ "mkdir" }, NULL };
			struct seccomp_rule rule = {
				.names = { .items = names, .count = 1 },
				.action = SECCOMP_ALLOW,
				.args = &arg,
				.arg_count = 1,
			};
			struct seccomp_profile profile = {
				.default_action = SECCOMP_TRAP,
				.rules = &rule,
				.rule_count = 1,
			};
			cleanup_filter struct seccomp_filter f = { .code = NULL };

			if (!CHECK_INT(seccomp_compile(&profile, &f), 0))
				return;
			for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
				bool want = holds(ops[o], words[w], words[i], two);

				args[index] = words[w];
				tap_check((judge(&f, AUDIT_ARCH_X86_64, 83, args) == ALLOW) == want,
					  __FILE__, __LINE__, "%#llx %s %#llx (%#llx)",
					  (unsigned long long)words[w], ops[o],
					  (unsigned long long)words[i], (unsigned long long)two);
			}
		}
}

static void test_rules_meet_as_in_libseccomp(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(
		    compile_rules(
			    /* all comparisons of a rule together */
			    "{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":"
			    "\"SCMP_CMP_EQ\"},{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
			    /* any of two of the same argument */
			    "{\"names\":[\"rmdir\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":"
			    "\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
			    /* the first that holds */
			    "{\"names\":[\"creat\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":[{\"index\":0,"
			    "\"value\":5,\"op\":\"SCMP_CMP_EQ\"}]},{\"names\":[\"creat\"],\"action\":\"SCMP_ACT_LOG\","
			    "\"args\":[{\"index\":0,\"value\":9,\"op\":\"SCMP_CMP_LT\"}]},"
			    /* one without comparisons before all with, and the first of them */
			    "{\"names\":[\"link\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":1,\"op\":"
			    "\"SCMP_CMP_EQ\"}]},{\"names\":[\"link\"],\"action\":\"SCMP_ACT_TRAP\"},"
			    "{\"names\":[\"link\"],\"action\":\"SCMP_ACT_ALLOW\"},"
			    /* the default's verdict says nothing */
			    "{\"names\":[\"unlink\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
			    "{\"names\":[\"unlink\"],\"action\":\"SCMP_ACT_KILL_THREAD\"},"
			    /* a name of years to come */
			    "{\"names\":[\"frobnicate\"],\"action\":\"SCMP_ACT_ALLOW\"},"
			    "{\"names\":[\"rename\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":77}",
			    &f),
		    0))
		return;
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, (uint64_t[6]){ 1, 2 }) == ALLOW);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, (uint64_t[6]){ 1, 3 }) == ERRNO(38));
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, (uint64_t[6]){ 0, 2 }) == ERRNO(38));
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 84, 1) == ALLOW);
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 84, 2) == ALLOW);
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 84, 3) == ERRNO(38));
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 85, 5) == ERRNO(7));
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 85, 6) == SECCOMP_RET_LOG);
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 85, 9) == ERRNO(38));
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 86, 1) == SECCOMP_RET_TRAP);
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 87, 1) == SECCOMP_RET_KILL_THREAD);
	CHECK(judge1(&f, AUDIT_ARCH_X86_64, 82, 1) == (SECCOMP_RET_TRACE | 77));
	CHECK(judge1(&f, AUDIT_ARCH_I386, 39, 1) == ERRNO(38));
	CHECK(judge(&f, AUDIT_ARCH_I386, 39, (uint64_t[6]){ 1, 2 }) == ALLOW);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, X32 | 83, (uint64_t[6]){ 1, 2 }) == ALLOW);
	CHECK(f.flags == SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

static void test_a_denial_nobody_can_make_is_refused(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	CHECK(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"frobnicate\"],"
		      "\"action\":\"SCMP_ACT_ERRNO\"}]}",
		      &f) < 0);
	CHECK_HAS(fail_text(), "'frobnicate' is not known");
	/* known, only not here */
	CHECK_INT(
		compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"s390_pci_mmio_read\"],"
			"\"action\":\"SCMP_ACT_ERRNO\"}]}",
			&f),
		0);
}

/* i386's socketcall and ipc: 1 is SOCKET and SEMOP, 3 CONNECT and SEMCTL */
static void test_multiplexed_calls_are_never_judged_weaker(void)
{
	static const char socket_some[] =
		"{\"names\":[\"socket\"],\"action\":\"%s\",\"args\":[{\"index\":0,\"value\":40,"
		"\"op\":\"SCMP_CMP_%s\"}]},{\"names\":[\"connect\",\"semctl\"],\"action\":\"%s\"}";
	cleanup_filter struct seccomp_filter allow = { .code = NULL }, deny = { .code = NULL };
	cleanup_free char *rules = NULL, *text = NULL;

	CHECK_INT(str_format(&rules, socket_some, "SCMP_ACT_ALLOW", "NE", "SCMP_ACT_ALLOW"), 0);
	if (!CHECK_INT(compile_rules(rules, &allow), 0))
		return;
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 359, 2) == ALLOW);
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 359, 40) == ERRNO(38));
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 102, 1) == ERRNO(38));
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 102, 3) == ALLOW);
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 117, 3) == ALLOW);
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 117, 3 | 1 << 16) == ALLOW);
	CHECK(judge1(&allow, AUDIT_ARCH_I386, 117, 1) == ERRNO(38));

	free(rules);
	rules = NULL;
	CHECK_INT(str_format(&rules, socket_some, "SCMP_ACT_ERRNO", "EQ", "SCMP_ACT_KILL_PROCESS"),
		  0);
	CHECK_INT(
		str_format(
			&text,
			"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],"
			"\"syscalls\":[%s]}",
			rules),
		0);
	if (!CHECK_INT(compile(text, &deny), 0))
		return;
	CHECK(judge1(&deny, AUDIT_ARCH_I386, 359, 2) == ALLOW);
	CHECK(judge1(&deny, AUDIT_ARCH_I386, 359, 40) == ERRNO(EPERM));
	CHECK(judge1(&deny, AUDIT_ARCH_I386, 102, 1) == ERRNO(EPERM));
	CHECK(judge1(&deny, AUDIT_ARCH_I386, 102, 2) == ALLOW);
	CHECK(judge1(&deny, AUDIT_ARCH_I386, 117, 3 | 7 << 16) == SECCOMP_RET_KILL_PROCESS);
}

static void test_a_program_too_long_for_the_kernel_is_refused(void)
{
	struct seccomp_arg arg = { .index = 1, .op = COMPARE_EQ };
	struct seccomp_rule rules[2000];
	struct seccomp_profile profile = { .default_action = SECCOMP_ERRNO,
					   .rules = rules,
					   .rule_count = 2000 };
	char *names[] = { (char[]){ "mkdir" }, NULL };
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		rules[i] = (struct seccomp_rule){
			.names = { .items = names, .count = 1 },
			.action = SECCOMP_ALLOW,
			.args = &arg,
			.arg_count = 1,
		};
	CHECK(seccomp_compile(&profile, &f) < 0);
	CHECK_HAS(fail_text(), "4096 instructions");
	/* and one that just fits has jumps of every length */
	profile.rule_count = 1000;
	if (!CHECK_INT(seccomp_compile(&profile, &f), 0))
		return;
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, (uint64_t[6]){ 0, 0 }) == ALLOW);
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 83, (uint64_t[6]){ 0, 1 }) == ERRNO(EPERM));
	CHECK(judge(&f, AUDIT_ARCH_X86_64, 84, NULL) == ERRNO(EPERM));
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_an_abi_that_is_not_listed_ends_the_process),
					    TEST(test_every_operator_compares_64_bits),
					    TEST(test_rules_meet_as_in_libseccomp),
					    TEST(test_a_denial_nobody_can_make_is_refused),
					    TEST(test_multiplexed_calls_are_never_judged_weaker),
					    TEST(test_a_program_too_long_for_the_kernel_is_refused),
					    { 0 } });
}
