/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-found - what there is of a stack: its containers by their annotations, its networks and volumes by their labels
 */

#include "runtime/service/stack-plan.h"

struct container_info;
struct container_place;

/* stack_annotation() - value of a container's annotation SHORT_ANNOTATION@key, or NULL. Points into @info. */
const char *stack_annotation(const struct container_info *info, const char *key);

/*
 * stack_found_read() - all of a stack
 * @ret: sorted by service and number; stack_found_done() it, after a failure too
 *
 * Return: 0 or a recorded failure.
 */
int stack_found_read(const struct container_place *place, const char *name, struct stack_found *ret);
void stack_found_done(struct stack_found *found);

/* stack_container_read() - what matters of one. @ret: stack_container_done() it, after a failure too. Return: 0 or a recorded failure. */
int stack_container_read(const struct container_info *info, struct stack_container *ret);
void stack_container_done(struct stack_container *c);
