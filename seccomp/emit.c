/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emit - classic BPF, written from the end to the start
 *
 * A number is searched in a balanced tree of ranges that share a verdict. That makes a program of
 * some 350 instructions of our default where one comparison a number makes more than 1,000, and it
 * is loading that costs: the kernel translates the program, and tries it on every number to find
 * those that are always allowed (kernel/seccomp.c, seccomp_cache_prepare). It follows only the
 * loads of number and architecture, the jumps and returns used here; keep to those outside of
 * argument comparisons.
 */
#include <stddef.h>

#include <linux/seccomp.h>

#include "seccomp/internal.h"
#include "seccomp/profile.h"

enum {
	NEAR = 254, /* a conditional jump reaches 255; its other branch may need a step */
	RETURN_NEAR = 200,
};

static size_t put(struct seccomp_program *p, struct sock_filter instruction)
{
	if (p->count == BPF_MAXINSNS) {
		p->full = true;
		return p->count;
	}
	p->count++;
	p->code[BPF_MAXINSNS - p->count] = instruction;
	return p->count;
}

/* A label that a conditional jump written now, or after one more step, can reach. */
static size_t near(struct seccomp_program *p, size_t label)
{
	if (p->count - label <= NEAR)
		return label;
	return put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)(p->count - label)));
}

size_t seccomp_emit_return(struct seccomp_program *p, uint32_t verdict)
{
	size_t slot = SECCOMP_RETURNS;

	for (size_t i = 0; i < SECCOMP_RETURNS; i++)
		if (p->returns[i].label && p->returns[i].value == verdict)
			slot = i;
	if (slot < SECCOMP_RETURNS && p->count - p->returns[slot].label <= RETURN_NEAR)
		return p->returns[slot].label;
	if (slot == SECCOMP_RETURNS)
		slot = p->next_return++ % SECCOMP_RETURNS;
	p->returns[slot].value = verdict;
	p->returns[slot].label = put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
	return p->returns[slot].label;
}

size_t seccomp_emit_load(struct seccomp_program *p, size_t offset, size_t next)
{
	if (next != p->count)
		(void)put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							  (uint32_t)(p->count - next)));
	return put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

size_t seccomp_emit_jump(struct seccomp_program *p, uint16_t op, uint32_t value, size_t yes,
			 size_t no)
{
	yes = near(p, yes);
	no = near(p, no);
	return put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, value,
						   (uint8_t)(p->count - yes),
						   (uint8_t)(p->count - no)));
}

/* Load half of an argument and, unless all of it counts, mask it; then test. */
static size_t test_half(struct seccomp_program *p, size_t offset, uint32_t mask, uint16_t op,
			uint32_t value, size_t yes, size_t no)
{
	size_t label = seccomp_emit_jump(p, op, value, yes, no);

	if (mask != UINT32_MAX)
		label = put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	return seccomp_emit_load(p, offset, label);
}

static size_t test_equal(struct seccomp_program *p, size_t low, size_t high, uint64_t mask,
			 uint64_t value, size_t yes, size_t no)
{
	uint32_t mask_high = (uint32_t)(mask >> 32), mask_low = (uint32_t)mask;

	/* as in libseccomp, bits of the value outside the mask do not count */
	value &= mask;
	if (mask_low)
		yes = test_half(p, low, mask_low, BPF_JEQ, (uint32_t)value, yes, no);
	if (mask_high)
		yes = test_half(p, high, mask_high, BPF_JEQ, (uint32_t)(value >> 32), yes, no);
	return yes;
}

/* @op: BPF_JGT or BPF_JGE */
static size_t test_order(struct seccomp_program *p, size_t low, size_t high, uint16_t op,
			 uint64_t value, size_t yes, size_t no)
{
	uint32_t value_high = (uint32_t)(value >> 32);
	size_t same = test_half(p, low, UINT32_MAX, op, (uint32_t)value, yes, no);
	size_t differ = seccomp_emit_jump(p, BPF_JEQ, value_high, same, no);

	return test_half(p, high, UINT32_MAX, BPF_JGT, value_high, yes, differ);
}

/*
 * An argument is compared as the 64 bits that the kernel shows, whatever the ABI: i386's are
 * extended with zeros, x32's are whole registers.
 */
static size_t test_arg(struct seccomp_program *p, const struct seccomp_arg *arg, size_t yes,
		       size_t no)
{
	size_t at = offsetof(struct seccomp_data, args) + arg->index * sizeof(uint64_t);
	bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	size_t low = little ? at : at + 4, high = little ? at + 4 : at;

	switch (arg->op) {
	case COMPARE_EQ: return test_equal(p, low, high, UINT64_MAX, arg->value, yes, no);
	case COMPARE_NE: return test_equal(p, low, high, UINT64_MAX, arg->value, no, yes);
	case COMPARE_MASKED_EQ:
		return test_equal(p, low, high, arg->value, arg->value_two, yes, no);
	case COMPARE_GT: return test_order(p, low, high, BPF_JGT, arg->value, yes, no);
	case COMPARE_LE: return test_order(p, low, high, BPF_JGT, arg->value, no, yes);
	case COMPARE_GE: return test_order(p, low, high, BPF_JGE, arg->value, yes, no);
	case COMPARE_LT: return test_order(p, low, high, BPF_JGE, arg->value, no, yes);
	}
	return no;
}

static bool judged_alike(const struct seccomp_range *a, const struct seccomp_range *b)
{
	if (a->otherwise != b->otherwise || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->judgements[i].verdict != b->judgements[i].verdict ||
		    a->judgements[i].args != b->judgements[i].args ||
		    a->judgements[i].arg_count != b->judgements[i].arg_count)
			return false;
	return true;
}

/* The judgements of a range, one behind the other. */
static size_t emit_chain(struct seccomp_program *p, const struct seccomp_range *range)
{
	size_t next = seccomp_emit_return(p, range->otherwise);

	for (size_t i = range->count; i-- > 0;) {
		const struct seccomp_judgement *j = &range->judgements[i];
		size_t held = seccomp_emit_return(p, j->verdict);

		for (size_t k = j->arg_count; k-- > 0;)
			held = test_arg(p, &j->args[k], held, next);
		next = held;
	}
	return next;
}

static size_t emit_range(struct seccomp_program *p, const struct seccomp_range *range)
{
	size_t label;

	if (!range->count)
		return seccomp_emit_return(p, range->otherwise);
	for (size_t i = 0; i < p->chain_count; i++)
		if (judged_alike(p->chains[i].range, range))
			return p->chains[i].label;
	label = emit_chain(p, range);
	if (p->chain_count < SECCOMP_CHAINS) {
		p->chains[p->chain_count].range = range;
		p->chains[p->chain_count++].label = label;
	}
	return label;
}

size_t seccomp_emit_search(struct seccomp_program *p, const struct seccomp_range *ranges,
			   size_t count)
{
	size_t half = count / 2;

	if (count == 1)
		return emit_range(p, ranges);
	size_t upper = seccomp_emit_search(p, ranges + half, count - half);
	size_t lower = seccomp_emit_search(p, ranges, half);

	return seccomp_emit_jump(p, BPF_JGE, ranges[half].start, upper, lower);
}
