/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two files, the second over the first: the machine's and the user's. Both are policy, so a file that
 * somebody else could have written is refused rather than read.
 */
#include "runtime/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/base/str.h"

#define SYSTEM_FILE "/etc/nacelle/config.json"

struct config {
	bool defaults, debug; /* that they were there, and of the right type */
	char *root, *log, *log_format, *cgroup_manager, *store, *registry;
	struct str_list address_pools;
	struct str_list mirrors; /* of the registry that was looked at last */
};

static int get_defaults(const struct json_at *at, json_t *v, void *target,
			const struct json_field *field)
{
	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object, not %s", json_type_text(v));
	*(bool *)target = true;
	return 0;
}

static int get_format(const struct json_at *at, json_t *v, void *target,
		      const struct json_field *field)
{
	static const struct json_name formats[] = {
		{ "text", 0 },
		{ "json", 1 },
		{ NULL, 0 },
	};
	const struct json_field as_enum = { .arg = formats };
	int format, r;

	r = json_get_enum(at, v, &format, &as_enum);
	return r < 0 ? r : json_get_string(at, v, target, field);
}

static int get_manager(const struct json_at *at, json_t *v, void *target,
		       const struct json_field *field)
{
	static const struct json_name managers[] = {
		{ "cgroupfs", 0 },
		{ "systemd", 1 },
		{ NULL, 0 },
	};
	const struct json_field as_enum = { .arg = managers };
	int manager, r;

	r = json_get_enum(at, v, &manager, &as_enum);
	return r < 0 ? r : json_get_string(at, v, target, field);
}

static int get_mirrors(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	const struct json_field list = { .flags = JSON_NOT_EMPTY };
	const char *registry;
	json_t *places;

	(void)field;
	if (!json_is_object(v))
		return json_fail(at, "must be an object of arrays, not %s", json_type_text(v));
	json_object_foreach(v, registry, places) {
		const struct json_at here = { .up = at, .key = registry };
		int r = json_get_strings(&here, places, target, &list);

		if (r < 0)
			return r;
	}
	return 0;
}

#define CONFIG(member) offsetof(struct config, member)

static const struct json_field config_fields[] = {
	{ "defaults", get_defaults, CONFIG(defaults), 0, NULL,
	  "a short form that loses to every spec" },
	{ "root", json_get_string, CONFIG(root), JSON_ABSOLUTE, NULL,
	  "the folder of the state records" },
	{ "log", json_get_string, CONFIG(log), JSON_NOT_EMPTY, NULL,
	  "file that lines are written to" },
	{ "log_format", get_format, CONFIG(log_format), 0, NULL, "text or json" },
	{ "cgroup_manager", get_manager, CONFIG(cgroup_manager), 0, NULL,
	  "cgroupfs or systemd: who makes cgroups" },
	{ "store", json_get_string, CONFIG(store), JSON_ABSOLUTE, NULL, "the folder of the images" },
	{ "registry", json_get_string, CONFIG(registry), JSON_NOT_EMPTY, NULL,
	  "what the name of an image without one means" },
	{ "mirrors", get_mirrors, CONFIG(mirrors), 0, NULL, "by registry, where its images are asked for first" },
	{ "address_pools", json_get_strings, CONFIG(address_pools), JSON_NOT_EMPTY, NULL,
	  "where subnets of networks are taken from" },
	{ "debug", json_get_bool, CONFIG(debug), 0, NULL, "write down what is being done" },
	{ 0 },
};

/* Types and names only: what goes on from here is the JSON. */
static int config_check(json_t *v)
{
	struct config config = { .root = NULL };
	int r;

	r = json_object_read(&JSON_ROOT, v, config_fields, JSON_CLOSED, &config);
	free(config.root);
	free(config.store);
	free(config.registry);
	free(config.log);
	free(config.log_format);
	free(config.cgroup_manager);
	str_list_done(&config.address_pools);
	str_list_done(&config.mirrors);
	return r;
}

static int owner_check(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%s' is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return fail_plain(EPERM, "'%s' belongs to another user, so it is not read", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return fail_plain(EPERM,
				  "'%s' can be written by others, so it is not read: chmod go-w it",
				  path);
	return 0;
}

static int file_load(json_t *config, const char *path)
{
	/* O_NONBLOCK: a FIFO must not make us wait. */
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	cleanup_json json_t *v = NULL;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0)
		return fail(errno, "open '%s'", path);
	r = owner_check(path, fd);
	if (r == 0)
		r = json_read_fd(path, fd, &v);
	if (r < 0)
		return r;
	r = config_check(v);
	return r < 0 ? fail_in(r, "%s", path) : json_lay_over(config, v);
}

/* Of the user: relative values are as unset (XDG base directory specification). */
static int user_file(char **ret_path)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (xdg && *xdg == '/')
		return str_format(ret_path, "%s/nacelle/config.json", xdg);
	if (home && *home == '/')
		return str_format(ret_path, "%s/.config/nacelle/config.json", home);
	*ret_path = NULL;
	return 0;
}

int config_load(json_t **ret_config)
{
	cleanup_json json_t *config = NULL;
	cleanup_free char *path = NULL;
	int r;

	json_seed();
	config = json_object();
	if (!config)
		return fail(ENOMEM, "read the configuration");
	r = file_load(config, SYSTEM_FILE);
	if (r == 0)
		r = user_file(&path);
	if (r == 0 && path)
		r = file_load(config, path);
	if (r < 0)
		return r;
	*ret_config = steal_ptr(&config);
	return 0;
}

struct config_images config_images(const json_t *config)
{
	const char *store = getenv("NACELLE_STORE");

	return (struct config_images){
		.store = store && *store ? store : json_string_value(json_object_get(config, "store")),
		.registry = json_string_value(json_object_get(config, "registry")),
	};
}
