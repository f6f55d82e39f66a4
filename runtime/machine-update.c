/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which limit is whose is the same as at the machine's start (spec-vm-split.c).
 */
#include "runtime/machine-update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/kept.h"
#include "runtime/machine.h"

static const char *const inside[] = { "memory", "pids", "devices" };
static const char *const nowhere[] = { "hugepageLimits", "network", "rdma", "unified" };

static int check(const json_t *resources)
{
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++) {
		const json_t *v = json_object_get(resources, nowhere[i]);

		if (json_object_size(v) + json_array_size(v) > 0)
			return fail_plain(ENOTSUP, "linux.resources.%s: not supported with 'vm'", nowhere[i]);
	}
	return 0;
}

/* Borrowed members. @ret: those of @resources that are the guest's; NULL: none */
static int inside_pick(const json_t *resources, json_t **ret)
{
	cleanup_json json_t *picked = json_object();

	for (size_t i = 0; picked && i < ARRAY_SIZE(inside); i++) {
		json_t *v = json_object_get(resources, inside[i]);

		if (v && json_object_set(picked, inside[i], v) < 0)
			return fail(ENOMEM, "divide the limits");
	}
	if (!picked)
		return fail(ENOMEM, "divide the limits");
	*ret = json_object_size(picked) ? steal_ptr(&picked) : NULL;
	return 0;
}

/* What would bring back what holds: as it is kept, or no limit. */
static json_t *before_make(const json_t *kept, json_t *picked)
{
	const json_t *resources = json_object_get(json_object_get(kept, "linux"), "resources");
	json_t *before = json_object();
	const char *key;
	json_t *v;

	json_object_foreach(picked, key, v) {
		json_t *old = json_object_get(resources, key);

		old = old ? json_deep_copy(old) : json_is_array(v) ? json_array() : json_object();
		if (json_is_object(old) && !json_object_get(old, "limit"))
			(void)json_object_set_new(old, "limit", json_integer(-1));
		if (json_object_set_new(before, key, old) < 0) {
			json_decref(before);
			return NULL;
		}
	}
	return before;
}

static int ask(const struct state_dir *dir, json_t *resources)
{
	cleanup_json json_t *question = json_pack("{s:O}", "update", resources), *answer = NULL;

	return question ? machine_ask(dir, question, &answer) : fail(ENOMEM, "make a question");
}

/* @kept: the container's spec, which has a machine */
static int inside_change(const struct state *state, const json_t *kept, json_t *resources, struct machine_update *u)
{
	cleanup_json json_t *picked = NULL;
	enum container_status status;
	int r = check(resources);

	if (r == 0)
		r = kept_status(state, &status);
	if (r == 0)
		r = inside_pick(resources, &picked);
	if (r < 0 || !picked)
		return r;
	if (status != CONTAINER_RUNNING)
		return fail_plain(EINVAL, "container '%s' cannot be updated: its virtual machine is %s", state->id,
				  container_status_name(status));
	u->before = before_make(kept, picked);
	if (!u->before)
		return fail(ENOMEM, "divide the limits");
	r = ask(&u->dir, picked);
	if (r < 0) {
		json_decref(u->before);
		u->before = NULL;
	}
	return r;
}

int machine_update_inside(const struct container_place *place, const char *id, json_t *resources,
			  struct machine_update *ret)
{
	struct machine_update u = { .dir = STATE_DIR_NONE };
	struct state state = { .pid = 0 };
	cleanup_json json_t *kept = NULL;
	int r = kept_open(place, id, false, &u.dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_json(&u.dir, &kept);
	u.is_one = r == 0 && json_object_get(kept, "vm");
	if (u.is_one)
		r = inside_change(&state, kept, resources, &u);
	state_done(&state);
	if (r < 0)
		state_close(&u.dir);
	else
		*ret = u;
	return r;
}

void machine_update_done(struct machine_update *u, bool undo)
{
	cleanup_free char *text = undo ? strdup(fail_text()) : NULL;

	if (undo && u->before) {
		if (ask(&u->dir, u->before) < 0)
			log_warn("take back an update that failed: %s, ignoring", fail_text());
		(void)fail_plain(EINVAL, "%s", text ? text : "out of memory");
	}
	json_decref(u->before);
	state_close(&u->dir);
}
