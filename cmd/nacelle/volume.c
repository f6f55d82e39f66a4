/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `volume`: make, list, show and remove named volumes. Its first operand is one of the verbs below. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/volume.h"

struct volume_options {
	bool quiet, all, force;
	struct str_list labels;
	const char *format;
};

const struct option_row volume_options[] = {
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct volume_options, quiet), NULL, "ls: only the names" },
	{ "format", 0, OPTION_STRING, offsetof(struct volume_options, format), "FORMAT", "ls: table or json" },
	{ "label", 'l', OPTION_LIST, offsetof(struct volume_options, labels), "NAME=VALUE", "create: a note" },
	{ "all", 'a', OPTION_FLAG, offsetof(struct volume_options, all), NULL, "prune: those with a name of their own, too" },
	{ "force", 'f', OPTION_FLAG, offsetof(struct volume_options, force), NULL, "rm: one that is not there is fine" },
	{ .name = NULL },
};

struct call {
	const struct globals *globals;
	const struct volume_options *o;
	struct volumes v;
};

static int no_such(const char *name)
{
	return fail_plain(ENOENT, "no volume '%s' (see 'nacelle volume ls')", name);
}

static int labels_read(const struct str_list *list, json_t **ret)
{
	cleanup_json json_t *labels = json_object();

	if (!labels)
		return fail(ENOMEM, "labels");
	for (size_t i = 0; i < list->count; i++) {
		cleanup_free char *key = NULL;
		char *equals;
		int r = str_copy(&key, list->items[i]);

		if (r < 0)
			return r;
		equals = strchr(key, '=');
		if (equals)
			*equals++ = '\0';
		if (!*key || json_object_set_new(labels, key, json_string(equals ? equals : "")) < 0)
			return fail_plain(EINVAL, "--label: '%s' is not NAME=VALUE", list->items[i]);
	}
	*ret = steal_ptr(&labels);
	return 0;
}

static int verb_create(struct call *c, const char *name)
{
	cleanup_json json_t *labels = NULL;
	int r = labels_read(&c->o->labels, &labels);

	if (r == 0)
		r = volume_make(&c->v, name, labels, false, geteuid(), getegid());
	if (r == VOLUME_EXISTS)
		return fail_plain(EEXIST, "volume '%s' exists already", name);
	if (r == 0)
		(void)printf("%s\n", name);
	return r;
}

static json_t *info_json(const struct volume_info *info)
{
	json_t *users = json_array();

	for (size_t i = 0; users && i < info->users.count; i++)
		(void)json_array_append_new(users, json_string(info->users.items[i]));
	return json_pack("{ss ss ss* sb sO so}", "name", info->name, "path", info->path, "created", info->created, "anonymous",
			 info->anonymous, "labels", info->labels, "users", users);
}

static int verb_inspect(struct call *c, const char *name)
{
	struct volume_info info = { .name = NULL };
	json_t *v;
	int r = volume_look(&c->v, name, &info);

	if (r != 0)
		return r < 0 ? r : no_such(name);
	v = info_json(&info);
	volume_info_done(&info);
	return v ? output_json(v) : fail(ENOMEM, "show volume '%s'", name);
}

static int verb_rm(struct call *c, const char *name)
{
	int r = volume_remove(&c->v, name);

	if (r == VOLUME_NOT_FOUND)
		return c->o->force ? 0 : no_such(name);
	if (r == 0)
		(void)printf("%s\n", name);
	return r;
}

/* One that cannot be read must not hide the others. */
static int each(struct call *c, int (*run)(struct call *c, const struct volume_info *info, void *data), void *data)
{
	struct str_list names = { .items = NULL };
	int r = c->v.dir < 0 ? 0 : volume_list(&c->v, &names);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		struct volume_info info = { .name = NULL };

		r = volume_look(&c->v, names.items[i], &info);
		if (r < 0)
			log_warn("%s, ignoring", fail_text());
		r = r == 0 ? run(c, &info, data) : 0;
		volume_info_done(&info);
	}
	str_list_done(&names);
	return r;
}

struct listing {
	struct str_list cells;
	json_t *rows[4096];
	size_t count;
};

enum { COLUMNS = 4 };

static int list_row(struct call *c, const struct volume_info *info, void *data)
{
	struct listing *l = data;
	int r;

	if (c->o->quiet)
		return printf("%s\n", info->name) < 0 ? fail(errno, "write") : 0;
	if (!str_eq(c->o->format, "table")) {
		if (l->count == ARRAY_SIZE(l->rows))
			return fail_plain(E2BIG, "more than %zu volumes: use --quiet", ARRAY_SIZE(l->rows));
		l->rows[l->count] = info_json(info);
		return l->rows[l->count++] ? 0 : fail(ENOMEM, "list the volumes");
	}
	r = str_list_add(&l->cells, info->name);
	if (r == 0)
		r = str_list_add(&l->cells, info->created ? info->created : "");
	if (r == 0)
		r = str_list_addf(&l->cells, "%zu", info->users.count);
	return r < 0 ? r : str_list_add(&l->cells, info->path);
}

static int verb_ls(struct call *c)
{
	static const char *const headings[COLUMNS] = { "NAME", "CREATED", "USERS", "PATH" };
	static struct listing l;
	int r = format_check(c->globals->command, c->o->format);

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&l.cells, headings[i]);
	if (r == 0)
		r = each(c, list_row, &l);
	if (r == 0 && !c->o->quiet && str_eq(c->o->format, "table"))
		output_table(&l.cells, COLUMNS);
	else if (r == 0 && !c->o->quiet)
		r = output_list(l.rows, l.count);
	str_list_done(&l.cells);
	return r;
}

static int prune_one(struct call *c, const struct volume_info *info, void *data)
{
	(void)data;
	if (info->users.count > 0 || (!info->anonymous && !c->o->all))
		return 0;
	return verb_rm(c, info->name);
}

static const struct {
	const char *name;
	int (*all)(struct call *c);
	int (*one)(struct call *c, const char *name);
} verbs[] = {
	{ "create",  NULL,    verb_create },
	{ "inspect", NULL,    verb_inspect },
	{ "ls",      verb_ls, NULL },
	{ "prune",   NULL,    NULL },
	{ "rm",      NULL,    verb_rm },
};

struct each_name {
	struct call *call;
	int (*run)(struct call *c, const char *name);
};

static int name_run(const struct globals *globals, const char *name, const void *data)
{
	const struct each_name *e = data;

	(void)globals;
	return e->call->v.dir < 0 ? no_such(name) : e->run(e->call, name);
}

static int verb_run(struct call *c, size_t verb, const struct operands *names)
{
	const struct each_name e = { .call = c, .run = verbs[verb].one };

	if (e.run)
		return for_each_id(c->globals, names, name_run, &e);
	return verbs[verb].all ? verbs[verb].all(c) : each(c, prune_one, NULL);
}

int cmd_volume(const struct globals *globals, int argc, char **argv)
{
	struct volume_options o = { .format = "table" };
	struct call c = { .globals = globals, .o = &o, .v = VOLUMES_NONE };
	struct operands operands;
	size_t verb = 0;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	while (verb < ARRAY_SIZE(verbs) && !str_eq(verbs[verb].name, operands.items[0]))
		verb++;
	operands.items++;
	operands.count--;
	if (verb == ARRAY_SIZE(verbs) || !operands.count == !!verbs[verb].one)
		r = usage_fail(globals->command, "usage: nacelle volume %s", globals->command->synopsis);
	else
		r = volumes_open(globals->place.data, verbs[verb].one == verb_create, &c.v);
	if (r >= 0)
		r = verb_run(&c, verb, &operands);
	volumes_close(&c.v);
	str_list_done(&o.labels);
	return r;
}
