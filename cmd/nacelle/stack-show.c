/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `config`: a stack file as it was understood. `ps` of a stack: a line a container. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/output.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/json.h"
#include "runtime/network.h"

struct config_options {
	struct stack_options stack;
	bool services, expand;
};

#define CONFIG(member) offsetof(struct config_options, member)

const struct option_row config_options[] = {
	STACK_OPTION_NAME(struct config_options, stack),
	STACK_OPTION_PROFILE(struct config_options, stack),
	STACK_OPTION_ENV_FILE(struct config_options, stack),
	{ "services", 0, OPTION_FLAG, CONFIG(services), NULL, "only the names of the services, in their order" },
	{ "expand", 0, OPTION_FLAG, CONFIG(expand), NULL, "the OCI config of each container" },
	{ .name = NULL },
};

static int services_print(const struct stack *stack)
{
	for (size_t i = 0; i < stack->service_count; i++)
		if (stack->services[i].selected)
			(void)printf("%s\n", stack->services[i].name);
	return 0;
}

static int expanded_print(const struct stack_wanted *wanted)
{
	json_t *all = json_object();

	for (size_t i = 0; all && i < wanted->count; i++) {
		const struct stack_replica *w = &wanted->replicas[i];
		json_t *doc = NULL;
		int r = w->text ? json_parse(w->id, w->text, __builtin_strlen(w->text), &doc) : 0;

		if (r < 0 || json_object_set_new(all, w->id, doc ? doc : json_null()) < 0) {
			json_decref(all);
			return r < 0 ? r : fail(ENOMEM, "print the stack");
		}
	}
	return all ? output_json(all) : fail(ENOMEM, "print the stack");
}

static int document_print(const struct stack *stack)
{
	json_t *v = json_deep_copy(stack->text), *services = json_object_get(v, "services");

	if (!v || json_object_set_new(v, "name", json_string(stack->name)) < 0) {
		json_decref(v);
		return fail(ENOMEM, "print the stack");
	}
	for (size_t i = 0; i < stack->service_count; i++)
		if (!stack->services[i].selected)
			(void)json_object_del(services, stack->services[i].name);
	return output_json(v);
}

static int config_print(const struct globals *globals, const struct config_options *o, const struct stack *stack)
{
	struct stack_wanted wanted = { .replicas = NULL };
	/* To say that it is right it has to be expanded; an image that would have to be fetched is believed. */
	int r = stack_wanted_make(&globals->place, stack, false, &wanted);

	if (r == 0)
		r = o->services ? services_print(stack) : o->expand ? expanded_print(&wanted) : document_print(stack);
	stack_wanted_done(&wanted);
	return r;
}

int cmd_config(const struct globals *globals, int argc, char **argv)
{
	struct config_options o = { .services = false };
	struct stack stack = { .name = NULL };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 0, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = stack_load(globals, &o.stack, operands.count ? operands.items[0] : NULL, NULL, &stack);
	if (r == 0)
		r = stack_select(&stack, NULL, 0, false);
	if (r == 0)
		r = config_print(globals, &o, &stack);
	stack_done(&stack);
	stack_options_done(&o.stack);
	return r;
}

/* --- ps -------------------------------------------------------------------------------------------- */

enum { COLUMNS = 6 };

static int status_text(const struct container_info *info, char **ret)
{
	const char *status = container_status_name(info->status), *health = info->tended.health;

	if (info->tended.restarting)
		return str_format(ret, "restarting (%d)", (int)info->tended.last_status);
	if (info->status == CONTAINER_STOPPED && info->exit_known)
		return str_format(ret, "stopped (%d)", info->exit_status);
	if (info->keeper_lost)
		return str_format(ret, "%s (no keeper)", status);
	return str_format(ret, health && *health ? "%s (%s)" : "%s", status, health);
}

/* Those that were chosen are known to the networks alone. */
static int ports_text(const struct globals *globals, const char *id, char **ret)
{
	struct str_list ports = { .items = NULL };
	int r = network_ports(&globals->place, id, &ports);

	if (r == 0)
		r = str_copy(ret, "");
	for (size_t i = 0; r == 0 && i < ports.count; i++) {
		cleanup_free char *old = steal_ptr(ret);

		r = str_format(ret, "%s%s%s", old, *old ? "," : "", ports.items[i]);
	}
	str_list_done(&ports);
	return r;
}

static int row_add(struct str_list *cells, const struct container_info *info, const char *status, const char *ports)
{
	const char *service = annotation(info, STACK_SERVICE_ANNOTATION);
	int r = str_list_add(cells, info->id);

	if (r == 0)
		r = str_list_add(cells, service ? service : "");
	if (r == 0)
		r = str_list_addf(cells, "%d", (int)info->pid);
	if (r == 0)
		r = str_list_add(cells, status);
	if (r == 0)
		r = str_list_addf(cells, "%lld", (long long)info->tended.restarts);
	return r < 0 ? r : str_list_add(cells, ports);
}

static json_t *row_json(const struct container_info *info, const char *ports)
{
	const char *service = annotation(info, STACK_SERVICE_ANNOTATION), *replica = annotation(info, STACK_REPLICA_ANNOTATION);
	const char *health = info->tended.health;
	json_t *v = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s*, s:s*, s:I}", "id", info->id, "service", service ? service : "", "replica",
			      replica ? atoi(replica) : 0, "pid", (int)info->pid, "status", container_status_name(info->status), "ports",
			      *ports ? ports : NULL, "health", health && *health ? health : NULL, "restarts", (json_int_t)info->tended.restarts);

	if (v && info->exit_known && info->status == CONTAINER_STOPPED)
		(void)json_object_set_new(v, "exitStatus", json_integer(info->exit_status));
	return v;
}

static int one_add(const struct globals *globals, const char *id, struct str_list *cells, json_t *rows)
{
	cleanup_free char *status = NULL, *ports = NULL;
	struct container_info info;
	int r = container_look(&globals->place, id, &info);

	if (r != 0)
		return r < 0 ? r : 0;
	r = status_text(&info, &status);
	if (r == 0)
		r = ports_text(globals, id, &ports);
	if (r == 0)
		r = row_add(cells, &info, status, ports);
	if (r == 0 && json_array_append_new(rows, row_json(&info, ports)) < 0)
		r = fail(ENOMEM, "list the containers");
	container_info_done(&info);
	return r;
}

int stack_ps(const struct globals *globals, const struct operands *operands, const char *format)
{
	static const char *const headings[COLUMNS] = { "ID", "SERVICE", "PID", "STATUS", "RESTARTS", "PORTS" };
	struct stack_found found = { .containers = NULL };
	struct str_list cells = { .items = NULL };
	cleanup_json json_t *rows = json_array();
	int r = stack_containers(globals, &(struct stack_options){ .name = NULL }, operands, NULL, &found);

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&cells, headings[i]);
	for (size_t i = 0; r == 0 && i < found.container_count; i++)
		r = one_add(globals, found.containers[i].id, &cells, rows);
	if (r == 0 && str_eq(format, "json"))
		r = output_json(steal_ptr(&rows));
	else if (r == 0)
		output_table(&cells, COLUMNS);
	str_list_done(&cells);
	stack_found_done(&found);
	return r;
}
