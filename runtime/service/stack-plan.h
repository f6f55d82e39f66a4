/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack-plan - from what is wanted and what was found to a list of steps
 *
 * A function of its arguments alone: it looks at nothing and changes nothing, so that `up --dry-run` shows what `up` does.
 * Steps are such that after any of them the plan can be made anew: whoever was killed is finished by the next one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"

struct stack;

/* A replica that is to be there. */
struct stack_replica {
	char *id;
	size_t service;			/* index in the stack */
	unsigned int number;		/* from 1 */
	char digest[65];		/* "": not known before its image is fetched */
	struct str_list networks, volumes, files;	/* names on the host; names of contents */
	bool has_health;
	char *folder;			/* what its relative paths count from */
	char *text;			/* the spec, expanded, as JSON; NULL: not known */
};

/* A container of the stack that is there. */
struct stack_container {
	char *id, *service, *digest;
	struct str_list needs, networks, files;
	bool running;		/* its payload runs, or its keeper will start it again */
	bool half;		/* left by a killed command: never started, or made before the last boot */
	bool lost;		/* it runs, and its keeper does not */
	bool complete;		/* it ended as it should: with 0, and no policy that starts it again */
	int exit_status;	/* -1: not known */
};

/* A network or volume that was made for the stack. */
struct stack_thing {
	char *name, *digest;
};

struct stack_found {
	struct stack_container *containers;
	size_t container_count;
	struct stack_thing *networks, *volumes;
	size_t network_count, volume_count;
	struct str_list broken;		/* names of networks that its containers are in, and that somebody has broken */
};

enum stack_action {
	STACK_NETWORK_MAKE, STACK_NETWORK_MEND, STACK_NETWORK_REMOVE, STACK_VOLUME_MAKE, STACK_VOLUME_REMOVE,
	STACK_AWAIT,	/* until all replicas of a service are as another needs them */
	STACK_CREATE, STACK_REPLACE, STACK_START, STACK_REMOVE,
	STACK_BACK,	/* never planned: the old one in place of a new one that is no good */
};

struct stack_step {
	enum stack_action action;
	char *subject;		/* id of a container, name on the host, or of a service */
	const char *why;	/* for people; NULL: nothing was there */
	size_t replica;		/* CREATE, REPLACE: index in what is wanted */
	size_t service;		/* AWAIT: index; REPLACE: whose replicas go back together; NETWORK_MAKE, VOLUME_MAKE: index of that */
	int condition;		/* AWAIT: enum stack_condition */
	size_t group;		/* REMOVE: those of one number, next to each other, may end at once */
};

struct stack_plan {
	struct stack_step *steps;
	size_t count;
};

struct stack_plan_options {
	bool orphans;		/* remove what is of no service any more */
	bool recreate;		/* replace what has not changed, too */
	bool await_all;		/* at the end, until all is healthy */
};

/*
 * stack_plan_up() - what brings the selected services to what is written
 * @ret: stack_plan_done() it, after a failure too
 *
 * Nothing to do is a plan without steps (but for those of await_all). Return: 0 or a recorded failure.
 */
int stack_plan_up(const struct stack *stack, const struct stack_replica *wanted, size_t count, const struct stack_found *found,
		  const struct stack_plan_options *options, struct stack_plan *ret);

/* stack_plan_down() - what leaves nothing of it; volumes only when asked for. */
int stack_plan_down(const struct stack_found *found, bool volumes, struct stack_plan *ret);

void stack_plan_done(struct stack_plan *plan);

/* stack_action_name() - "create", "replace", … */
const char *stack_action_name(enum stack_action action);
