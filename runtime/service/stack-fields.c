/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of a stack file's keys, and who reads the values that are more than a word or a number. */
#include "runtime/service/stack-fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/service/stack.h"

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

const struct json_field stack_service_fields[] = {
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

static const struct named named_services = { sizeof(struct stack_service), stack_service_fields, service_init, JSON_REQUIRED };
static const struct named named_networks = { sizeof(struct stack_network), network_fields, NULL, JSON_CLOSED };
static const struct named named_volumes = { sizeof(struct stack_volume), volume_fields, NULL, JSON_CLOSED };
static const struct named named_configs = { sizeof(struct stack_file), file_fields, NULL, JSON_CLOSED };
static const struct named named_secrets = { sizeof(struct stack_file), file_fields, secret_init, JSON_CLOSED };

#define WHOLE(member) offsetof(struct stack_whole, member)

const struct json_field stack_whole_fields[] = {
	{ "name", json_get_string, WHOLE(name), 0, NULL, "name of the stack (the folder's)" },
	{ "services", get_named, WHOLE(services), JSON_REQUIRED, &named_services, "what runs" },
	{ "networks", get_named, WHOLE(networks), 0, &named_networks, "networks that services join" },
	{ "volumes", get_named, WHOLE(volumes), 0, &named_volumes, "volumes that services mount" },
	{ "configs", get_named, WHOLE(configs), 0, &named_configs, "files for services" },
	{ "secrets", get_named, WHOLE(secrets), 0, &named_secrets, "files for services that nobody else is to read" },
	{ .name = NULL },
};
