/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-spec - the specs of a stack's replicas, and what their configs and secrets hold
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container_place;
struct stack;
struct stack_replica;

/* A file that replicas mount; its name tells all of it, so that an edited one is another. */
struct stack_content {
	char *name;
	char *data;
	size_t size;
	uint32_t uid, gid, mode;
};

struct stack_wanted {
	struct stack_replica *replicas;
	size_t count;
	struct stack_content *contents;
	size_t content_count;
};

/*
 * stack_wanted_make() - expand the specs of all selected services
 * @fetch: images that are not stored are fetched; else such a replica has neither text nor digest
 * @ret: stack_wanted_done() it, after a failure too
 *
 * Return: 0 or a recorded failure that names the service.
 */
int stack_wanted_make(const struct container_place *place, const struct stack *stack, bool fetch, struct stack_wanted *ret);
void stack_wanted_done(struct stack_wanted *wanted);

