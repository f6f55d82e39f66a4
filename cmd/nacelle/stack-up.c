/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `up`, `scale`: what runs is brought to what is written. `down`: nothing is left. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/output.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/service/stack-carry.h"
#include "runtime/service/stack-files.h"
#include "runtime/service/stack-place.h"

enum { WAIT_S = 300 };

struct up_options {
	struct stack_options stack;
	bool dry, wait, recreate, volumes;
	uint64_t timeout, time;
	const char *format;
};

#define UP(member) offsetof(struct up_options, member)

const struct option_row up_options[] = {
	STACK_OPTION_NAME(struct up_options, stack),
	STACK_OPTION_PROFILE(struct up_options, stack),
	STACK_OPTION_ENV_FILE(struct up_options, stack),
	{ "dry-run", 0, OPTION_FLAG, UP(dry), NULL, "only say what would be done" },
	{ "recreate", 0, OPTION_FLAG, UP(recreate), NULL, "replace what has not changed, too" },
	{ "wait", 0, OPTION_FLAG, UP(wait), NULL, "until everything runs, and is healthy where there is a check" },
	{ "timeout", 0, OPTION_NUMBER, UP(timeout), "SECONDS", "how long to wait for one service (300)" },
	{ "format", 'f', OPTION_STRING, UP(format), "FORMAT", "table or json" },
	{ .name = NULL },
};

const struct option_row scale_options[] = {
	STACK_OPTION_NAME(struct up_options, stack),
	STACK_OPTION_ENV_FILE(struct up_options, stack),
	{ "dry-run", 0, OPTION_FLAG, UP(dry), NULL, "only say what would be done" },
	{ "wait", 0, OPTION_FLAG, UP(wait), NULL, "until everything runs, and is healthy where there is a check" },
	{ "timeout", 0, OPTION_NUMBER, UP(timeout), "SECONDS", "how long to wait for one service (300)" },
	{ "format", 'f', OPTION_STRING, UP(format), "FORMAT", "table or json" },
	{ .name = NULL },
};

const struct option_row down_options[] = {
	STACK_OPTION_NAME(struct up_options, stack),
	STACK_OPTION_ENV_FILE(struct up_options, stack),
	{ "volumes", 'v', OPTION_FLAG, UP(volumes), NULL, "and the volumes that were made for it" },
	{ "time", 't', OPTION_NUMBER, UP(time), "SECONDS", "until KILL is sent (10, or as the spec says)" },
	{ "dry-run", 0, OPTION_FLAG, UP(dry), NULL, "only say what would be done" },
	{ "format", 'f', OPTION_STRING, UP(format), "FORMAT", "table or json" },
	{ .name = NULL },
};

/* For programs: "make_network" */
static const char *action_word(const char *action, char *word, size_t size)
{
	(void)snprintf(word, size, "%s", action);
	for (char *p = word; *p; p++)
		*p = *p == ' ' ? '_' : *p;
	return word;
}

void stack_step_print(const struct stack_step *step, void *data)
{
	const char *action = stack_action_name(step->action);

	if (*(const bool *)data) {
		char word[32];
		cleanup_json json_t *v = json_pack("{s:s, s:s, s:s?}", "action", action_word(action, word, sizeof(word)), "subject", step->subject, "why", step->why);
		cleanup_free char *text = json_text(v);

		(void)printf("%s\n", text ? text : "{}");
	} else {
		(void)printf("%s %s%s%s%s\n", action, step->subject, step->why ? " (" : "", step->why ? step->why : "", step->why ? ")" : "");
	}
	/* the next one may take long */
	(void)fflush(stdout);
}

static void plan_print(const struct stack_plan *plan, bool json)
{
	for (size_t i = 0; i < plan->count; i++)
		stack_step_print(&plan->steps[i], &json);
}

/* --- up -------------------------------------------------------------------------------------------- */

/* Contents that no container has any more; a stack's own lock is held. */
static int files_forget(const struct globals *globals, const char *name)
{
	struct stack_found now = { .containers = NULL };
	struct str_list keep = { .items = NULL };
	int r = stack_found_read(&globals->place, name, &now);

	for (size_t i = 0; i < now.container_count; i++)
		for (size_t j = 0; r == 0 && j < now.containers[i].files.count; j++)
			r = str_list_add(&keep, now.containers[i].files.items[j]);
	if (r == 0)
		r = stack_files_clean(&globals->place, name, &keep);
	str_list_done(&keep);
	stack_found_done(&now);
	return r;
}

static int up_carry(const struct globals *globals, const struct up_options *o, const struct stack *stack, const struct stack_wanted *wanted,
		    const struct stack_plan *plan, int dir)
{
	bool json = str_eq(o->format, "json");
	const struct stack_carry carry = { .place = &globals->place, .stack = stack, .wanted = wanted, .wait_ms = o->timeout * 1000,
					   .say = stack_step_print, .data = &json };
	int r;

	if (o->dry) {
		plan_print(plan, json);
		return 0;
	}
	r = stack_definition_write(dir, stack);
	if (r == 0)
		r = stack_files_write(&globals->place, stack, wanted);
	if (r == 0)
		r = stack_carry_out(&carry, plan);
	return r < 0 ? r : files_forget(globals, stack->name);
}

/* Of all services, or of those named. Without the lock it may only be looked. */
static int up_stack(const struct globals *globals, const struct up_options *o, struct stack *stack, bool whole)
{
	struct stack_wanted wanted = { .replicas = NULL };
	struct stack_found found = { .containers = NULL };
	struct stack_plan plan = { .steps = NULL };
	const struct stack_plan_options options = { .orphans = whole, .recreate = o->recreate, .await_all = o->wait };
	cleanup_fd int dir = o->dry ? -1 : stack_lock(&globals->place, stack->name);
	int r = o->dry || dir >= 0 ? 0 : dir;

	if (r == 0)
		r = stack_wanted_make(&globals->place, stack, !o->dry, &wanted);
	if (r == 0)
		r = stack_found_read(&globals->place, stack->name, &found);
	if (r == 0)
		r = stack_plan_up(stack, wanted.replicas, wanted.count, &found, &options, &plan);
	if (r == 0)
		r = up_carry(globals, o, stack, &wanted, &plan, dir);
	if (r < 0 && dir >= 0)
		stack_lock_undo(&globals->place, stack->name);
	stack_plan_done(&plan);
	stack_found_done(&found);
	stack_wanted_done(&wanted);
	return r;
}

int cmd_up(const struct globals *globals, int argc, char **argv)
{
	struct up_options o = { .format = "table", .timeout = WAIT_S };
	struct operands operands;
	struct stack stack = { .name = NULL };
	int r = options_parse(globals->command, argc, argv, 0, SIZE_MAX, &o, &operands);
	size_t named;

	if (r != 0)
		return r < 0 ? r : 0;
	named = operands.count > 1 ? operands.count - 1 : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = stack_load(globals, &o.stack, operands.count ? operands.items[0] : NULL, NULL, &stack);
	if (r == 0)
		r = stack_select(&stack, operands.items + 1, named, false);
	if (r == 0)
		r = up_stack(globals, &o, &stack, named == 0);
	stack_done(&stack);
	stack_options_done(&o.stack);
	return r;
}

/* --- scale ----------------------------------------------------------------------------------------- */

/* Services whose number is given, and nothing else, are looked at. */
static int scale_stack(const struct globals *globals, struct up_options *o, const struct operands *operands)
{
	struct str_list numbers = { .items = NULL }, names = { .items = NULL };
	struct stack stack = { .name = NULL };
	int r = 0;

	for (size_t i = 1; r == 0 && i < operands->count; i++) {
		r = str_list_add(&numbers, operands->items[i]);
		if (r == 0)
			r = str_list_addf(&names, "%.*s", (int)__builtin_strcspn(operands->items[i], "="), operands->items[i]);
	}
	/* Profiles chose at `up`; here who is named is meant. */
	if (r == 0)
		r = str_list_add(&o->stack.profiles, "*");
	if (r == 0)
		r = stack_load(globals, &o->stack, operands->items[0], &numbers, &stack);
	if (r == 0)
		r = stack_select(&stack, names.items, names.count, true);
	if (r == 0)
		r = up_stack(globals, o, &stack, false);
	stack_done(&stack);
	str_list_done(&numbers);
	str_list_done(&names);
	return r;
}

int cmd_scale(const struct globals *globals, int argc, char **argv)
{
	struct up_options o = { .format = "table", .timeout = WAIT_S };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 2, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = scale_stack(globals, &o, &operands);
	stack_options_done(&o.stack);
	return r;
}

/* --- down ------------------------------------------------------------------------------------------ */

static int down_stack(const struct globals *globals, const struct up_options *o, const char *name)
{
	struct stack_found found = { .containers = NULL };
	struct stack_plan plan = { .steps = NULL };
	bool json = str_eq(o->format, "json");
	cleanup_free char *time = NULL;
	cleanup_fd int dir = o->dry ? -1 : stack_lock(&globals->place, name);
	struct stack_carry carry = { .place = &globals->place, .say = stack_step_print, .data = &json };
	int r = o->dry || dir >= 0 ? 0 : dir;

	if (r == 0 && o->time != UINT64_MAX)
		r = str_format(&time, "%llu", (unsigned long long)o->time);
	carry.stop_time = time;
	if (r == 0)
		r = stack_found_read(&globals->place, name, &found);
	if (r == 0)
		r = stack_plan_down(&found, o->volumes, &plan);
	if (r == 0 && o->dry)
		plan_print(&plan, json);
	if (r == 0 && !o->dry)
		r = stack_carry_out(&carry, &plan);
	if (r == 0 && !o->dry)
		r = stack_files_clean(&globals->place, name, &(struct str_list){ .items = NULL });
	if (r == 0 && !o->dry)
		r = stack_forget(&globals->place, name, dir);
	stack_plan_done(&plan);
	stack_found_done(&found);
	return r;
}

int cmd_down(const struct globals *globals, int argc, char **argv)
{
	struct up_options o = { .format = "table", .time = UINT64_MAX };
	struct operands operands;
	cleanup_free char *name = NULL;
	int r = options_parse(globals->command, argc, argv, 0, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = stack_name_find(&o.stack, operands.count ? operands.items[0] : NULL, &name);
	if (r == 0)
		r = down_stack(globals, &o, name);
	stack_options_done(&o.stack);
	return r;
}
