/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-carry - doing what a plan says, step by step
 *
 * A new replica in place of an old one has to become healthy, or, without a health check, to live for a while. When it does
 * not, it and those of its service that were replaced before it are put back to what they were, and that is the end.
 */

#include <stdint.h>

struct container_place;
struct stack;
struct stack_plan;
struct stack_step;
struct stack_wanted;

struct stack_carry {
	const struct container_place *place;
	const struct stack *stack;		/* NULL: nothing is made */
	const struct stack_wanted *wanted;	/* NULL: the same */
	uint64_t wait_ms;			/* how long one AWAIT may take */
	const char *stop_time;			/* seconds, for `stop`; NULL: as the spec says */
	void (*say)(const struct stack_step *step, void *data);	/* a step is done */
	void *data;
};

/* stack_carry_out() - Return: 0 or the first step's recorded failure. */
int stack_carry_out(const struct stack_carry *carry, const struct stack_plan *plan);
