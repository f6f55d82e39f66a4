/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our compiler against libseccomp's: random profiles go through both, and random calls through both
 * programs. Left out is where we differ on purpose: i386's multiplexed calls under comparisons,
 * comparisons of more than 32 bits on 32-bit ABIs (libseccomp drops the upper half), one argument
 * compared twice (libseccomp refuses), and calls of ABIs not listed (process, not thread).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/audit.h>
#include <seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"
#include "seccomp/internal.h"
#include "seccomp/load.h"
#include "seccomp/profile.h"
#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

enum { PROFILES = 60, CALLS = 4000, RULES = 40, ARGS = 3, X32 = 0x40000000 };

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_to(uint32_t limit)
{
	/* xorshift: the same profiles in every run */
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

/* Few values, so that comparisons often hold. */
static uint64_t random_word(bool wide)
{
	static const uint32_t words[] = {
		0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
	};
	uint64_t word = words[random_to(ARRAY_SIZE(words))];

	return wide && random_to(3) == 0
		       ? word | (uint64_t)words[random_to(ARRAY_SIZE(words))] << 32
		       : word;
}

struct random_profile {
	struct seccomp_profile profile;
	struct seccomp_rule rules[RULES];
	struct seccomp_arg args[RULES][ARGS];
	char *names[RULES][2];
	uint32_t architectures[3];
};

static const enum seccomp_action actions[] = {
	SECCOMP_KILL_PROCESS, SECCOMP_TRAP,  SECCOMP_ERRNO,
	SECCOMP_TRACE,        SECCOMP_ALLOW, SECCOMP_LOG_IT
};

/*
 * A call's rules share an action: which of several wins is libseccomp's secret when they hold
 * together.
 */
static void make_rule(struct random_profile *p, size_t i, bool wide)
{
	uint32_t nr = random_to(456);
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);
	struct seccomp_rule *rule = &p->rules[i];
	int on_i386 = name ? seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86, name) : 0;

	if (!name)
		return make_rule(p, i, wide);
	p->names[i][0] = name;
	*rule = (struct seccomp_rule){
		.names = { .items = p->names[i], .count = 1 },
		.action = actions[nr % ARRAY_SIZE(actions)],
		.errno_set = nr & 1,
		.errno_ret = (uint16_t)(nr % 100),
		.args = p->args[i],
	};
	if (random_to(2) || (on_i386 <= -100 && on_i386 > -300))
		return;
	rule->arg_count = 1 + random_to(ARGS);
	for (size_t a = 0; a < rule->arg_count; a++)
		p->args[i][a] = (struct seccomp_arg){
			.index = (unsigned int)(2 * a + random_to(2)),
			.value = random_word(wide),
			.value_two = random_word(wide),
			.op = (enum seccomp_compare)random_to(7),
		};
}

static uint32_t scmp_action(enum seccomp_action action, bool errno_set, uint16_t errno_ret)
{
	uint32_t data = errno_set ? errno_ret : EPERM;

	switch (action) {
	case SECCOMP_KILL_PROCESS: return SCMP_ACT_KILL_PROCESS;
	case SECCOMP_KILL_THREAD: return SCMP_ACT_KILL_THREAD;
	case SECCOMP_TRAP: return SCMP_ACT_TRAP;
	case SECCOMP_ERRNO: return SCMP_ACT_ERRNO(data);
	case SECCOMP_TRACE: return SCMP_ACT_TRACE(data);
	case SECCOMP_LOG_IT: return SCMP_ACT_LOG;
	default: return SCMP_ACT_ALLOW;
	}
}

static int add_to_libseccomp(scmp_filter_ctx ctx, const struct seccomp_rule *rule,
			     uint32_t otherwise)
{
	static const enum scmp_compare ops[] = {
		[COMPARE_NE] = SCMP_CMP_NE,
		[COMPARE_LT] = SCMP_CMP_LT,
		[COMPARE_LE] = SCMP_CMP_LE,
		[COMPARE_EQ] = SCMP_CMP_EQ,
		[COMPARE_GE] = SCMP_CMP_GE,
		[COMPARE_GT] = SCMP_CMP_GT,
		[COMPARE_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};
	uint32_t action = scmp_action(rule->action, rule->errno_set, rule->errno_ret);
	struct scmp_arg_cmp compare[ARGS];

	if (action == otherwise)
		return 0;
	for (size_t i = 0; i < rule->arg_count; i++)
		compare[i] = (struct scmp_arg_cmp){
			.arg = rule->args[i].index,
			.op = ops[rule->args[i].op],
			.datum_a = rule->args[i].value,
			.datum_b = rule->args[i].value_two,
		};
	return seccomp_rule_add_array(ctx, action,
				      seccomp_syscall_resolve_name(rule->names.items[0]),
				      (unsigned int)rule->arg_count, compare);
}

/* libseccomp's program for @p into @code; its instructions are counted. */
static size_t libseccomp_compile(const struct random_profile *p, struct sock_filter *code,
				 size_t room)
{
	const struct seccomp_profile *profile = &p->profile;
	uint32_t otherwise = scmp_action(profile->default_action, profile->default_errno_set,
					 profile->default_errno);
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	cleanup_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	size_t count = 0;
	bool added = ctx && fd >= 0;

	for (size_t i = 0; added && i < profile->architecture_count; i++) {
		int r = seccomp_arch_add(ctx, profile->architectures[i]);

		added = r == 0 || r == -EEXIST;
	}
	for (size_t i = 0; added && i < profile->rule_count; i++)
		added = add_to_libseccomp(ctx, &profile->rules[i], otherwise) == 0;
	if (added && seccomp_export_bpf(ctx, fd) == 0) {
		ssize_t n = pread(fd, code, room * sizeof(*code), 0);

		count = n > 0 ? (size_t)n / sizeof(*code) : 0;
	}
	seccomp_release(ctx);
	return count;
}

static void compare_calls(const struct random_profile *p, const struct seccomp_filter *ours,
			  const struct sock_filter *theirs, size_t count, bool wide)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };

	for (int i = 0; i < CALLS; i++) {
		struct seccomp_data data = { .arch = archs[wide ? 0 : random_to(2)] };
		uint32_t a, b;

		/* half of the calls are ones that have a rule */
		if (random_to(2))
			data.nr = (int)random_to(520);
		else
			data.nr = seccomp_syscall_resolve_name_arch(
				data.arch == AUDIT_ARCH_I386 ? SCMP_ARCH_X86 : SCMP_ARCH_X86_64,
				p->names[random_to(RULES)][0]);
		if (data.nr < 0)
			continue;
		if (!wide && data.arch == AUDIT_ARCH_X86_64 && random_to(2))
			data.nr |= X32;
		for (size_t n = 0; n < 6; n++)
			data.args[n] = random_word(wide);
		a = bpf_run(ours->code, ours->size / sizeof(struct sock_filter), &data);
		b = bpf_run(theirs, count, &data);
		if (!tap_check(a == b, __FILE__, __LINE__,
			       "call %#x on %#x: ours %#x, libseccomp's %#x", (unsigned int)data.nr,
			       data.arch, a, b))
			return;
	}
}

/* @wide: x86-64 alone, with comparisons of 64 bits; else all three ABIs, with 32. */
static void compare_profiles(bool wide)
{
	static struct sock_filter theirs[BPF_MAXINSNS];

	for (int i = 0; i < PROFILES; i++) {
		struct random_profile p = { .architectures = { SCMP_ARCH_X86_64, SCMP_ARCH_X86,
							       SCMP_ARCH_X32 } };
		struct seccomp_filter ours = { .code = NULL };
		size_t count;

		for (size_t n = 0; n < RULES; n++)
			make_rule(&p, n, wide);
		p.profile = (struct seccomp_profile){
			.default_action = actions[random_to(ARRAY_SIZE(actions))],
			.architectures = p.architectures,
			.architecture_count = wide ? 1 : 3,
			.rules = p.rules,
			.rule_count = RULES,
		};
		count = libseccomp_compile(&p, theirs, ARRAY_SIZE(theirs));
		if (CHECK(count > 0) && CHECK_INT(seccomp_compile(&p.profile, &ours), 0))
			compare_calls(&p, &ours, theirs, count, wide);
		seccomp_filter_done(&ours);
		for (size_t n = 0; n < RULES; n++)
			free(p.names[n][0]);
	}
}

static void test_64_bit_comparisons_are_libseccomps(void)
{
	compare_profiles(true);
}

static void test_three_abis_are_libseccomps(void)
{
	compare_profiles(false);
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_64_bit_comparisons_are_libseccomps),
					    TEST(test_three_abis_are_libseccomps),
					    { 0 } });
}
