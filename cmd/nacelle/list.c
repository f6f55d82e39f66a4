/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `list`: one line a container. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/log.h"
#include "runtime/state.h"

struct list_options {
	bool quiet;
	const char *format;
};

const struct option_row list_options[] = {
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct list_options, quiet), NULL, "only the ids" },
	{ "format", 'f', OPTION_STRING, offsetof(struct list_options, format), "FORMAT", "table or json" },
	{ .name = NULL },
};

enum { COLUMNS = 6 };

struct listing {
	struct str_list cells;
	json_t **rows;
	size_t count;
	uid_t uid;	/* the last owner, who is most often the next one's too */
	char *user;	/* NULL: none yet */
};

/* Whose container it is: the owner of its folder. @ret_name: the listing's. */
static int owner_name(const struct globals *globals, const char *id, struct listing *l, const char **ret_name)
{
	cleanup_free char *folder = NULL, *name = NULL;
	struct stat st;
	int r = str_format(&folder, "%s/%s", globals->place.root, id);

	if (r < 0)
		return r;
	*ret_name = "?";
	if (lstat(folder, &st) < 0)
		return 0;
	if (!l->user || l->uid != st.st_uid) {
		r = user_name(st.st_uid, &name);
		if (r == 0 && !name)
			r = str_format(&name, "#%u", st.st_uid);
		if (r < 0)
			return r;
		free(l->user);
		l->user = steal_ptr(&name);
		l->uid = st.st_uid;
	}
	*ret_name = l->user;
	return 0;
}

static int row_add(struct str_list *cells, const struct container_info *info, const char *owner)
{
	int r = str_list_add(cells, info->id);

	if (r == 0)
		r = str_list_addf(cells, "%d", (int)info->pid);
	if (r == 0 && info->tended.restarting)
		r = str_list_addf(cells, "restarting (%d)", (int)info->tended.last_status);
	else if (r == 0 && info->tended.health && *info->tended.health)
		r = str_list_addf(cells, "%s (%s)", container_status_name(info->status), info->tended.health);
	else if (r == 0 && info->keeper_lost)
		r = str_list_addf(cells, "%s (no keeper)", container_status_name(info->status));
	else if (r == 0 && info->exit_known && info->status == CONTAINER_STOPPED)
		r = str_list_addf(cells, "stopped (%d)", info->exit_status);
	else if (r == 0)
		r = str_list_add(cells, container_status_name(info->status));
	if (r == 0)
		r = str_list_add(cells, info->bundle ? info->bundle : "");
	if (r == 0)
		r = str_list_add(cells, info->created ? info->created : "");
	return r < 0 ? r : str_list_add(cells, owner);
}

static json_t *row_json(const struct container_info *info, const char *owner)
{
	json_t *v = container_state_json(info);

	if (v && (json_object_set_new(v, "rootfs", json_string(info->rootfs ? info->rootfs : "")) < 0 ||
		  json_object_set_new(v, "created", json_string(info->created ? info->created : "")) < 0 ||
		  json_object_set_new(v, "owner", json_string(owner)) < 0)) {
		json_decref(v);
		return NULL;
	}
	if (v && info->tended.health && *info->tended.health)
		(void)json_object_set_new(v, "health", json_string(info->tended.health));
	if (v && info->kept)
		(void)json_object_set_new(v, "restartCount", json_integer(info->tended.restarts));
	return v;
}

/* One that is gone since the folder was read is none. One that cannot be read must not hide the others. */
static int listing_add(const struct globals *globals, const char *id, struct listing *l)
{
	struct container_info info;
	const char *owner;
	int r = container_look(&globals->place, id, &info);

	if (r == CONTAINER_NOT_FOUND)
		return 0;
	if (r < 0) {
		log_warn("%s, ignoring", fail_text());
		return 0;
	}
	r = owner_name(globals, id, l, &owner);
	if (r == 0)
		r = row_add(&l->cells, &info, owner);
	if (r == 0) {
		l->rows[l->count] = row_json(&info, owner);
		if (l->rows[l->count])
			l->count++;
		else
			r = fail(ENOMEM, "list container '%s'", id);
	}
	container_info_done(&info);
	return r;
}

static int list_full(const struct globals *globals, const struct str_list *ids, bool table)
{
	static const char *const headings[COLUMNS] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" };
	struct listing l = { .rows = calloc(ids->count + 1, sizeof(json_t *)) };
	int r = l.rows ? 0 : fail(ENOMEM, "list the containers");

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&l.cells, headings[i]);
	for (size_t i = 0; r == 0 && i < ids->count; i++)
		r = listing_add(globals, ids->items[i], &l);
	if (r == 0 && table)
		output_table(&l.cells, COLUMNS);
	if (r == 0 && !table) {
		r = output_list(l.rows, l.count);
		l.count = 0;
	}
	for (size_t i = 0; i < l.count; i++)
		json_decref(l.rows[i]);
	free(l.rows);
	free(l.user);
	str_list_done(&l.cells);
	return r;
}

int cmd_list(const struct globals *globals, int argc, char **argv)
{
	struct list_options o = { .format = "table" };
	struct operands operands;
	struct str_list ids = { .items = NULL };
	int r = options_parse(globals->command, argc, argv, 0, 0, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = state_list(globals->place.root, &ids);
	if (r == 0 && o.quiet)
		for (size_t i = 0; i < ids.count; i++)
			(void)printf("%s\n", ids.items[i]);
	else if (r == 0)
		r = list_full(globals, &ids, str_eq(o.format, "table"));
	str_list_done(&ids);
	return r;
}
