/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stack - what the commands of stacks share: which stack is meant, and the lines that say what is done
 *
 * A stack is named by its file, or, when it was brought up before, by its name: what has a '/' in it or ends in ".json" is a
 * file, and nothing at all is ./stack.json.
 */

#include <stdbool.h>

#include "cmd/nacelle/options.h"
#include "runtime/service/stack-found.h"
#include "runtime/service/stack-plan.h"
#include "runtime/service/stack-spec.h"
#include "runtime/service/stack.h"

struct globals;
struct operands;

struct stack_options {
	const char *name;
	struct str_list profiles, env_files;
};

#define STACK_OPTION_NAME(type, member) \
	{ "name", 0, OPTION_STRING, offsetof(type, member.name), "NAME", "name of the stack (as its file says, or its folder is called)" }
#define STACK_OPTION_PROFILE(type, member) \
	{ "profile", 0, OPTION_LIST, offsetof(type, member.profiles), "NAME", "with the services of this profile; '*': of all" }
#define STACK_OPTION_ENV_FILE(type, member) \
	{ "env-file", 0, OPTION_LIST, offsetof(type, member.env_files), "FILE", "variables for the stack file; the environment's win" }

void stack_options_done(struct stack_options *o);

/*
 * stack_load() - the stack that an operand means
 * @operand: NULL: ./stack.json
 * @replicas: "SERVICE=N": instead of what is written; NULL
 * @ret: stack_done() it, after a failure too
 *
 * Return: 0 or a recorded failure.
 */
int stack_load(const struct globals *globals, const struct stack_options *o, const char *operand, const struct str_list *replicas,
	       struct stack *ret);

/* stack_name_find() - its name alone: of a file that is no longer right, too. @ret: the caller's. Return: 0 or a recorded failure. */
int stack_name_find(const struct stack_options *o, const char *operand, char **ret);

/*
 * stack_is_meant() - for commands that take a container's id as well
 *
 * A path is a file; an id of a container is that; else a file, or the name of a stack that is up.
 */
bool stack_is_meant(const struct globals *globals, const char *operand);

/*
 * stack_containers() - what there is of a stack, in the order of its needs: only those of the services named in the operands
 * from the second on
 * @ret_name: the caller's; may be NULL
 * @ret: stack_found_done() it, after a failure too
 *
 * Return: 0 or a recorded failure: no such stack, no such service.
 */
int stack_containers(const struct globals *globals, const struct stack_options *o, const struct operands *operands, char **ret_name,
		     struct stack_found *ret);

/* stack_step_print() - a line for a step: "create web-site-1", or with @data (const bool *) true a JSON object. */
void stack_step_print(const struct stack_step *step, void *data);

/* The forms of other commands for stacks. */
int stack_ps(const struct globals *globals, const struct operands *operands, const char *format);
/* @flags: of `logs`, but for --follow and --timestamps */
int stack_logs(const struct globals *globals, const struct operands *operands, const struct str_list *flags, bool follow, bool timestamps);
int stack_wait(const struct globals *globals, const struct operands *operands);
int stack_restart(const struct globals *globals, const struct operands *operands, int (*run)(const struct globals *globals, const char *id, const void *data),
		  const void *data);
