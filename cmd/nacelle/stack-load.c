/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which stack is meant, and reading it. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/service/stack-place.h"

#define STACK_FILE "stack.json"

enum { ENV_FILE_MAX = 1024 * 1024 };

void stack_options_done(struct stack_options *o)
{
	str_list_done(&o->profiles);
	str_list_done(&o->env_files);
}

static bool is_file(const char *operand)
{
	return !operand || strchr(operand, '/') || str_ends(operand, ".json");
}

/* --- variables ------------------------------------------------------------------------------------- */

static int env_line(const char *file, unsigned int number, char *line, struct str_list *env)
{
	char *equals, *end = line + strlen(line);

	line += strspn(line, " \t");
	while (end > line && strchr(" \t\r", end[-1]))
		*--end = '\0';
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return fail_plain(EINVAL, "%s line %u: is not NAME=VALUE", file, number);
	*equals++ = '\0';
	return str_env_set(env, line, equals);
}

static int env_file_read(const char *file, struct str_list *env)
{
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	cleanup_free char *text = NULL;
	char *line, *rest;
	int r;

	if (fd < 0)
		return fail(errno, "open '%s'", file);
	r = fd_read_all(fd, ENV_FILE_MAX, &text, NULL);
	if (r < 0)
		return fail(-r, "read '%s'", file);
	rest = text;
	for (unsigned int number = 1; r == 0 && (line = strsep(&rest, "\n")); number++)
		r = env_line(file, number, line, env);
	return r;
}

/* Variables of the files join the environment, which wins: so they are there for all that looks into it. */
static int env_files_join(const struct stack_options *o)
{
	struct str_list env = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->env_files.count; i++)
		r = env_file_read(o->env_files.items[i], &env);
	for (size_t i = 0; r == 0 && i < env.count; i++) {
		char *equals = strchr(env.items[i], '=');

		*equals = '\0';
		if (setenv(env.items[i], equals + 1, 0) < 0)
			r = fail(errno, "set the variable '%s'", env.items[i]);
	}
	str_list_done(&env);
	return r;
}

static int env_read(struct str_list *ret)
{
	int r = 0;

	for (char **v = environ; r == 0 && *v; v++)
		r = strchr(*v, '=') ? str_list_add(ret, *v) : 0;
	return r;
}

/* --- the document ---------------------------------------------------------------------------------- */

static int folder_of(const char *file, char **ret)
{
	cleanup_free char *path = realpath(file, NULL);
	char *slash;

	if (!path)
		return fail(errno, "stack file '%s'", file);
	slash = strrchr(path, '/');
	*(slash == path ? slash + 1 : slash) = '\0';
	*ret = steal_ptr(&path);
	return 0;
}

static int file_load(const char *file, json_t **ret_v, char **ret_folder)
{
	cleanup_json json_t *raw = NULL;
	struct str_list env = { .items = NULL };
	int r = folder_of(file, ret_folder);

	if (r == 0)
		r = json_read_at(AT_FDCWD, file, file, &raw);
	if (r == 0)
		r = env_read(&env);
	if (r == 0) {
		r = stack_vars_replace(&JSON_ROOT, raw, &env, ret_v);
		if (r < 0)
			r = fail_in(r, "%s", file);
	}
	str_list_done(&env);
	return r;
}

static int no_such(const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	return fail_plain(ENOENT, "no stack %s is up (a stack file ends in .json, or has a '/' in its name)", str_quote(quoted, name));
}

/* What was kept of a stack, by its name. */
static int kept_load(const struct globals *globals, const char *name, json_t **ret_v, char **ret_folder)
{
	int r = stack_name_check(name);

	if (r == 0)
		r = stack_definition_read(&globals->place, name, ret_v, ret_folder);
	return r == STACK_NOT_FOUND ? no_such(name) : r;
}

/* "web=3" into services.web.replicas. */
static int replicas_put(json_t *v, const struct str_list *replicas)
{
	for (size_t i = 0; replicas && i < replicas->count; i++) {
		const char *equals = strchr(replicas->items[i], '=');
		cleanup_free char *name = equals ? strndup(replicas->items[i], (size_t)(equals - replicas->items[i])) : NULL;
		json_t *service = name ? json_object_get(json_object_get(v, "services"), name) : NULL;
		uint64_t n;

		if (!name || str_to_u64(equals + 1, STACK_REPLICAS_MAX, &n) < 0)
			return fail_plain(EINVAL, "'%s' is not SERVICE=NUMBER, at most %d", replicas->items[i], STACK_REPLICAS_MAX);
		/* One that is not there is named when the services are selected. */
		if (json_is_object(service) && json_object_set_new(service, "replicas", json_integer((json_int_t)n)) < 0)
			return fail(ENOMEM, "read the stack file");
	}
	return 0;
}

int stack_load(const struct globals *globals, const struct stack_options *o, const char *operand, const struct str_list *replicas,
	       struct stack *ret)
{
	const char *file = operand ? operand : STACK_FILE;
	cleanup_free char *folder = NULL;
	cleanup_json json_t *v = NULL;
	int r;

	if (!is_file(operand) && o->name)
		return fail_plain(EINVAL, "--name goes with a stack's file, and '%s' is a name", operand);
	r = env_files_join(o);
	if (r < 0)
		return r;
	r = is_file(operand) ? file_load(file, &v, &folder) : kept_load(globals, operand, &v, &folder);
	if (r == 0)
		r = replicas_put(v, replicas);
	if (r < 0)
		return r;
	r = stack_read(v, folder, o->name, &o->profiles, ret);
	return r < 0 ? fail_in(r, "%s", file) : 0;
}

int stack_name_find(const struct stack_options *o, const char *operand, char **ret)
{
	const char *file = operand ? operand : STACK_FILE, *written, *base;
	cleanup_free char *folder = NULL;
	cleanup_json json_t *raw = NULL, *name = NULL;
	struct str_list env = { .items = NULL };
	int r;

	if (!is_file(operand) || o->name) {
		r = stack_name_check(o->name ? o->name : operand);
		return r < 0 ? r : str_copy(ret, o->name ? o->name : operand);
	}
	r = env_files_join(o);
	if (r == 0)
		r = folder_of(file, &folder);
	if (r == 0)
		r = json_read_at(AT_FDCWD, file, file, &raw);
	if (r == 0)
		r = env_read(&env);
	if (r == 0 && json_object_get(raw, "name"))
		r = stack_vars_replace(&(struct json_at){ .up = &JSON_ROOT, .key = "name" }, json_object_get(raw, "name"), &env, &name);
	str_list_done(&env);
	if (r < 0)
		return r;
	written = json_string_value(name);
	base = strrchr(folder, '/') ? strrchr(folder, '/') + 1 : folder;
	r = stack_name_make(written, base, ret);
	return r < 0 ? fail_in(r, "%s", file) : 0;
}

bool stack_is_meant(const struct globals *globals, const char *operand)
{
	cleanup_json json_t *v = NULL;
	cleanup_free char *folder = NULL;
	struct container_info info;
	int r;

	if (strchr(operand, '/'))
		return true;
	r = container_look(&globals->place, operand, &info);
	if (r == 0)
		container_info_done(&info);
	if (r == 0 || is_file(operand))
		return r != 0;
	return stack_name_check(operand) == 0 && stack_definition_read(&globals->place, operand, &v, &folder) == 0;
}

/* --- what there is of it --------------------------------------------------------------------------- */

/* Those of services that were not named go; a name that fits none is a mistake. */
static int services_keep(const char *stack, const struct operands *operands, struct stack_found *found)
{
	size_t kept = 0;

	for (size_t i = 1; i < operands->count; i++) {
		bool any = false;

		for (size_t j = 0; j < found->container_count; j++)
			any |= str_eq(found->containers[j].service, operands->items[i]);
		if (!any)
			return fail_plain(ENOENT, "nothing runs of a service '%s' of stack '%s'", operands->items[i], stack);
	}
	for (size_t j = 0; operands->count > 1 && j < found->container_count; j++) {
		bool wanted = false;

		for (size_t i = 1; i < operands->count; i++)
			wanted |= str_eq(found->containers[j].service, operands->items[i]);
		if (wanted)
			found->containers[kept++] = found->containers[j];
		else
			stack_container_done(&found->containers[j]);
	}
	if (operands->count > 1)
		found->container_count = kept;
	return 0;
}

/* The order of `down`, from its end. */
static int needs_sort(struct stack_found *found)
{
	struct stack_plan plan = { .steps = NULL };
	struct stack_container *sorted = calloc(found->container_count + 1, sizeof(*sorted));
	size_t n = found->container_count;
	int r = sorted ? stack_plan_down(&(struct stack_found){ .containers = found->containers, .container_count = n }, false, &plan)
		       : fail(ENOMEM, "order containers");

	/* groups from the last to the first; within one as they are */
	for (size_t end = plan.count, at = 0; r == 0 && end > 0;) {
		size_t first = end - 1;

		while (first > 0 && plan.steps[first - 1].group == plan.steps[end - 1].group)
			first--;
		for (size_t i = first; i < end; i++)
			for (size_t j = 0; j < n; j++)
				if (str_eq(found->containers[j].id, plan.steps[i].subject))
					sorted[at++] = found->containers[j];
		end = first;
	}
	if (r == 0) {
		free(found->containers);
		found->containers = steal_ptr(&sorted);
	}
	free(sorted);
	stack_plan_done(&plan);
	return r;
}

int stack_containers(const struct globals *globals, const struct stack_options *o, const struct operands *operands, char **ret_name,
		     struct stack_found *ret)
{
	cleanup_free char *name = NULL;
	const char *operand = operands->count ? operands->items[0] : NULL;
	int r = stack_name_find(o, operand, &name);

	if (r == 0)
		r = stack_found_read(&globals->place, name, ret);
	if (r == 0 && !ret->container_count)
		r = fail_plain(ENOENT, "nothing of stack '%s' is there ('nacelle up' brings it up)", name);
	if (r == 0)
		r = needs_sort(ret);
	if (r == 0)
		r = services_keep(name, operands, ret);
	if (r == 0 && ret_name)
		*ret_name = steal_ptr(&name);
	return r;
}
