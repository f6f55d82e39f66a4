/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where state and logs stand, and where messages go. Root's folders are the system's; anybody else's are
 * in XDG_RUNTIME_DIR and XDG_DATA_HOME.
 */
#include "cmd/nacelle/globals.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/options.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/config.h"

#define GLOBAL(member) offsetof(struct global_options, member)

const struct option_row global_options[] = {
	{ "root", 0, OPTION_STRING, GLOBAL(root), "DIR", "folder of all state (/run/nacelle)" },
	{ "data", 0, OPTION_STRING, GLOBAL(data), "DIR", "folder of what outlives a boot (/var/lib/nacelle)" },
	{ "log", 0, OPTION_STRING, GLOBAL(log), "FILE", "append messages to FILE" },
	{ "log-format", 0, OPTION_STRING, GLOBAL(log_format), "FORMAT", "text or json" },
	{ "debug", 0, OPTION_FLAG, GLOBAL(debug), NULL, "say what is being done" },
	{ "systemd-cgroup", 0, OPTION_FLAG, GLOBAL(systemd_cgroup), NULL, "have cgroups made by systemd, as scopes" },
	{ "cgroup-manager", 0, OPTION_STRING, GLOBAL(cgroup_manager), "MANAGER", "cgroupfs, or systemd (as --systemd-cgroup)" },
	{ "criu", 0, OPTION_STRING, GLOBAL(criu), "PROGRAM", "criu, for checkpoint and restore (found by PATH)" },
	{ "rootless", 0, OPTION_STRING, GLOBAL(rootless), "WHEN", "auto, true or false; found out by itself" },
	{ "version", 'v', OPTION_FLAG, GLOBAL(version), NULL, "print the version" },
	{ "help", 'h', OPTION_FLAG, GLOBAL(help), NULL, "print this" },
	{ .name = NULL },
};

/* What the configuration file has of these. */
struct configured {
	char *root, *log, *log_format, *cgroup_manager;
	bool debug;
};

static const struct json_field configured_fields[] = {
	{ "root", json_get_string, offsetof(struct configured, root), JSON_OPTIONAL, NULL, NULL },
	{ "log", json_get_string, offsetof(struct configured, log), JSON_OPTIONAL, NULL, NULL },
	{ "log_format", json_get_string, offsetof(struct configured, log_format), JSON_OPTIONAL, NULL, NULL },
	{ "cgroup_manager", json_get_string, offsetof(struct configured, cgroup_manager), JSON_OPTIONAL, NULL, NULL },
	{ "debug", json_get_bool, offsetof(struct configured, debug), JSON_OPTIONAL, NULL, NULL },
	{ .name = NULL },
};

static int configuration_read(struct configured *c)
{
	cleanup_json json_t *v = NULL;
	int r = config_load(&v);

	if (r == 0)
		r = json_object_read(&JSON_ROOT, v, configured_fields, 0, c);
	return r < 0 ? fail_in(r, "configuration") : 0;
}

/* An absolute path, so that a keeper whose working directory is another still means the same. */
static int absolute(const char *path, char **ret_path)
{
	cleanup_free char *here = NULL;

	if (*path == '/')
		return str_copy(ret_path, path);
	if (!*path)
		return fail_plain(EINVAL, "the name of a folder is empty");
	here = getcwd(NULL, 0);
	if (!here)
		return fail(errno, "find the working directory");
	return str_format(ret_path, "%s/%s", here, path);
}

static int root_choose(const char *asked, char **ret_path)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (asked)
		return absolute(asked, ret_path);
	if (geteuid() == 0)
		return str_copy(ret_path, "/run/nacelle");
	if (!runtime || *runtime != '/')
		return fail_plain(EINVAL, "XDG_RUNTIME_DIR is not set: say with --root where state can be kept");
	return str_format(ret_path, "%s/nacelle", runtime);
}

static int data_choose(const char *asked, char **ret_path)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (asked)
		return absolute(asked, ret_path);
	if (geteuid() == 0)
		return str_copy(ret_path, "/var/lib/nacelle");
	if (data && *data == '/')
		return str_format(ret_path, "%s/nacelle", data);
	if (home && *home == '/')
		return str_format(ret_path, "%s/.local/share/nacelle", home);
	return fail_plain(EINVAL, "neither XDG_DATA_HOME nor HOME is set: say with --data where logs can be kept");
}

static int log_choose(const struct global_options *o, const struct configured *c)
{
	const char *format = o->log_format ? o->log_format : c->log_format ? c->log_format : "text";
	const char *file = o->log ? o->log : c->log;

	if (!str_eq(format, "text") && !str_eq(format, "json"))
		return usage_fail(NULL, "--log-format: '%s' is neither 'text' nor 'json'", format);
	return log_open(file && *file ? file : NULL, str_eq(format, "json"),
			o->debug || c->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
}

static int manager_choose(const struct global_options *o, const struct configured *c, bool *ret_systemd)
{
	const char *manager = o->cgroup_manager ? o->cgroup_manager : c->cgroup_manager ? c->cgroup_manager : "cgroupfs";

	if (!str_eq(manager, "systemd") && !str_eq(manager, "cgroupfs"))
		return usage_fail(NULL, "--cgroup-manager: '%s' is neither 'cgroupfs' nor 'systemd'", manager);
	*ret_systemd = o->systemd_cgroup || str_eq(manager, "systemd");
	return 0;
}

/* What keeps nothing anywhere must work for a user who has no place for it. */
static int places_choose(const struct global_options *o, const struct configured *c, const struct command *command, char **ret_root,
			 char **ret_data)
{
	int r = root_choose(o->root ? o->root : c->root, ret_root);

	if (r == 0)
		r = data_choose(o->data, ret_data);
	return r < 0 && command->flags & COMMAND_STATELESS ? 0 : r;
}

int globals_set(const struct global_options *o, struct globals *ret)
{
	/* as long as the program, which is one command */
	static char *root, *data;
	struct configured c = { .root = NULL };
	bool systemd = false;
	int r;

	if (o->rootless && !str_eq(o->rootless, "auto") && !str_eq(o->rootless, "true") && !str_eq(o->rootless, "false"))
		return usage_fail(NULL, "--rootless: '%s' is neither 'auto' nor 'true' nor 'false'", o->rootless);
	/* First, so that a failure of what follows is told where --log asks for it. */
	r = log_choose(o, &c);
	if (r == 0)
		r = configuration_read(&c);
	if (r == 0 && (c.log || c.log_format || c.debug))
		r = log_choose(o, &c);
	if (r == 0)
		r = places_choose(o, &c, ret->command, &root, &data);
	if (r == 0)
		r = manager_choose(o, &c, &systemd);
	free(c.root);
	free(c.log);
	free(c.log_format);
	free(c.cgroup_manager);
	if (r < 0)
		return r;
	ret->criu = o->criu;
	ret->place = (struct container_place){ .root = root, .data = data, .systemd_cgroup = systemd };
	return 0;
}
