/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `diff` and `commit`: what a container has changed in its layers, as a list, and as an image. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/image-root.h"
#include "runtime/inside.h"

const struct option_row diff_options[] = {
	{ .name = NULL },
};

int cmd_diff(const struct globals *globals, int argc, char **argv)
{
	struct str_list lines = { .items = NULL };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, NULL, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = changes_list(&globals->place, operands.items[0], &lines);
	if (r == CONTAINER_NOT_FOUND)
		r = container_no_such(operands.items[0]);
	for (size_t i = 0; r == 0 && i < lines.count; i++) {
		char quoted[4 * 4096];

		(void)printf("%s\n", str_printable(quoted, sizeof(quoted), lines.items[i]));
	}
	str_list_done(&lines);
	return r;
}

struct commit_options {
	struct str_list changes;
	bool no_pause;
};

const struct option_row commit_options[] = {
	{ "change", 'c', OPTION_LIST, offsetof(struct commit_options, changes), "KEY=VALUE", "change the config, as nacelle-image import does" },
	{ "no-pause", 0, OPTION_FLAG, offsetof(struct commit_options, no_pause), NULL, "do not freeze it meanwhile" },
	{ .name = NULL },
};

enum { CHANGES_MAX = 64 };

static int commit_run(const struct changes *c, const struct commit_options *o, const char *name)
{
	char upper[FD_PATH_MAX];
	const char *args[2 * CHANGES_MAX + 10];
	cleanup_fd int folder = fcntl(c->upper, F_DUPFD, 3);
	size_t n = 0;

	if (folder < 0)
		return fail(errno, "hand on the upper");
	if (o->changes.count > CHANGES_MAX)
		return fail_plain(E2BIG, "more than %d changes", CHANGES_MAX);
	(void)fd_path(folder, upper);
	args[n++] = "commit";
	args[n++] = "--quiet";
	if (c->store) {
		args[n++] = "--store";
		args[n++] = c->store;
	}
	for (size_t i = 0; i < o->changes.count; i++) {
		args[n++] = "--change";
		args[n++] = o->changes.items[i];
	}
	args[n++] = c->manifest;
	args[n++] = upper;
	if (name)
		args[n++] = name;
	args[n] = NULL;
	return image_program_run(args);
}

static int commit_frozen(const struct globals *globals, const char *id, const struct changes *c, const struct commit_options *o,
			 const char *name)
{
	bool frozen = c->running && !o->no_pause;
	struct container_info info;
	int r;

	if (frozen) {
		r = look(globals, id, &info);
		if (r < 0)
			return r;
		frozen = info.status == CONTAINER_RUNNING;
		container_info_done(&info);
	}
	r = frozen ? container_pause(&globals->place, id, true) : 0;
	if (r < 0)
		return fail_in(r, "freeze it (--no-pause does without)");
	r = commit_run(c, o, name);
	if (frozen && container_pause(&globals->place, id, false) < 0)
		log_warn("%s, ignoring: container '%s' stays frozen", fail_text(), id);
	return r;
}

int cmd_commit(const struct globals *globals, int argc, char **argv)
{
	struct commit_options o = { .no_pause = false };
	struct changes c = { .upper = -1 };
	struct operands operands;
	const char *id;
	int r = options_parse(globals->command, argc, argv, 1, 2, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	id = operands.items[0];
	r = changes_open(&globals->place, id, &c);
	if (r == CONTAINER_NOT_FOUND)
		r = container_no_such(id);
	if (r == 0 && !c.manifest)
		r = fail_plain(ENOTSUP, "container '%s' is not of an image: 'nacelle-image import' makes one of a folder", id);
	if (r == 0 && operands.count > 1 && *operands.items[1] == '-')
		r = fail_plain(EINVAL, "'%s' is no name of an image", operands.items[1]);
	if (r == 0)
		r = commit_frozen(globals, id, &c, &o, operands.count > 1 ? operands.items[1] : NULL);
	changes_done(&c);
	str_list_done(&o.changes);
	return r;
}
