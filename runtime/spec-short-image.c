/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key `image`: layers for the root, and what the image's config says of its process. The config comes from outside: it is
 * read as the short keys of the same meaning are, and nothing in it becomes a command but entrypoint and cmd. Source: the OCI
 * image-spec's config.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/image-root.h"
#include "runtime/spec-short-internal.h"

enum { ENV_MAX = 4096, VOLUMES_MAX = 256 };

/* A name without a value stands for ours in a file of the operator's; an image is not to be told what it is. */
static int image_env(struct short_form *s, const struct json_at *at, json_t *v)
{
	json_t *item;
	size_t i;

	if (json_array_size(v) > ENV_MAX)
		return json_fail(at, "has more than %d variables", ENV_MAX);
	json_array_foreach(v, i, item) {
		const char *text = json_string_value(item);

		if (text && !strchr(text, '='))
			return json_fail(&(struct json_at){ .up = at, .index = i }, "must be NAME=VALUE");
	}
	return short_env(s, at, v);
}

static int image_cmd(struct short_form *s, const struct json_at *at, json_t *v)
{
	int r = short_args(s, at, v);

	s->args_of_image = r == 0;
	return r;
}

/* A label that no annotation can hold is no reason not to run the image. */
static int image_labels(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_json json_t *fit = json_copy(v);
	char quoted[STR_QUOTE_SIZE];
	const char *key;
	json_t *item;
	void *next;

	if (!fit)
		return fail(ENOMEM, "make a spec");
	json_object_foreach_safe(fit, next, key, item) {
		if (*key && !strchr(key, '='))
			continue;
		log_warn("image: the label %s has no usable name, ignoring", str_quote(quoted, key));
		(void)json_object_del(fit, key);
	}
	return short_labels(s, at, fit);
}

/* Each is a new volume, unless something else is mounted there. */
static int image_volumes(struct short_form *s, const struct json_at *at, json_t *v)
{
	cleanup_json json_t *list = json_array();
	const char *path;
	json_t *item;

	if (json_object_size(v) > VOLUMES_MAX)
		return json_fail(at, "has more than %d volumes", VOLUMES_MAX);
	json_object_foreach(v, path, item) {
		/* A colon would be read as the end of it. */
		if (*path != '/' || strpbrk(path, ":,"))
			return json_fail(&(struct json_at){ .up = at, .key = path }, "must be an absolute path");
		if (!list || json_array_append_new(list, json_string(path)) < 0)
			return fail(ENOMEM, "make a spec");
	}
	return short_volumes(s, at, list);
}

/* How a member of the config becomes a short key. */
static const struct member {
	const char *name;
	json_type type;
	short_apply *apply;
} members[] = {
	{ "Env",	 JSON_ARRAY,  image_env },
	{ "Entrypoint",	 JSON_ARRAY,  short_entrypoint },
	{ "Cmd",	 JSON_ARRAY,  image_cmd },
	{ "User",	 JSON_STRING, short_user },
	{ "WorkingDir",	 JSON_STRING, short_cwd },
	{ "StopSignal",	 JSON_STRING, short_stop_signal },
	{ "Labels",	 JSON_OBJECT, image_labels },
	{ "Volumes",	 JSON_OBJECT, image_volumes },
};

/* Docker writes null and "" for what is not set. */
static bool is_unset(const json_t *v)
{
	return !v || json_is_null(v) || (json_is_string(v) && !*json_string_value(v));
}

static int member_apply(struct short_form *s, const struct json_at *at, const struct member *m, json_t *config)
{
	const struct json_at here = { .up = at, .key = m->name };
	json_t *v = json_object_get(config, m->name);

	if (is_unset(v))
		return 0;
	if (json_typeof(v) != m->type)
		return json_fail(&here, "must not be %s", json_type_text(v));
	return m->apply(s, &here, v);
}

/* PORT[-PORT][/PROTOCOL] */
static bool is_port(const char *text)
{
	uint64_t first = 0, last;
	char one[8], two[8], protocol[8] = "tcp", end;
	int n = sscanf(text, "%7[0-9]-%7[0-9]/%7s%c", one, two, protocol, &end);

	if (n == 1) {
		memcpy(two, one, sizeof(two));
		n = sscanf(text, "%7[0-9]/%7s%c", one, protocol, &end);
		/* "80", and "80/udp", but not "80x" */
		if (n > 2 || (n == 1 && text[strlen(one)]))
			return false;
	} else if (n < 2 || n > 3 || (n == 2 && strlen(text) != strlen(one) + strlen(two) + 1)) {
		return false;
	}
	return str_to_u64(one, UINT16_MAX, &first) == 0 && str_to_u64(two, UINT16_MAX, &last) == 0 && first > 0 &&
	       first <= last && (str_eq(protocol, "tcp") || str_eq(protocol, "udp") || str_eq(protocol, "sctp"));
}

/* What we have no use for yet is kept for who asks: ports as "80/tcp 443/tcp", the health check as it is. */
static int notes_keep(struct short_form *s, const struct json_at *at, json_t *config)
{
	json_t *ports = json_object_get(config, "ExposedPorts"), *health = json_object_get(config, "Healthcheck"), *v;
	cleanup_free char *list = NULL;
	char quoted[STR_QUOTE_SIZE];
	const char *port;
	int r = 0;

	if (ports && !json_is_null(ports) && !json_is_object(ports))
		return json_fail(&(struct json_at){ .up = at, .key = "ExposedPorts" }, "must be an object, not %s",
				 json_type_text(ports));
	json_object_foreach(ports, port, v) {
		char *longer = NULL;

		if (!is_port(port)) {
			log_warn("image: the exposed port %s is none, ignoring", str_quote(quoted, port));
			continue;
		}
		r = str_format(&longer, "%s%s%s", list ? list : "", list ? " " : "", port);
		if (r < 0)
			return r;
		free(list);
		list = longer;
	}
	if (list)
		r = short_annotate(s->doc, "image_ports", list);
	if (r == 0 && json_is_object(health)) {
		cleanup_free char *text = json_dumps(health, JSON_COMPACT);

		r = text ? short_annotate(s->doc, "image_health", text) : fail(ENOMEM, "make a spec");
	}
	return r;
}

static int layers_take(struct short_form *s, const struct image_root *root)
{
	json_t *layers = json_array();

	for (size_t i = 0; layers && i < root->layers.count; i++)
		if (json_array_append_new(layers, json_string(root->layers.items[i])) < 0) {
			json_decref(layers);
			layers = NULL;
		}
	if (!layers)
		return fail(ENOMEM, "make a spec");
	json_decref(s->layers);
	s->layers = layers;
	json_decref(s->image);
	s->image = json_string(root->manifest);
	return s->image ? 0 : fail(ENOMEM, "make a spec");
}

static int root_apply(struct short_form *s, const struct json_at *at, const struct image_root *root)
{
	int r = layers_take(s, root);

	if (r == 0)
		r = short_annotate(s->doc, "image", root->name);
	if (r == 0)
		r = short_annotate(s->doc, IMAGE_ANNOTATION, root->manifest);
	if (!root->config || json_is_null(root->config))
		return r;
	if (r == 0 && !json_is_object(root->config))
		r = json_fail(at, "the image's config must be an object, not %s", json_type_text(root->config));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(members); i++)
		r = member_apply(s, at, &members[i], root->config);
	return r < 0 ? r : notes_keep(s, at, root->config);
}

int short_image(struct short_form *s, const struct json_at *at, json_t *v)
{
	const struct json_at config = { .up = at, .key = "config" };
	struct image_root root = { .name = NULL };
	int r;

	if (!json_is_string(v))
		return json_fail(at, "must be the name of an image, not %s", json_type_text(v));
	if (!*json_string_value(v))
		return 0;
	if (json_object_get(s->current, "layers"))
		return json_fail(at, "makes the root already, and so do 'layers': give one of the two");
	if (s->trial)
		return 0;
	r = image_root_find(json_string_value(v), &root);
	if (r == IMAGE_ROOT_MISSING) {
		r = short_keys_try(s);
		if (r == 0)
			r = image_root_fetch(json_string_value(v), &root);
	}
	if (r == 0)
		r = root_apply(s, &config, &root);
	image_root_done(&root);
	return r;
}
