/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A look at all that there is of a stack. A container that cannot be read must not hide the others: a warning, and on. */
#include "runtime/service/stack-found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/container.h"
#include "runtime/network.h"
#include "runtime/service/stack.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/state.h"
#include "runtime/volume.h"

const char *stack_annotation(const struct container_info *info, const char *key)
{
	cleanup_free char *full = NULL;

	return str_format(&full, SHORT_ANNOTATION "%s", key) < 0 ? NULL : str_env_find(&info->annotations, full);
}

/* @text, cut at blanks, each word up to @end. */
static int words_cut(const char *text, char end, struct str_list *ret)
{
	int r = 0;

	while (r == 0 && text && *text) {
		size_t n = strcspn(text, " "), kept = 0;

		while (kept < n && text[kept] != end)
			kept++;
		if (kept > 0)
			r = str_list_addf(ret, "%.*s", (int)kept, text);
		text += n + (text[n] == ' ');
	}
	return r;
}

/* To have ended with 0 is what a job is for, unless its policy says that it is to run. */
static int ending_read(const struct container_info *info, struct stack_container *c)
{
	struct service service;
	int r = service_read(&info->annotations, &service);

	c->exit_status = info->exit_known ? info->exit_status : -1;
	c->complete = info->status == CONTAINER_STOPPED && c->exit_status == 0 && service.restart != RESTART_ALWAYS &&
		      service.restart != RESTART_UNLESS_STOPPED;
	service_done(&service);
	return r;
}

int stack_container_read(const struct container_info *info, struct stack_container *ret)
{
	const char *service = stack_annotation(info, STACK_SERVICE_ANNOTATION), *digest = stack_annotation(info, STACK_DIGEST_ANNOTATION);
	/* Whatever its process does just now: it will be started, or its end is just being written down. */
	bool tended = info->keeper_lives && !info->exit_known;
	int r = str_copy(&ret->id, info->id);

	ret->half = !tended && (info->stale || info->status == CONTAINER_CREATING || info->status == CONTAINER_CREATED || info->keeper_pid == 0);
	ret->lost = info->keeper_lost;
	ret->running = tended || info->status == CONTAINER_RUNNING || info->status == CONTAINER_PAUSED;
	if (r == 0)
		r = str_copy(&ret->service, service ? service : "");
	if (r == 0)
		r = str_copy(&ret->digest, digest ? digest : "");
	if (r == 0)
		r = words_cut(stack_annotation(info, STACK_NEEDS_ANNOTATION), ' ', &ret->needs);
	if (r == 0)
		r = words_cut(stack_annotation(info, STACK_FILES_ANNOTATION), ' ', &ret->files);
	if (r == 0)
		r = words_cut(stack_annotation(info, "network"), ':', &ret->networks);
	return r < 0 ? r : ending_read(info, ret);
}

void stack_container_done(struct stack_container *c)
{
	free(c->id);
	free(c->service);
	free(c->digest);
	str_list_done(&c->needs);
	str_list_done(&c->networks);
	str_list_done(&c->files);
}

static int containers_read(const struct container_place *place, const char *name, struct stack_found *ret)
{
	struct str_list ids = { .items = NULL };
	int r = state_list(place->root, &ids);

	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		struct container_info info;
		struct stack_container *more;
		const char *of;

		r = container_look(place, ids.items[i], &info);
		if (r < 0)
			log_warn("%s, ignoring", fail_text());
		if (r != 0) {
			r = 0;
			continue;
		}
		of = stack_annotation(&info, STACK_ANNOTATION);
		if (of && str_eq(of, name)) {
			more = realloc(ret->containers, (ret->container_count + 1) * sizeof(*more));
			if (more) {
				ret->containers = more;
				more[ret->container_count] = (struct stack_container){ .id = NULL };
				r = stack_container_read(&info, &more[ret->container_count++]);
			} else {
				r = fail(ENOMEM, "look at stack '%s'", name);
			}
		}
		container_info_done(&info);
	}
	str_list_done(&ids);
	return r;
}

static int thing_add(struct stack_thing **things, size_t *count, const char *name, const char *digest)
{
	struct stack_thing *more = realloc(*things, (*count + 1) * sizeof(*more)), *t;
	int r;

	if (!more)
		return fail(ENOMEM, "look at a stack");
	*things = more;
	t = &more[(*count)++];
	*t = (struct stack_thing){ .name = NULL };
	r = str_copy(&t->name, name);
	return r < 0 ? r : str_copy(&t->digest, digest);
}

/* Whether it was made for the stack of that name; the digest that it was made with. */
static bool labels_fit(json_t *labels, const char *name, const char **ret_digest)
{
	const char *of = json_string_value(json_object_get(labels, SHORT_ANNOTATION STACK_ANNOTATION));
	const char *digest = json_string_value(json_object_get(labels, SHORT_ANNOTATION STACK_DIGEST_ANNOTATION));

	*ret_digest = digest ? digest : "";
	return of && str_eq(of, name);
}

static int networks_read(const struct container_place *place, const char *name, struct stack_found *ret)
{
	cleanup_json json_t *all = NULL;
	int r = network_list_json(place, NULL, &all);
	json_t *n;
	size_t i;

	json_array_foreach(all, i, n) {
		const char *digest, *real = json_string_value(json_object_get(n, "name"));

		if (r == 0 && real && labels_fit(json_object_get(n, "labels"), name, &digest))
			r = thing_add(&ret->networks, &ret->network_count, real, digest);
	}
	return r;
}

static int volumes_read(const struct container_place *place, const char *name, struct stack_found *ret)
{
	cleanup_volumes struct volumes v = VOLUMES_NONE;
	struct str_list names = { .items = NULL };
	int r = volumes_open(place->data, false, &v);

	if (r != 0)
		return r < 0 ? r : 0;
	r = volume_list(&v, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		struct volume_info info = { .name = NULL };
		const char *digest;
		int looked = volume_look(&v, names.items[i], &info);

		if (looked < 0)
			log_warn("%s, ignoring", fail_text());
		if (looked == 0 && labels_fit(info.labels, name, &digest))
			r = thing_add(&ret->volumes, &ret->volume_count, names.items[i], digest);
		volume_info_done(&info);
	}
	str_list_done(&names);
	return r;
}

/* Those of the host that this stack's containers are in. */
static int broken_read(const struct container_place *place, struct stack_found *ret)
{
	struct str_list all = { .items = NULL };
	int r = ret->container_count ? network_broken(place, &all) : 0;

	for (size_t i = 0; r == 0 && i < all.count; i++) {
		bool ours = false;

		for (size_t j = 0; j < ret->container_count; j++)
			ours |= str_list_has(&ret->containers[j].networks, all.items[i]);
		if (ours)
			r = str_list_add(&ret->broken, all.items[i]);
	}
	str_list_done(&all);
	return r;
}

int stack_found_read(const struct container_place *place, const char *name, struct stack_found *ret)
{
	int r = containers_read(place, name, ret);

	if (r == 0)
		r = networks_read(place, name, ret);
	if (r == 0)
		r = broken_read(place, ret);
	return r < 0 ? r : volumes_read(place, name, ret);
}

static void things_done(struct stack_thing *things, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(things[i].name);
		free(things[i].digest);
	}
	free(things);
}

void stack_found_done(struct stack_found *found)
{
	for (size_t i = 0; i < found->container_count; i++)
		stack_container_done(&found->containers[i]);
	free(found->containers);
	things_done(found->networks, found->network_count);
	things_done(found->volumes, found->volume_count);
	str_list_done(&found->broken);
	*found = (struct stack_found){ .containers = NULL };
}
