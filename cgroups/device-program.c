/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device rules as a program of eBPF. The kernel asks it "may this access to this device be?". Rules
 * are judged from the last to the first, each bit of read, write and mknod by itself: a rule that
 * allows takes its bits out of what is still asked, and when nothing is left the access may be; a
 * rule that denies one of the bits still asked ends it. What no rule allows is denied.
 *
 * The program has two sections, for character and for block devices, so that a rule need not look
 * at the type; a usual rule is then one instruction, "if it is this device, go to the answer". What
 * is compared beyond that goes through a copy, which keeps the verifier from following every rule's
 * outcome on its own. Source: linux/bpf.h, struct bpf_cgroup_dev_ctx; linux/kdev_t.h (12 bits of
 * major, 20 of minor).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>

#include "cgroups/internal.h"
#include "cgroups/limits.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum {
	ALL_ACCESS = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD,
	INSNS_A_RULE = 2 * 5, /* in both sections */
	INSNS_AROUND = 10 + 2 * 6,
	RULES_MAX = 4096, /* keeps every jump within its 16 bits */
	MINOR_BITS = 20,
	MAJOR_MOST = 0xfff,
	MINOR_MOST = 0xfffff,
};

/* What registers hold; r0 is the answer, and the copy that is compared before that. */
enum {
	TYPE = BPF_REG_2,
	ASKED = BPF_REG_3, /* bits of access that no rule has allowed yet */
	DEVICE = BPF_REG_4, /* major and minor in 32 bits */
	MAJOR = BPF_REG_5,
	MINOR = BPF_REG_6,
};

/* Distances that are filled in at the end of a section. */
enum { TO_ALLOW = -1, TO_DENY = -2 };

#define RWM .allow = true, .read = true, .write = true, .mknod = true

/*
 * What every container may use. /dev/pts/N is 136:N, and so is a container's /dev/console; 5:1 would be the machine's.
 * Making a node of any device is allowed since a node alone gives nothing: opening it is judged again.
 */
static const struct cgroup_device_rule defaults[] = {
	{ .allow = true, .type = 'c', .major = -1, .minor = -1, .mknod = true },
	{ .allow = true, .type = 'b', .major = -1, .minor = -1, .mknod = true },
	{ RWM, .type = 'c', .major = 1, .minor = 3 }, /* null */
	{ RWM, .type = 'c', .major = 1, .minor = 5 }, /* zero */
	{ RWM, .type = 'c', .major = 1, .minor = 7 }, /* full */
	{ RWM, .type = 'c', .major = 1, .minor = 8 }, /* random */
	{ RWM, .type = 'c', .major = 1, .minor = 9 }, /* urandom */
	{ RWM, .type = 'c', .major = 5, .minor = 0 }, /* tty */
	{ RWM, .type = 'c', .major = 5, .minor = 2 }, /* ptmx */
	{ RWM, .type = 'c', .major = 136, .minor = -1 }, /* pts */
};

struct program {
	struct bpf_insn *insns;
	size_t count;
	bool closed; /* the last rule matched everything: what follows could never run */
};

static void emit(struct program *program, uint8_t code, int reg, int16_t off, int32_t imm)
{
	program->insns[program->count++] = (struct bpf_insn){
		.code = code, .dst_reg = (uint8_t)reg & 0xf, .off = off, .imm = imm
	};
}

static void emit_copy(struct program *program, int to, int from)
{
	emit(program, BPF_ALU | BPF_MOV | BPF_X, to, 0, 0);
	program->insns[program->count - 1].src_reg = (uint8_t)from & 0xf;
}

static void emit_load(struct program *program, int to, size_t offset)
{
	emit(program, BPF_LDX | BPF_MEM | BPF_W, to, (int16_t)offset, 0);
	program->insns[program->count - 1].src_reg = BPF_REG_1;
}

static void emit_answer(struct program *program, bool allow)
{
	emit(program, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, allow);
	emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0);
}

/* Return: the register that tells whether the rule is about the device, -1 when it is about all. */
static int what_to_compare(const struct cgroup_device_rule *rule, int32_t *ret_value)
{
	if (rule->major >= 0 && rule->minor >= 0) {
		*ret_value = (int32_t)((uint32_t)rule->major << MINOR_BITS | (uint32_t)rule->minor);
		return DEVICE;
	}
	*ret_value = (int32_t)(rule->major >= 0 ? rule->major : rule->minor);
	return rule->major >= 0 ? MAJOR : rule->minor >= 0 ? MINOR : -1;
}

static void emit_rule(struct program *program, const struct cgroup_device_rule *rule, char section)
{
	int32_t access = (rule->read ? BPF_DEVCG_ACC_READ : 0) |
			 (rule->write ? BPF_DEVCG_ACC_WRITE : 0) |
			 (rule->mknod ? BPF_DEVCG_ACC_MKNOD : 0);
	int16_t answer = rule->allow ? TO_ALLOW : TO_DENY;
	int32_t value;
	int reg;

	if (program->closed || !access || (rule->type != 'a' && rule->type != section) ||
	    rule->major > MAJOR_MOST || rule->minor > MINOR_MOST) /* no device has such a number */
		return;
	reg = what_to_compare(rule, &value);
	if (access == ALL_ACCESS && reg < 0) {
		emit_answer(program, rule->allow);
		program->closed = true;
		return;
	}
	if (access == ALL_ACCESS) {
		emit(program, BPF_JMP32 | BPF_JEQ | BPF_K, reg, answer, value);
		return;
	}
	if (reg >= 0) {
		emit_copy(program, BPF_REG_0, reg);
		emit(program, BPF_ALU | BPF_XOR | BPF_K, BPF_REG_0, 0, value);
		emit(program, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, rule->allow ? 2 : 1, 0);
	}
	if (rule->allow)
		emit(program, BPF_ALU | BPF_AND | BPF_K, ASKED, 0, ALL_ACCESS & ~access);
	emit(program, BPF_JMP | (rule->allow ? BPF_JEQ : BPF_JSET) | BPF_K, ASKED, answer,
	     rule->allow ? 0 : access);
}

static void emit_start(struct program *program)
{
	emit_load(program, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit_copy(program, ASKED, TYPE);
	emit(program, BPF_ALU | BPF_RSH | BPF_K, ASKED, 0, 16);
	emit(program, BPF_ALU | BPF_AND | BPF_K, TYPE, 0, 0xffff);
	emit_load(program, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(program, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit_copy(program, DEVICE, MAJOR);
	emit(program, BPF_ALU | BPF_LSH | BPF_K, DEVICE, 0, MINOR_BITS);
	emit(program, BPF_ALU | BPF_OR | BPF_X, DEVICE, 0, 0);
	program->insns[program->count - 1].src_reg = MINOR;
}

/*
 * Lets the jumps of a section from @start on that have the mark @to lead here. Return: whether
 * there is one.
 */
static bool jumps_land(struct program *program, size_t start, int16_t to)
{
	bool any = false;

	for (size_t i = start; i < program->count; i++) {
		if (program->insns[i].off != to)
			continue;
		program->insns[i].off = (int16_t)(program->count - i - 1);
		any = true;
	}
	return any;
}

/*
 * How many of the spec's rules stand in front of the defaults: all up to the last that denies
 * devices without naming a major number, which is how a list begins ("deny all, then allow…").
 * Behind the defaults, so stronger than they, stays what speaks of certain devices: such a denial
 * is meant.
 */
static size_t rules_before_defaults(const struct cgroup_limits *limits)
{
	size_t count = limits->device_count;

	while (count > 0 &&
	       (limits->devices[count - 1].allow || limits->devices[count - 1].major >= 0))
		count--;
	return count;
}

static void emit_section(struct program *program, const struct cgroup_limits *limits, char section)
{
	size_t before = rules_before_defaults(limits), start = program->count;

	program->closed = false;
	for (size_t i = limits->device_count; i > before; i--)
		emit_rule(program, &limits->devices[i - 1], section);
	for (size_t i = ARRAY_SIZE(defaults); i > 0; i--)
		emit_rule(program, &defaults[i - 1], section);
	for (size_t i = before; i > 0; i--)
		emit_rule(program, &limits->devices[i - 1], section);
	/* An answer that nothing leads to would be refused by the verifier. */
	if (jumps_land(program, start, TO_DENY) || !program->closed)
		emit_answer(program, false);
	if (jumps_land(program, start, TO_ALLOW))
		emit_answer(program, true);
}

int cgroup_devices_compile(const struct cgroup_limits *limits, struct bpf_insn **ret_program,
			   size_t *ret_count)
{
	size_t rules = limits->device_count + ARRAY_SIZE(defaults), branch;
	struct program program = { .count = 0 };

	if (limits->device_count > RULES_MAX)
		return fail_plain(E2BIG, "linux.resources.devices: %zu rules are more than %d",
				  limits->device_count, RULES_MAX);
	program.insns = calloc(rules * INSNS_A_RULE + INSNS_AROUND, sizeof(struct bpf_insn));
	if (!program.insns)
		return fail(ENOMEM, "linux.resources.devices");
	emit_start(&program);
	branch = program.count;
	emit(&program, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, BPF_DEVCG_DEV_CHAR);
	emit_section(&program, limits, 'c');
	program.insns[branch].off = (int16_t)(program.count - branch - 1);
	emit_section(&program, limits, 'b');
	*ret_program = program.insns;
	*ret_count = program.count;
	return 0;
}
