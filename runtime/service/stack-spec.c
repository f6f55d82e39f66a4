/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a service to the specs of its replicas. What the file calls by the stack's own names gets those of the host; the rest
 * is spec_expand()'s, so that a service means what the same file means to `run`. The digest is over the expanded spec: it
 * changes when an image, an env file or a secret does, though the stack file has not.
 */
#include "runtime/service/stack-spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/config.h"
#include "runtime/container.h"
#include "runtime/image-root.h"
#include "runtime/service/stack-files.h"
#include "runtime/service/stack-plan.h"
#include "runtime/service/stack.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short-internal.h"
#include "runtime/spec-short.h"

/* A service on its way. */
struct making {
	const struct container_place *place;
	const struct stack *stack;
	const struct stack_service *service;
	json_t *base;			/* what its "spec" names, or NULL */
	char *folder;			/* what relative paths in that count from */
	json_t *defaults;		/* of the user's configuration */
};

static int fail_memory(void)
{
	return fail(ENOMEM, "expand a service's spec");
}

static const struct json_at at_root = { .up = NULL }, at_services = { .up = &at_root, .key = "services" };

/* --- names ----------------------------------------------------------------------------------------- */

/* "data:/var/lib/x" with the volume's name on the host; what is a path stays. */
static int volume_rewrite(struct making *m, const struct json_at *at, const char *text, struct stack_replica *w, json_t **ret)
{
	const char *colon = strchr(text, ':');
	cleanup_free char *name = colon ? strndup(text, (size_t)(colon - text)) : NULL, *rewritten = NULL;
	const struct stack_volume *volume;
	char quoted[STR_QUOTE_SIZE];
	int r;

	if (!colon || *text == '/' || *text == '.') {
		*ret = json_string(text);
		return *ret ? 0 : fail_memory();
	}
	volume = name ? stack_volume_find(m->stack, name) : NULL;
	if (!volume)
		return json_fail(at, "%s is not among the stack's 'volumes' (and a folder begins with '/' or './')",
				 str_quote(quoted, name ? name : ""));
	r = str_format(&rewritten, "%s%s", volume->real, colon);
	if (r == 0 && !str_list_has(&w->volumes, volume->real))
		r = str_list_add(&w->volumes, volume->real);
	*ret = r == 0 ? json_string(rewritten) : NULL;
	return *ret ? 0 : r < 0 ? r : fail_memory();
}

/* Its volumes, and behind them its configs and secrets. @ret: new reference, an array */
static int volumes_rewrite(struct making *m, json_t *v, struct stack_replica *w, json_t **ret)
{
	const struct json_at service = { .up = &at_services, .key = m->service->name }, at = { .up = &service, .key = "volumes" };
	cleanup_json json_t *all = json_array();
	json_t *item;
	size_t i;

	if (v && !json_is_null(v) && !json_is_array(v))
		return json_fail(&at, "must be an array, not %s", json_type_text(v));
	json_array_foreach(v, i, item) {
		const struct json_at here = { .up = &at, .index = i };
		json_t *rewritten;
		int r;

		if (!json_is_string(item))
			return json_fail(&here, "must be a string, not %s", json_type_text(item));
		r = volume_rewrite(m, &here, json_string_value(item), w, &rewritten);
		if (r < 0)
			return r;
		if (json_array_append_new(all, rewritten) < 0)
			return fail_memory();
	}
	for (i = 0; i < m->service->use_count; i++) {
		cleanup_free char *text = NULL;
		int r = stack_file_path(m->place, m->stack, w->files.items[i], &text);
		json_t *mount;

		if (r < 0)
			return r;
		mount = json_sprintf("%s:%s:ro", text, m->service->uses[i].target);
		if (json_array_append_new(all, mount) < 0)
			return fail_memory();
	}
	*ret = steal_ptr(&all);
	return *ret ? 0 : fail_memory();
}

/* One network to be joined: "front", "front:ip=…" or an object. The others of it know us by the service's name, too. */
static int network_rewrite(struct making *m, const struct json_at *at, json_t *v, struct stack_replica *w, json_t **ret)
{
	const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "name") : v), *options;
	cleanup_free char *name = NULL;
	const struct stack_network *n;
	char quoted[STR_QUOTE_SIZE];
	json_t *alias;

	if (!text)
		return json_fail(at, "must be the name of a network, or an object with it");
	options = json_is_object(v) ? "" : text + strcspn(text, ":");
	name = strndup(text, json_is_object(v) ? strlen(text) : strcspn(text, ":"));
	n = name ? stack_network_find(m->stack, name) : NULL;
	if (!n)
		return json_fail(at, "%s is not among the stack's 'networks'", str_quote(quoted, name ? name : ""));
	if (!str_list_has(&w->networks, n->real) && str_list_add(&w->networks, n->real) < 0)
		return -ENOMEM;
	if (!json_is_object(v)) {
		*ret = json_sprintf("%s%s%salias=%s", n->real, options, *options ? "," : ":", m->service->name);
		return *ret ? 0 : fail_memory();
	}
	*ret = json_deep_copy(v);
	alias = json_object_get(v, "alias");
	if (!*ret || json_object_set_new(*ret, "name", json_string(n->real)) < 0 ||
	    json_object_set_new(*ret, "alias", json_is_array(alias) ? json_deep_copy(alias) :
				alias ? json_pack("[O]", alias) : json_array()) < 0 ||
	    json_array_append_new(json_object_get(*ret, "alias"), json_string(m->service->name)) < 0)
		return fail_memory();
	return 0;
}

/* What is no network of ours: "none", "host", a path, another container's. */
static bool network_is_plain(const char *text)
{
	return text && (str_eq(text, "none") || str_eq(text, "host") || *text == '/' || str_starts(text, "container:"));
}

static int networks_rewrite(struct making *m, json_t *v, struct stack_replica *w, json_t **ret)
{
	const struct json_at service = { .up = &at_services, .key = m->service->name }, at = { .up = &service, .key = "network" };
	cleanup_json json_t *all = json_array();
	json_t *item, *rewritten;
	size_t i;
	int r;

	if (network_is_plain(json_string_value(v))) {
		*ret = json_incref(v);
		return 0;
	}
	if (!json_is_array(v)) {
		r = network_rewrite(m, &at, v, w, &rewritten);
		return r < 0 ? r : json_array_append_new(all, rewritten) < 0 ? fail_memory() : (*ret = steal_ptr(&all), 0);
	}
	json_array_foreach(v, i, item) {
		r = network_rewrite(m, &(struct json_at){ .up = &at, .index = i }, item, w, &rewritten);
		if (r < 0)
			return r;
		if (json_array_append_new(all, rewritten) < 0)
			return fail_memory();
	}
	*ret = steal_ptr(&all);
	return 0;
}

/*
 * The network that nobody has to name. Not for who said something about it, by a short key or OCI's namespaces; not for whom
 * there can be none: without root.
 */
static bool default_network_is_due(const struct making *m)
{
	json_t *parts[] = { m->service->spec, m->base };
	bool is_short = spec_is_short(m->base ? m->base : m->service->spec);

	if (geteuid() != 0 || !is_short)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (json_object_get(parts[i], "network") ||
		    json_object_get(json_object_get(parts[i], "linux"), "namespaces"))
			return false;
	return true;
}

/* --- documents ------------------------------------------------------------------------------------- */

/* The spec that the service starts from. */
static int base_load(struct making *m)
{
	const char *path = m->service->base;
	cleanup_free char *file = NULL;
	struct stat st;
	char *slash;
	int r;

	r = path ? str_format(&file, "%s%s", path, stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? "/config.json" : "")
		 : str_format(&file, "%s/", m->stack->folder);
	if (r == 0 && path)
		r = json_read_at(AT_FDCWD, file, file, &m->base);
	if (r == 0 && path && !json_is_object(m->base))
		r = fail_plain(EINVAL, "%s: must be an object, not %s", file, json_type_text(m->base));
	if (r < 0)
		return r;
	slash = strrchr(file, '/');
	*(slash == file ? slash + 1 : slash) = '\0';
	m->folder = steal_ptr(&file);
	return 0;
}

/* The document and what is laid over it. @ret_over: NULL: nothing. New references. */
static int parts_make(struct making *m, struct stack_replica *w, json_t **ret_v, json_t **ret_over)
{
	cleanup_json json_t *own = json_deep_copy(m->service->spec), *v = NULL, *over = NULL, *volumes = NULL, *network = NULL;
	json_t *said = json_object_get(m->service->spec, "network");
	cleanup_json json_t *usual = json_string(STACK_NETWORK);
	bool is_default = default_network_is_due(m);
	int r = own ? 0 : fail_memory();

	if (r == 0)
		r = volumes_rewrite(m, json_object_get(own, "volumes"), w, &volumes);
	if (r == 0 && (is_default || (said && !json_is_null(said))))
		r = networks_rewrite(m, is_default ? usual : said, w, &network);
	if (r < 0)
		return r;
	(void)json_object_del(own, "volumes");
	(void)json_object_del(own, "network");
	v = m->base ? json_deep_copy(m->base) : json_incref(own);
	over = m->base ? json_incref(own) : json_object();
	/* A replica's name is its own; so is its host's name, unless the file says one. */
	if (spec_is_short(v)) {
		(void)json_object_del(v, "name");
		if (!json_object_get(v, "hostname") && strlen(w->id) <= 64 && json_object_set_new(v, "hostname", json_string(w->id)) < 0)
			return fail_memory();
	}
	if (json_array_size(volumes) > 0 && json_object_set(over, "volumes", volumes) < 0)
		return fail_memory();
	if (network && json_object_set(over, "network", network) < 0)
		return fail_memory();
	*ret_over = json_object_size(over) > 0 ? steal_ptr(&over) : NULL;
	*ret_v = steal_ptr(&v);
	return 0;
}

static int words_join(const struct str_list *list, char **ret)
{
	int r = str_copy(ret, "");

	for (size_t i = 0; r == 0 && i < list->count; i++) {
		cleanup_free char *old = steal_ptr(ret);

		r = str_format(ret, "%s%s%s", old, *old ? " " : "", list->items[i]);
	}
	return r;
}

static int annotations_put(struct making *m, struct stack_replica *w, json_t *doc)
{
	struct str_list needs = { .items = NULL };
	cleanup_free char *number = NULL, *needed = NULL, *files = NULL;
	int r = str_format(&number, "%u", w->number);

	for (size_t i = 0; r == 0 && i < m->service->need_count; i++)
		r = str_list_add(&needs, m->service->needs[i].service);
	if (r == 0)
		r = words_join(&needs, &needed);
	if (r == 0)
		r = words_join(&w->files, &files);
	str_list_done(&needs);
	if (r == 0)
		r = short_annotate(doc, STACK_ANNOTATION, m->stack->name);
	if (r == 0)
		r = short_annotate(doc, STACK_SERVICE_ANNOTATION, m->service->name);
	if (r == 0)
		r = short_annotate(doc, STACK_REPLICA_ANNOTATION, number);
	if (r == 0)
		r = short_annotate(doc, STACK_NEEDS_ANNOTATION, needed);
	return r < 0 ? r : short_annotate(doc, STACK_FILES_ANNOTATION, files);
}

/* Over all that makes it what it is. The networks count too: who is in one that is made anew has to be made anew. */
static int digest_put(struct making *m, struct stack_replica *w, json_t *doc)
{
	cleanup_free char *text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS), *all = NULL, *networks = NULL;
	int r = text ? str_copy(&networks, "") : fail_memory();

	for (size_t i = 0; r == 0 && i < m->stack->network_count; i++) {
		cleanup_free char *old = steal_ptr(&networks);
		const struct stack_network *n = &m->stack->networks[i];

		r = str_format(&networks, "%s%s", old, str_list_has(&w->networks, n->real) && !n->external ? n->digest : "");
	}
	if (r == 0)
		r = str_format(&all, "%s\n%s\n%s", w->folder, networks, text);
	if (r < 0)
		return r;
	(void)SHA256Data((const uint8_t *)all, strlen(all), w->digest);
	return short_annotate(doc, STACK_DIGEST_ANNOTATION, w->digest);
}

static int health_find(json_t *doc, struct stack_replica *w)
{
	struct str_list annotations = { .items = NULL };
	struct service service;
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(json_object_get(doc, "annotations"), key, value)
		if (r == 0 && json_is_string(value))
			r = str_list_addf(&annotations, "%s=%s", key, json_string_value(value));
	if (r == 0) {
		r = service_read(&annotations, &service);
		w->has_health = r == 0 && service.health.set;
		service_done(&service);
	}
	str_list_done(&annotations);
	return r;
}

/* An image that would have to be fetched. */
static bool image_is_missing(const struct making *m)
{
	const char *name = json_string_value(json_object_get(m->service->spec, "image"));
	cleanup_free char *stored = NULL;

	if (!name)
		name = json_string_value(json_object_get(m->base, "image"));
	if (!name || !*name)
		return false;
	stored = image_root_stored(name);
	return !stored;
}

static int replica_expand(struct making *m, bool fetch, struct stack_replica *w)
{
	cleanup_json json_t *v = NULL, *over = NULL, *doc = NULL;
	int r = parts_make(m, w, &v, &over);

	if (r == 0)
		r = str_copy(&w->folder, m->folder);
	if (r < 0 || (!fetch && image_is_missing(m)))
		return r;
	r = spec_expand(v, over, m->defaults, m->folder, &doc);
	if (r < 0)
		return fail_in(r, "services.%s", m->service->name);
	/* A pure OCI document may come back as it is. */
	if (doc == v || doc == m->base || doc == m->service->spec) {
		json_t *copy = json_deep_copy(doc);

		json_decref(doc);
		doc = copy;
	}
	if (!doc)
		return fail_memory();
	r = annotations_put(m, w, doc);
	if (r == 0)
		r = health_find(doc, w);
	if (r == 0)
		r = digest_put(m, w, doc);
	if (r < 0)
		return fail_in(r, "services.%s", m->service->name);
	w->text = json_text(doc);
	return w->text ? 0 : fail_memory();
}

static int service_make(struct making *m, bool fetch, struct stack_wanted *ret)
{
	size_t index = (size_t)(m->service - m->stack->services);
	struct str_list files = { .items = NULL };
	int r = base_load(m);

	if (r == 0)
		r = stack_files_read(m->stack, m->service, ret, &files);
	for (int64_t i = 1; r == 0 && i <= m->service->replicas; i++) {
		struct stack_replica *more = realloc(ret->replicas, (ret->count + 1) * sizeof(*more)), *w;

		if (!more)
			r = fail_memory();
		if (r < 0)
			break;
		ret->replicas = more;
		w = &more[ret->count++];
		*w = (struct stack_replica){ .service = index, .number = (unsigned int)i };
		r = str_format(&w->id, "%s-%s-%u", m->stack->name, m->service->name, w->number);
		for (size_t j = 0; r == 0 && j < files.count; j++)
			r = str_list_add(&w->files, files.items[j]);
		if (r == 0)
			r = replica_expand(m, fetch, w);
	}
	str_list_done(&files);
	free(m->folder);
	json_decref(m->base);
	return r;
}

/* What somebody waits for has to be able to become so. */
static int health_check(const struct stack *stack, const struct stack_wanted *wanted)
{
	for (size_t i = 0; i < stack->service_count; i++)
		for (size_t j = 0; j < stack->services[i].need_count; j++) {
			const struct stack_need *need = &stack->services[i].needs[j];

			if (!stack->services[i].selected || need->condition != STACK_HEALTHY)
				continue;
			for (size_t k = 0; k < wanted->count; k++)
				if (wanted->replicas[k].service == need->index && wanted->replicas[k].text && !wanted->replicas[k].has_health)
					return fail_plain(EINVAL, "services.%s.depends_on: '%s' can never be healthy: it has no health check "
							  "('health')", stack->services[i].name, need->service);
		}
	return 0;
}

int stack_wanted_make(const struct container_place *place, const struct stack *stack, bool fetch, struct stack_wanted *ret)
{
	cleanup_json json_t *config = NULL;
	int r = config_load(&config);

	for (size_t i = 0; r == 0 && i < stack->service_count; i++) {
		struct making m = { .place = place, .stack = stack, .service = &stack->services[i],
				    .defaults = json_object_get(config, "defaults") };

		if (stack->services[i].selected)
			r = service_make(&m, fetch, ret);
	}
	return r < 0 ? r : health_check(stack, ret);
}

void stack_wanted_done(struct stack_wanted *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct stack_replica *w = &wanted->replicas[i];

		free(w->id);
		free(w->folder);
		free(w->text);
		str_list_done(&w->networks);
		str_list_done(&w->volumes);
		str_list_done(&w->files);
	}
	for (size_t i = 0; i < wanted->content_count; i++) {
		free(wanted->contents[i].name);
		free(wanted->contents[i].data);
	}
	free(wanted->replicas);
	free(wanted->contents);
	*wanted = (struct stack_wanted){ .replicas = NULL };
}
