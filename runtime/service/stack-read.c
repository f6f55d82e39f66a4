/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stack file, by the tables of stack-fields.c. What is no key of the stack's in a service is the spec's, and judged when that
 * is expanded; so that all of `run`'s keys are there without being known here.
 */
#include "runtime/service/stack.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/service/stack-fields.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

enum { KEYS_MAX = 32 };

/* A misspelt key of the stack's is not the spec's: only we know what it was meant to be. */
static int key_check(const struct json_at *at, const char *key)
{
	const char *names[KEYS_MAX + 1] = { NULL }, *near;
	cleanup_json json_t *alone = json_pack("{s:b}", key, 1);

	if (!alone)
		return fail(ENOMEM, "read the stack file");
	for (size_t i = 0; i < KEYS_MAX && stack_service_fields[i].name; i++)
		names[i] = stack_service_fields[i].name;
	for (const struct json_field *f = spec_fields(); f->name; f++)
		if (str_eq(f->name, key))
			return 0;
	near = spec_is_short(alone) ? NULL : str_nearest(key, names);
	return near ? json_fail(&(struct json_at){ .up = at, .key = key }, "is not known: did you mean '%s'?", near) : 0;
}

static int spec_take(struct stack_service *s, json_t *v)
{
	const struct json_at services = { .up = &JSON_ROOT, .key = "services" }, at = { .up = &services, .key = s->name };
	const char *key;
	json_t *member;

	s->spec = json_object();
	json_object_foreach(v, key, member) {
		const struct json_field *f = stack_service_fields;
		int r;

		while (f->name && !str_eq(f->name, key))
			f++;
		r = f->name ? 0 : key_check(&at, key);
		if (r < 0)
			return r;
		if (str_eq(key, "name"))
			return json_fail(&(struct json_at){ .up = &at, .key = key }, "a replica's name is made up: STACK-SERVICE-N");
		if (!f->name && json_object_set(s->spec, key, member) < 0)
			return fail(ENOMEM, "read the stack file");
	}
	return s->spec ? 0 : fail(ENOMEM, "read the stack file");
}

static bool is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= STACK_NAME_MAX && isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[n - 1]) &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")];
}

int stack_name_check(const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	return is_name(name) ? 0 : fail_plain(EINVAL, "%s is not the name of a stack: letters, digits and '-' within, at most %d "
					      "(say 'name' in the file, or --name)", str_quote(quoted, name), STACK_NAME_MAX);
}

static int uses_resolve(struct stack *stack, struct stack_service *s)
{
	const struct json_at services = { .up = &JSON_ROOT, .key = "services" }, at = { .up = &services, .key = s->name };
	char quoted[STR_QUOTE_SIZE];

	for (size_t i = 0; i < s->use_count; i++) {
		struct stack_use *use = &s->uses[i];
		const struct json_at here = { .up = &at, .key = use->secret ? "secrets" : "configs" };

		while (use->file < stack->file_count && (stack->files[use->file].secret != use->secret ||
							 !str_eq(stack->files[use->file].name, use->source)))
			use->file++;
		if (use->file == stack->file_count)
			return json_fail(&here, "%s is not among the stack's '%s'", str_quote(quoted, use->source), here.key);
		if (strchr(use->target, ':'))
			return json_fail(&here, "%s: a ':' is not possible in a path here", str_quote(quoted, use->target));
	}
	return 0;
}

static int service_finish(struct stack *stack, struct stack_service *s, const struct str_list *profiles)
{
	const struct json_at services = { .up = &JSON_ROOT, .key = "services" }, at = { .up = &services, .key = s->name };
	json_t *v = json_object_get(json_object_get(stack->text, "services"), s->name);
	int r = is_name(s->name) ? 0 : json_fail(&at, "the name of a service is letters, digits and '-' within, at most %d", STACK_NAME_MAX);

	if (r == 0)
		r = spec_take(s, v);
	if (r == 0)
		r = uses_resolve(stack, s);
	s->active = s->profiles.count == 0 || str_list_has(profiles, "*");
	for (size_t i = 0; i < s->profiles.count; i++)
		s->active |= str_list_has(profiles, s->profiles.items[i]);
	return r;
}

static int file_check(const struct stack_file *f)
{
	const struct json_at kind = { .up = &JSON_ROOT, .key = f->secret ? "secrets" : "configs" }, at = { .up = &kind, .key = f->name };

	if (!f->path + !f->content + !f->variable != 2)
		return json_fail(&at, "says where it comes from by one of 'file', 'content', 'environment'");
	return strchr(f->name, '/') ? json_fail(&at, "a '/' is not possible in its name") : 0;
}

static int real_name(const struct stack *stack, const char *name, bool external, char **real)
{
	if (*real)
		return 0;
	return external ? str_copy(real, name) : str_format(real, "%s_%s", stack->name, name);
}

/* One that was made another way has to be made anew. */
static void network_digest(struct stack_network *n, json_t *v)
{
	cleanup_free char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	(void)SHA256Data((const uint8_t *)(text ? text : ""), text ? strlen(text) : 0, n->digest);
}

/* The one that nobody has to name. */
static int network_default_add(struct stack *stack)
{
	struct stack_network *more;

	if (stack_network_find(stack, STACK_NETWORK))
		return 0;
	more = realloc(stack->networks, (stack->network_count + 1) * sizeof(*more));
	if (!more)
		return fail(ENOMEM, "read the stack file");
	stack->networks = more;
	more[stack->network_count] = (struct stack_network){ .name = NULL };
	return str_copy(&more[stack->network_count++].name, STACK_NETWORK);
}

static int names_choose(struct stack *stack)
{
	json_t *networks = json_object_get(stack->text, "networks");
	int r = network_default_add(stack);

	for (size_t i = 0; r == 0 && i < stack->network_count; i++) {
		struct stack_network *n = &stack->networks[i];

		r = real_name(stack, n->name, n->external, &n->real);
		network_digest(n, json_object_get(networks, n->name));
	}
	for (size_t i = 0; r == 0 && i < stack->volume_count; i++)
		r = real_name(stack, stack->volumes[i].name, stack->volumes[i].external, &stack->volumes[i].real);
	for (size_t i = 0; r == 0 && i < stack->file_count; i++)
		r = file_check(&stack->files[i]);
	return r;
}

int stack_name_make(const char *written, const char *folder, char **ret)
{
	int r = str_copy(ret, written ? written : folder);

	for (char *p = *ret; r == 0 && !written && *p; p++)
		*p = *p == '_' || *p == '.' ? '-' : (char)tolower((unsigned char)*p);
	return r < 0 ? r : stack_name_check(*ret);
}

static int name_choose(struct stack *stack, const char *asked, const char *written)
{
	const char *slash = strrchr(stack->folder, '/');

	return stack_name_make(asked ? asked : written, slash ? slash + 1 : stack->folder, &stack->name);
}

/* Configs and secrets are one list from here on. */
static int files_join(struct stack *stack, struct stack_whole *w)
{
	struct stack_file *all = w->configs;

	if (w->secret_count > 0) {
		all = realloc(w->configs, (w->config_count + w->secret_count) * sizeof(*all));
		if (!all)
			return fail(ENOMEM, "read the stack file");
		memcpy(all + w->config_count, w->secrets, w->secret_count * sizeof(*all));
	}
	stack->files = all;
	stack->file_count = w->config_count + w->secret_count;
	free(w->secrets);
	w->configs = w->secrets = NULL;
	w->config_count = w->secret_count = 0;
	return 0;
}

static void files_done(struct stack_file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(files[i].name);
		free(files[i].path);
		free(files[i].content);
		free(files[i].variable);
	}
	free(files);
}

int stack_read(json_t *v, const char *folder, const char *name, const struct str_list *profiles, struct stack *ret)
{
	struct stack_whole w = { .name = NULL };
	json_t *services, *service;
	const char *key;
	int r = str_copy(&ret->folder, folder);

	ret->text = json_deep_copy(v);
	if (r == 0 && !ret->text)
		r = fail(ENOMEM, "read the stack file");
	services = json_object_get(ret->text, "services");
	json_object_foreach(services, key, service)
		if (r == 0)
			r = stack_paths_absolute(service, folder);
	if (r == 0)
		r = json_object_read(&JSON_ROOT, ret->text, stack_whole_fields, JSON_CLOSED, &w);
	ret->services = w.services;
	ret->service_count = w.service_count;
	ret->networks = w.networks;
	ret->network_count = w.network_count;
	ret->volumes = w.volumes;
	ret->volume_count = w.volume_count;
	if (r == 0)
		r = files_join(ret, &w);
	files_done(w.configs, w.config_count);
	files_done(w.secrets, w.secret_count);
	if (r == 0)
		r = name_choose(ret, name, w.name);
	free(w.name);
	if (r == 0)
		r = names_choose(ret);
	for (size_t i = 0; r == 0 && i < ret->service_count; i++)
		r = service_finish(ret, &ret->services[i], profiles);
	return r < 0 ? r : stack_order(ret);
}

static void service_done(struct stack_service *s)
{
	for (size_t i = 0; i < s->need_count; i++)
		free(s->needs[i].service);
	for (size_t i = 0; i < s->use_count; i++) {
		free(s->uses[i].source);
		free(s->uses[i].target);
	}
	free(s->needs);
	free(s->uses);
	free(s->name);
	free(s->base);
	json_decref(s->spec);
	str_list_done(&s->profiles);
}

void stack_done(struct stack *stack)
{
	for (size_t i = 0; i < stack->service_count; i++)
		service_done(&stack->services[i]);
	for (size_t i = 0; i < stack->network_count; i++) {
		free(stack->networks[i].name);
		free(stack->networks[i].real);
		str_list_done(&stack->networks[i].subnets);
		str_list_done(&stack->networks[i].gateways);
		str_list_done(&stack->networks[i].labels);
	}
	for (size_t i = 0; i < stack->volume_count; i++) {
		free(stack->volumes[i].name);
		free(stack->volumes[i].real);
		str_list_done(&stack->volumes[i].labels);
	}
	files_done(stack->files, stack->file_count);
	free(stack->services);
	free(stack->networks);
	free(stack->volumes);
	free(stack->name);
	free(stack->folder);
	json_decref(stack->text);
	*stack = (struct stack){ .name = NULL };
}
