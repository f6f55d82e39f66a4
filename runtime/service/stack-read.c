/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stack file, by tables. What is no key of the stack's in a service is the spec's, and judged when that is expanded; so
 * that all of `run`'s keys are there without being known here.
 */
#include "runtime/service/stack.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

enum { MODE_MAX = 0777, MODE_USUAL = 0444, WATCH_MS = 1000 };

/* An object whose members are objects with a name: what get_named() fills begins with `char *name`. */
struct named {
	size_t size;
	const struct json_field *fields;
	void (*init)(void *item);
	unsigned int flags;
};

static int get_named(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct named *kind = field->arg;
	size_t n = json_object_size(v), *count = (size_t *)((char *)target + sizeof(void *)), i = 0;
	const char *key;
	json_t *member;
	char *items;

	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	if (n == 0)
		return 0;
	items = calloc(n, kind->size);
	if (!items)
		return fail(ENOMEM, "read the stack file");
	memcpy(target, &items, sizeof(items));
	json_object_foreach(v, key, member) {
		const struct json_at here = { .up = at, .key = key };
		void *item = items + i * kind->size;
		json_t *nothing = NULL;
		int r;

		if (kind->init)
			kind->init(item);
		*count = ++i;
		r = str_copy(item, key);
		/* "data": null, or {}, is all that needs to be said of most. */
		if (r == 0 && json_is_null(member) && !(kind->flags & JSON_REQUIRED))
			member = nothing = json_object();
		if (r == 0)
			r = json_object_read(&here, member, kind->fields, kind->flags & ~(unsigned int)JSON_REQUIRED, item);
		json_decref(nothing);
		if (r < 0)
			return r;
	}
	return 0;
}

/* An integer, or one in a string: what a variable makes of it. */
static int get_count(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct json_range *range = field->arg;
	int64_t n;

	if (!json_clamped(v, &n) && (!json_is_string(v) || str_to_i64(json_string_value(v), INT64_MIN, INT64_MAX, &n) < 0))
		return json_fail(at, "must be an integer");
	if (n < range->min || n > range->max)
		return json_fail(at, "must be from %lld to %lld", (long long)range->min, (long long)range->max);
	*(int64_t *)target = n;
	return 0;
}

static int get_ms(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	uint64_t us;
	int64_t seconds;

	(void)field;
	if (json_clamped(v, &seconds) && seconds >= 0 && seconds <= INT32_MAX)
		us = (uint64_t)seconds * 1000000;
	else if (!json_is_string(v) || str_to_usec(json_string_value(v), &us) < 0 || us / 1000 > INT32_MAX)
		return json_fail(at, "must be a time, as in \"30s\"");
	*(uint64_t *)target = us / 1000;
	return 0;
}

static int get_mode(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const char *text = json_string_value(v);

	(void)field;
	if (!text || !*text || strlen(text) > 4 || text[strspn(text, "01234567")] || strtoul(text, NULL, 8) > MODE_MAX)
		return json_fail(at, "must be a string of permission bits, as in \"0440\"");
	*(uint32_t *)target = (uint32_t)strtoul(text, NULL, 8);
	return 0;
}

/* --- what a service needs -------------------------------------------------------------------------- */

static int need_add(struct stack_service *s, const struct json_at *at, const char *service, const char *condition)
{
	static const char *const words[] = { [STACK_STARTED] = "started", [STACK_HEALTHY] = "healthy", [STACK_COMPLETED] = "completed" };
	struct stack_need *more = realloc(s->needs, (s->need_count + 1) * sizeof(*more));
	char quoted[STR_QUOTE_SIZE];
	int word = 0;

	if (!more)
		return fail(ENOMEM, "read the stack file");
	s->needs = more;
	while (word < (int)ARRAY_SIZE(words) && !str_eq(words[word], condition))
		word++;
	if (word == ARRAY_SIZE(words))
		return json_fail(at, "%s is not one of \"started\", \"healthy\", \"completed\"", str_quote(quoted, condition));
	for (size_t i = 0; i < s->need_count; i++)
		if (str_eq(more[i].service, service))
			return json_fail(at, "%s is there twice", str_quote(quoted, service));
	more[s->need_count] = (struct stack_need){ .condition = word };
	return str_copy(&more[s->need_count++].service, service);
}

/* ["db"] or {"db": "healthy"}; the target is the service itself. */
static int get_needs(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const char *key;
	json_t *member;
	size_t i;
	int r = 0;

	(void)field;
	if (!json_is_array(v) && !json_is_object(v))
		return json_fail(at, "must be an array of services, or an object as {\"db\": \"healthy\"}, not %s", json_type_text(v));
	json_array_foreach(v, i, member) {
		const struct json_at here = { .up = at, .index = i };

		if (r == 0)
			r = json_is_string(member) ? need_add(target, &here, json_string_value(member), "started")
						   : json_fail(&here, "must be a string, not %s", json_type_text(member));
	}
	json_object_foreach(v, key, member) {
		const struct json_at here = { .up = at, .key = key };

		if (r == 0)
			r = json_is_string(member) ? need_add(target, &here, key, json_string_value(member))
						   : json_fail(&here, "must be \"started\", \"healthy\" or \"completed\", not %s", json_type_text(member));
	}
	return r;
}

#define USE(member) offsetof(struct stack_use, member)

static const struct json_field use_fields[] = {
	{ "source", json_get_string, USE(source), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, "name of the config or secret" },
	{ "target", json_get_string, USE(target), JSON_NOT_EMPTY, NULL, "where it is in the container" },
	{ "uid", json_get_u32, USE(uid), 0, NULL, "whose file it is (0)" },
	{ "gid", json_get_u32, USE(gid), 0, NULL, "the same of its group (0)" },
	{ "mode", get_mode, USE(mode), 0, NULL, "permission bits (\"0444\")" },
	{ .name = NULL },
};

/* Where it stands when nothing was said, or only a name. */
static int target_choose(const struct json_at *at, struct stack_use *use)
{
	cleanup_free char *asked = steal_ptr(&use->target);
	const char *name = asked ? asked : use->source;

	if (*name == '/')
		return str_copy(&use->target, name);
	if (asked && !use->secret)
		return json_fail(at, "target: must be an absolute path");
	return str_format(&use->target, "%s/%s", use->secret ? "/run/secrets" : "", name);
}

/* ["name"] or [{"source": "name", …}]; the target is the service itself. */
static int uses_get(const struct json_at *at, json_t *v, struct stack_service *s, bool secret)
{
	json_t *item;
	size_t i;

	if (!json_is_array(v))
		return json_fail(at, "must be an array, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at here = { .up = at, .index = i };
		struct stack_use *more = realloc(s->uses, (s->use_count + 1) * sizeof(*more)), *use;
		int r;

		if (!more)
			return fail(ENOMEM, "read the stack file");
		s->uses = more;
		use = &more[s->use_count++];
		*use = (struct stack_use){ .secret = secret, .mode = MODE_USUAL };
		if (json_is_string(item))
			r = str_copy(&use->source, json_string_value(item));
		else
			r = json_object_read(&here, item, use_fields, JSON_CLOSED, use);
		if (r == 0)
			r = target_choose(&here, use);
		if (r < 0)
			return r;
	}
	return 0;
}

static int get_configs(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	(void)field;
	return uses_get(at, v, target, false);
}

static int get_secrets(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	(void)field;
	return uses_get(at, v, target, true);
}

/* --- the tables ------------------------------------------------------------------------------------ */

static const struct json_field update_fields[] = {
	{ "timeout", get_ms, offsetof(struct stack_update, timeout_ms), 0, NULL, "how long a new replica has to become healthy (60s)" },
	{ "watch", get_ms, offsetof(struct stack_update, watch_ms), 0, NULL, "without a health check: how long it must live (1s)" },
	{ .name = NULL },
};

#define SERVICE(member) offsetof(struct stack_service, member)

static const struct json_range replicas_range = { 0, STACK_REPLICAS_MAX };

static const struct json_field service_fields[] = {
	{ "spec", json_get_string, SERVICE(base), JSON_NOT_EMPTY, NULL, "a spec file or bundle folder that the service starts from" },
	{ "replicas", get_count, SERVICE(replicas), 0, &replicas_range, "how many there are of it (1)" },
	{ "depends_on", get_needs, 0, 0, NULL, "services that are there before it: [\"db\"], or {\"db\": \"healthy\"}" },
	{ "configs", get_configs, 0, 0, NULL, "configs that are files in it" },
	{ "secrets", get_secrets, 0, 0, NULL, "secrets that are files in it, below /run/secrets" },
	{ "profiles", json_get_strings, SERVICE(profiles), JSON_NOT_EMPTY, NULL, "only with one of these profiles" },
	{ "update", json_get_object, SERVICE(update), JSON_CLOSED, update_fields, "when a new replica counts as good" },
	{ .name = NULL },
};

#define NETWORK(member) offsetof(struct stack_network, member)

static const struct json_field network_fields[] = {
	{ "name", json_get_string, NETWORK(real), JSON_NOT_EMPTY, NULL, "its name on the host (STACK_NAME)" },
	{ "external", json_get_bool, NETWORK(external), 0, NULL, "it is there already" },
	{ "internal", json_get_bool, NETWORK(internal), 0, NULL, "no way out of it" },
	{ "ipv6", json_get_bool, NETWORK(ipv6), 0, NULL, "with a subnet of IPv6" },
	{ "mtu", json_get_u32, NETWORK(mtu), 0, NULL, "the largest packet" },
	{ "subnets", json_get_strings, NETWORK(subnets), JSON_NOT_EMPTY, NULL, "its addresses" },
	{ "gateways", json_get_strings, NETWORK(gateways), JSON_NOT_EMPTY, NULL, "the host's own addresses in it" },
	{ "labels", json_get_map, NETWORK(labels), 0, NULL, "notes" },
	{ .name = NULL },
};

#define VOLUME(member) offsetof(struct stack_volume, member)

static const struct json_field volume_fields[] = {
	{ "name", json_get_string, VOLUME(real), JSON_NOT_EMPTY, NULL, "its name on the host (STACK_NAME)" },
	{ "external", json_get_bool, VOLUME(external), 0, NULL, "it is there already" },
	{ "labels", json_get_map, VOLUME(labels), 0, NULL, "notes" },
	{ .name = NULL },
};

static const struct json_field file_fields[] = {
	{ "file", json_get_string, offsetof(struct stack_file, path), JSON_NOT_EMPTY, NULL, "a file of the host" },
	{ "content", json_get_string, offsetof(struct stack_file, content), 0, NULL, "the text itself" },
	{ "environment", json_get_string, offsetof(struct stack_file, variable), JSON_NOT_EMPTY, NULL, "a variable's value" },
	{ .name = NULL },
};

static void service_init(void *item)
{
	struct stack_service *s = item;

	s->replicas = 1;
	s->update = (struct stack_update){ .timeout_ms = STACK_TIMEOUT_S * 1000, .watch_ms = WATCH_MS };
}

static void secret_init(void *item)
{
	((struct stack_file *)item)->secret = true;
}

/* As a file has it: configs and secrets apart. */
struct whole {
	char *name;
	struct stack_service *services;
	size_t service_count;
	struct stack_network *networks;
	size_t network_count;
	struct stack_volume *volumes;
	size_t volume_count;
	struct stack_file *configs;
	size_t config_count;
	struct stack_file *secrets;
	size_t secret_count;
};

static const struct named named_services = { sizeof(struct stack_service), service_fields, service_init, JSON_REQUIRED };
static const struct named named_networks = { sizeof(struct stack_network), network_fields, NULL, JSON_CLOSED };
static const struct named named_volumes = { sizeof(struct stack_volume), volume_fields, NULL, JSON_CLOSED };
static const struct named named_configs = { sizeof(struct stack_file), file_fields, NULL, JSON_CLOSED };
static const struct named named_secrets = { sizeof(struct stack_file), file_fields, secret_init, JSON_CLOSED };

#define WHOLE(member) offsetof(struct whole, member)

static const struct json_field whole_fields[] = {
	{ "name", json_get_string, WHOLE(name), 0, NULL, "name of the stack (the folder's)" },
	{ "services", get_named, WHOLE(services), JSON_REQUIRED, &named_services, "what runs" },
	{ "networks", get_named, WHOLE(networks), 0, &named_networks, "networks that services join" },
	{ "volumes", get_named, WHOLE(volumes), 0, &named_volumes, "volumes that services mount" },
	{ "configs", get_named, WHOLE(configs), 0, &named_configs, "files for services" },
	{ "secrets", get_named, WHOLE(secrets), 0, &named_secrets, "files for services that nobody else is to read" },
	{ .name = NULL },
};

/* --- what the tables cannot say -------------------------------------------------------------------- */

/* A misspelt key of the stack's is not the spec's: only we know what it was meant to be. */
static int key_check(const struct json_at *at, const char *key)
{
	const char *names[ARRAY_SIZE(service_fields)] = { NULL }, *near;
	cleanup_json json_t *alone = json_pack("{s:b}", key, 1);

	if (!alone)
		return fail(ENOMEM, "read the stack file");
	for (size_t i = 0; service_fields[i].name; i++)
		names[i] = service_fields[i].name;
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
		const struct json_field *f = service_fields;
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
static int files_join(struct stack *stack, struct whole *w)
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
	struct whole w = { .name = NULL };
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
		r = json_object_read(&JSON_ROOT, ret->text, whole_fields, JSON_CLOSED, &w);
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
