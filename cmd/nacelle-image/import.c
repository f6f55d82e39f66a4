/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import, and commit: one layer out of a tar or a folder, with a config made of --change options.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

/* How a value goes into the config. */
enum shape { SHAPE_TEXT, SHAPE_COMMAND, SHAPE_LIST, SHAPE_MAP, SHAPE_SET };

static const struct change {
	const char *name, *key;
	enum shape shape;
} changes[] = {
	{ "CMD", "Cmd", SHAPE_COMMAND },     { "ENTRYPOINT", "Entrypoint", SHAPE_COMMAND },
	{ "ENV", "Env", SHAPE_LIST },	     { "USER", "User", SHAPE_TEXT },
	{ "WORKDIR", "WorkingDir", SHAPE_TEXT }, { "LABEL", "Labels", SHAPE_MAP },
	{ "EXPOSE", "ExposedPorts", SHAPE_SET }, { "VOLUME", "Volumes", SHAPE_SET },
	{ "STOPSIGNAL", "StopSignal", SHAPE_TEXT },
};

/* A JSON list as it is; any other text is for the shell. */
static json_t *command_value(const char *value)
{
	json_t *v = NULL;

	if (*value != '[')
		return json_pack("[sss]", "/bin/sh", "-c", value);
	return json_parse("--change", value, strlen(value), &v) < 0 ? NULL : v;
}

static json_t *child_get(json_t *config, const char *key, json_t *(*make)(void))
{
	if (!json_object_get(config, key))
		(void)json_object_set_new(config, key, make());
	return json_object_get(config, key);
}

static int change_apply(json_t *config, const struct change *c, const char *value)
{
	cleanup_free char *name = NULL;
	const char *equals = strchr(value, '=');
	json_t *v;

	switch (c->shape) {
	case SHAPE_TEXT: return json_object_set_new(config, c->key, json_string(value));
	case SHAPE_COMMAND:
		v = command_value(value);
		return v ? json_object_set_new(config, c->key, v) : -1;
	case SHAPE_LIST: return json_array_append_new(child_get(config, c->key, json_array), json_string(value));
	case SHAPE_SET: return json_object_set_new(child_get(config, c->key, json_object), value, json_object());
	case SHAPE_MAP:
		if (str_format(&name, "%.*s", (int)(equals ? equals - value : (int)strlen(value)), value) < 0)
			return -1;
		return json_object_set_new(child_get(config, c->key, json_object), name,
					   json_string(equals ? equals + 1 : ""));
	}
	return -1;
}

static int config_make(const struct settings *settings, json_t **ret)
{
	cleanup_json json_t *config = json_object();

	for (size_t i = 0; i < settings->changes.count; i++) {
		const char *text = settings->changes.items[i];
		size_t len = strcspn(text, "= "), n = 0;

		while (n < ARRAY_SIZE(changes) &&
		       (strlen(changes[n].name) != len || strncmp(changes[n].name, text, len) != 0))
			n++;
		if (n == ARRAY_SIZE(changes) || !text[len])
			return usage_fail("import", "--change: '%s' is not KEY=VALUE with a known key", text);
		if (change_apply(config, &changes[n], text + len + 1) < 0)
			return usage_fail("import", "--change: '%s' has a wrong value", text);
	}
	*ret = steal_ptr(&config);
	return 0;
}

int verb_commit(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference name = { .registry = NULL };
	struct platform platform = { .os = NULL };
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *base = NULL;
	cleanup_json json_t *config = NULL;
	cleanup_fd int fd = open(operands[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct settings own = *settings;
	char digest[DIGEST_TEXT];
	struct load load;
	int r;

	if (fd < 0)
		return fail(errno, "open '%s'", operands[1]);
	own.name = count > 2 ? operands[2] : NULL;
	r = config_make(settings, &config);
	if (r >= 0)
		r = store_need(settings, &store);
	if (r >= 0)
		r = image_need(store, operands[0], &base, NULL);
	if (r >= 0)
		r = load_prepare(&own, store, &name, &platform, &load);
	if (r >= 0)
		r = image_commit(&load, base, fd, config, digest);
	platform_done(&platform);
	if (r < 0)
		return fail_in(r, "commit '%s'", operands[0]);
	(void)printf("%s\n", digest);
	return 0;
}

int verb_import(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference name = { .registry = NULL };
	struct platform platform = { .os = NULL };
	cleanup_store struct store *store = NULL;
	cleanup_json json_t *config = NULL;
	bool is_stdin = str_eq(operands[0], "-");
	cleanup_fd int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) :
				       open(operands[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct settings own = *settings;
	char digest[DIGEST_TEXT];
	struct load load;
	int r;

	if (fd < 0)
		return fail(errno, "open '%s'", operands[0]);
	own.name = count > 1 ? operands[1] : NULL;
	r = config_make(settings, &config);
	if (r >= 0)
		r = store_need(settings, &store);
	if (r >= 0)
		r = load_prepare(&own, store, &name, &platform, &load);
	if (r >= 0)
		r = image_import(&load, fd, config, digest);
	platform_done(&platform);
	if (r < 0)
		return fail_in(r, "import '%s'", operands[0]);
	(void)printf("%s\n", digest);
	return 0;
}
