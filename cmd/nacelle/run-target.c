/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which spec `run` means, and what the flags change in it. The flags become an object in the short form, by a
 * table, so that they mean exactly what the keys of the same names mean in a file; only paths count from
 * the working directory rather than from the file's folder.
 */
#include "cmd/nacelle/run.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/options.h"
#include "runtime/base/json.h"
#include "runtime/bundle.h"
#include "runtime/image-root.h"
#include "runtime/state.h"

enum how {
	HOW_TEXT,	/* a string as it is */
	HOW_NUMBER,	/* an integer */
	HOW_TRUE,	/* a flag */
	HOW_LIST,	/* an array of strings */
	HOW_PATHS,	/* the same, of paths */
	HOW_VOLUMES,	/* the same, of paths with a tail behind ':' */
	HOW_SECURITY,	/* the same; "seccomp=" may name a file */
	HOW_MAP,	/* an object, from "key=value" */
};

#define RUN(member) offsetof(struct run_options, member)

static const struct override {
	const char *key;
	enum how how;
	size_t offset;
	const char *flag;
} overrides[] = {
	{ "env_file",     HOW_PATHS,    RUN(env_file),     "env-file" },
	{ "env",          HOW_LIST,     RUN(env),          "env" },
	{ "volumes",      HOW_VOLUMES,  RUN(volumes),      "volume" },
	{ "tmpfs",        HOW_LIST,     RUN(tmpfs),        "tmpfs" },
	{ "devices",      HOW_LIST,     RUN(devices),      "device" },
	{ "memory",       HOW_TEXT,     RUN(memory),       "memory" },
	{ "cpus",         HOW_TEXT,     RUN(cpus),         "cpus" },
	{ "pids",         HOW_NUMBER,   RUN(pids),         "pids-limit" },
	{ "user",         HOW_TEXT,     RUN(user),         "user" },
	{ "cwd",          HOW_TEXT,     RUN(cwd),          "workdir" },
	{ "hostname",     HOW_TEXT,     RUN(hostname),     "hostname" },
	{ "read_only",    HOW_TRUE,     RUN(read_only),    "read-only" },
	{ "vm",           HOW_TRUE,     RUN(vm),           "vm" },
	{ "cap_add",      HOW_LIST,     RUN(cap_add),      "cap-add" },
	{ "cap_drop",     HOW_LIST,     RUN(cap_drop),     "cap-drop" },
	{ "network",      HOW_LIST,     RUN(network),      "network" },
	{ "ports",        HOW_LIST,     RUN(ports),        "publish" },
	{ "dns",          HOW_LIST,     RUN(dns),          "dns" },
	{ "ulimits",      HOW_MAP,      RUN(ulimits),      "ulimit" },
	{ "sysctl",       HOW_MAP,      RUN(sysctl),       "sysctl" },
	{ "security",     HOW_SECURITY, RUN(security),     "security-opt" },
	{ "labels",       HOW_LIST,     RUN(labels),       "label" },
	{ "stop_signal",  HOW_TEXT,     RUN(stop_signal),  "stop-signal" },
	{ "stop_timeout", HOW_TEXT,     RUN(stop_timeout), "stop-timeout" },
	{ "restart",      HOW_TEXT,     RUN(restart),      "restart" },
	{ "init",         HOW_TRUE,     RUN(init),         "init" },
	{ "tty",          HOW_TRUE,     RUN(tty),          "tty" },
};

void run_options_done(struct run_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(overrides); i++)
		if (overrides[i].how >= HOW_LIST)
			str_list_done((void *)((char *)o + overrides[i].offset));
	str_list_done(&o->log_options);
}

static int set(json_t *v, const char *key, json_t *value)
{
	/* What is no UTF-8 makes no JSON string. */
	if (!value)
		return fail_plain(EILSEQ, "%s: is not UTF-8", key);
	return json_object_set_new(v, key, value) < 0 ? fail(ENOMEM, "read the options") : 0;
}

/* A path of the command line, from @prefix letters on, counts from our working directory. */
static int path_from_here(const char *text, size_t prefix, char **ret_text)
{
	cleanup_free char *here = NULL;

	if (text[prefix] == '/')
		return str_copy(ret_text, text);
	here = getcwd(NULL, 0);
	if (!here)
		return fail(errno, "find the working directory");
	return str_format(ret_text, "%.*s%s/%s", (int)prefix, text, here, text + prefix);
}

static int item_text(enum how how, const char *text, char **ret_text)
{
	const char *rest = str_starts(text, "seccomp=");

	if (how == HOW_PATHS)
		return path_from_here(text, 0, ret_text);
	if (how == HOW_VOLUMES && *text == '.')
		return path_from_here(text, 0, ret_text);
	if (how == HOW_SECURITY && rest && *rest && !str_eq(rest, "unconfined") && !str_eq(rest, "default"))
		return path_from_here(text, (size_t)(rest - text), ret_text);
	return str_copy(ret_text, text);
}

static int set_list(json_t *v, const struct override *row, const struct str_list *list)
{
	cleanup_json json_t *items = json_array();

	if (!items)
		return fail(ENOMEM, "read the options");
	for (size_t i = 0; i < list->count; i++) {
		cleanup_free char *text = NULL;
		json_t *item;
		int r = item_text(row->how, list->items[i], &text);

		if (r < 0)
			return r;
		item = json_string(text);
		if (!item)
			return fail_plain(EILSEQ, "--%s: is not UTF-8", row->flag);
		if (json_array_append_new(items, item) < 0)
			return fail(ENOMEM, "read the options");
	}
	return set(v, row->key, steal_ptr(&items));
}

static int set_map(json_t *v, const struct override *row, const struct str_list *list)
{
	cleanup_json json_t *map = json_object();

	if (!map)
		return fail(ENOMEM, "read the options");
	for (size_t i = 0; i < list->count; i++) {
		const char *equals = strchr(list->items[i], '=');
		cleanup_free char *key = NULL;
		int r;

		if (!equals || equals == list->items[i])
			return fail_plain(EINVAL, "--%s: '%s' is not NAME=VALUE", row->flag, list->items[i]);
		r = str_format(&key, "%.*s", (int)(equals - list->items[i]), list->items[i]);
		if (r == 0)
			r = set(map, key, json_string(equals + 1));
		if (r < 0)
			return r;
	}
	return set(v, row->key, steal_ptr(&map));
}

static int set_number(json_t *v, const struct override *row, const char *text)
{
	int64_t number;

	if (str_to_i64(text, INT64_MIN, INT64_MAX, &number) < 0)
		return fail_plain(EINVAL, "--%s: '%s' is not a number", row->flag, text);
	return set(v, row->key, json_integer(number));
}

static int override_set(json_t *v, const struct override *row, const struct run_options *o)
{
	const void *place = (const char *)o + row->offset;

	if (row->how == HOW_TRUE)
		return *(const bool *)place ? set(v, row->key, json_true()) : 0;
	if (row->how >= HOW_LIST) {
		const struct str_list *list = place;

		if (!list->count)
			return 0;
		return row->how == HOW_MAP ? set_map(v, row, list) : set_list(v, row, list);
	}
	if (!*(char *const *)place)
		return 0;
	if (row->how == HOW_NUMBER)
		return set_number(v, row, *(char *const *)place);
	return set(v, row->key, json_string(*(char *const *)place));
}

static int set_words(json_t *v, const char *key, char **words, size_t count)
{
	struct str_list list = { .items = words, .count = count };
	const struct override row = { .key = key, .how = HOW_LIST, .flag = key };

	return set_list(v, &row, &list);
}

int run_overrides(const struct run_options *o, char **args, size_t arg_count, json_t **ret_v)
{
	cleanup_json json_t *v = json_object();
	int r = v ? 0 : fail(ENOMEM, "read the options");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(overrides); i++)
		r = override_set(v, &overrides[i], o);
	if (r == 0 && o->entrypoint) {
		/* An empty one takes away what the spec has. */
		char *words[] = { strdup(o->entrypoint) };

		r = words[0] ? set_words(v, "entrypoint", words, *words[0] ? 1 : 0) : fail(ENOMEM, "read the options");
		free(words[0]);
	}
	if (r == 0)
		r = run_service_overrides(o, v);
	if (r == 0 && arg_count > 0)
		r = set_words(v, "args", args, arg_count);
	if (r == 0)
		*ret_v = steal_ptr(&v);
	return r;
}

static bool looks_like_path(const char *text)
{
	return *text == '/' || str_starts(text, "./") || str_starts(text, "../") || str_ends(text, ".json") ||
	       str_ends(text, "/") || str_eq(text, ".") || str_eq(text, "..");
}

static int image_load_spec(const char *name, json_t *v, struct run_target *t)
{
	cleanup_json json_t *spec = json_pack("{s:s}", "image", name);

	if (!spec)
		return fail_plain(EILSEQ, "the name of the image is not UTF-8");
	return bundle_load_json(name, spec, v, t->bundle);
}

/* Anything but a path: an image, or with a bundle around us and nothing behind it, runc's bare ID. */
static int word_load(const char *word, bool alone, json_t *v, struct run_target *t)
{
	cleanup_free char *stored = NULL;
	struct stat st;

	if (!alone || stat("config.json", &st) < 0 || state_id_check(word) < 0)
		return image_load_spec(word, v, t);
	stored = image_root_stored(word);
	if (stored)
		return fail_plain(EINVAL, "'%s' is both an image and an ID for the bundle around us: 'run -b . %s' runs the "
				  "bundle, 'run %s' the image", word, word, stored);
	t->id = word;
	t->literal = true;
	return bundle_load_folder(".", v, t->bundle);
}

static int path_load(const char *path, json_t *v, struct run_target *t)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return bundle_load_folder(path, v, t->bundle);
	return bundle_load_file(path, v, t->bundle);
}

int run_target_load(const struct run_options *o, const struct operands *operands, struct run_target *ret)
{
	cleanup_json json_t *v = NULL;
	const char *word = operands->count ? operands->items[0] : NULL;
	size_t skip = operands->count > 0;
	int r = run_overrides(o, operands->items + skip, operands->count - skip, &v);

	if (r < 0)
		return r;
	if (o->bundle || o->config) {
		const char *folder = o->bundle ? o->bundle : ".";

		ret->id = word;
		ret->literal = true;
		return o->config ? bundle_load_apart(folder, o->config, v, ret->bundle) : bundle_load_folder(folder, v, ret->bundle);
	}
	if (str_eq(word, "-")) {
		ret->stdin_taken = true;
		return bundle_load_stdin(v, ret->bundle);
	}
	return looks_like_path(word) ? path_load(word, v, ret) : word_load(word, operands->count == 1, v, ret);
}
