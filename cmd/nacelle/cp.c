/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `cp`: files into a container and out of it, as docker's. All paths of the container are opened below its root, so that no link
 * in it leads out of it. A tar stream is read and written by nacelle-image, which gets the folder and keeps nothing of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/options.h"
#include "runtime/base/fd.h"
#include "runtime/image-root.h"
#include "runtime/inside.h"
#include "runtime/state.h"
#include "runtime/tree-copy.h"

struct cp_options {
	bool archive, follow, quiet;
};

const struct option_row cp_options[] = {
	{ "archive", 'a', OPTION_FLAG, offsetof(struct cp_options, archive), NULL, "keep owners and groups" },
	{ "follow-link", 'L', OPTION_FLAG, offsetof(struct cp_options, follow), NULL, "follow a link that the source is" },
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct cp_options, quiet), NULL, "taken for docker's sake: nothing is said" },
	{ .name = NULL },
};

/* A place in a root: its folder, and its name there; content: all in it is meant ("x/."). */
struct place {
	int root, folder;
	char *path, *name;
	bool content;
};

static void place_done(struct place *p)
{
	if (p->folder >= 0)
		(void)close(p->folder);
	free(p->path);
	free(p->name);
}
#define cleanup_place __attribute__((cleanup(place_done)))
#define PLACE_NONE { .root = -1, .folder = -1 }

/* The id in front of "ID:PATH"; a path of the host that looks like that begins with "./" or "/". */
static int id_of(const char *text, char **ret_id, const char **ret_path)
{
	const char *colon = strchr(text, ':');
	int r;

	if (!colon || memchr(text, '/', (size_t)(colon - text)) || *text == '.')
		return 0;
	r = str_format(ret_id, "%.*s", (int)(colon - text), text);
	*ret_path = colon + 1;
	return r < 0 ? r : state_id_check(*ret_id);
}

/* @path absolute below @root. @p->folder is where the last component stands, "/" itself is content of the root. */
static int place_open(struct place *p, int root, const char *text, bool follow)
{
	cleanup_free char *parent = NULL;
	size_t n;
	char *slash;
	int r = str_copy(&p->path, text);

	if (r < 0)
		return r;
	p->root = root;
	n = strlen(p->path);
	/* What ".." leads to has no name of its own. */
	p->content = str_ends(p->path, "/.") || str_ends(p->path, "/..") || str_eq(p->path, "/");
	if (str_ends(p->path, "/."))
		p->path[n -= 2] = '\0';
	while (n > 1 && p->path[n - 1] == '/')
		p->path[--n] = '\0';
	slash = strrchr(p->path, '/');
	if (p->content || !slash[1] || follow) {
		/* It is opened itself: a folder whose content is meant, or what a link leads to. */
		p->folder = fd_open_in(root, n ? p->path : "/", O_PATH, 0);
		if (p->folder < 0)
			return fail(-p->folder, "'%s'", text);
		p->content = p->content || !slash[1];
	}
	if (p->folder >= 0 && !follow)
		return 0;
	r = str_copy(&p->name, slash && slash[1] ? slash + 1 : "root");
	if (r < 0 || p->folder >= 0)
		return r;
	r = str_format(&parent, "%.*s", slash == p->path ? 1 : (int)(slash - p->path), p->path);
	if (r < 0)
		return r;
	p->folder = fd_open_in(root, parent, O_PATH | O_DIRECTORY, 0);
	return p->folder < 0 ? fail(-p->folder, "folder '%s'", parent) : 0;
}

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int copy_to(const struct tree_copy *how, const struct place *from, bool follow, int to, const char *as)
{
	if (follow && !from->content)
		return tree_copy_opened(how, from->folder, to, as);
	return tree_copy(how, from->folder, from->name, to, as);
}

/* docker's rules: into a folder that is there; else it is the new name of what is copied. */
static int copy(const struct tree_copy *how, const struct place *from, bool follow, int root, const char *text)
{
	struct place to cleanup_place = PLACE_NONE;
	cleanup_fd int there = fd_open_in(root, *text ? text : "/", O_PATH, 0);
	bool folder_meant = str_ends(text, "/") || str_ends(text, "/.");
	int r;

	if (from->content && !is_folder(from->folder))
		return fail_plain(ENOTDIR, "'%s' is no folder", from->path);
	if (there >= 0 && is_folder(there))
		return from->content ? tree_copy_content(how, from->folder, there) : copy_to(how, from, follow, there, from->name);
	if (there >= 0 && (from->content || folder_meant))
		return fail_plain(ENOTDIR, "'%s' is no folder", text);
	if (folder_meant && !from->content)
		return fail_plain(ENOENT, "folder '%s' is not there", text);
	r = place_open(&to, root, text, false);
	if (r < 0)
		return r;
	if (!to.name)
		return fail_plain(EINVAL, "'%s' is no name for a copy", text);
	if (!from->content)
		return copy_to(how, from, follow, to.folder, to.name);
	if (mkdirat(to.folder, to.name, 0755) < 0)
		return fail(errno, "make '%s'", text);
	there = openat(to.folder, to.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (there < 0)
		return fail(errno, "open '%s'", text);
	if (fchown(there, how->uid, how->gid) < 0)
		return fail(errno, "set the owner of '%s'", text);
	return tree_copy_content(how, from->folder, there);
}

/* --- tar ------------------------------------------------------------------------------------------ */

/* As nacelle-image takes it. Return: 0, with NULL where there is none, or a recorded failure. */
static int map_text(const struct id_map *map, char **ret)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *range = &map->ranges[i];
		cleanup_free char *before = *ret;

		*ret = NULL;
		if (str_format(ret, "%s%s%u:%u:%u", before ? before : "", before ? "," : "", range->inside, range->outside,
			       range->size) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int tar_run(const struct inside *in, const char *verb, int place, const char *as, const char *name)
{
	cleanup_free char *uids = NULL, *gids = NULL;
	char path[FD_PATH_MAX];
	/* It is to be inherited. */
	cleanup_fd int copied = fcntl(place, F_DUPFD, 3);
	const char *args[12] = { verb, "--quiet" };
	size_t n = 2;
	int r = copied < 0 ? fail(errno, "hand on a folder") : map_text(&in->ids.uids, &uids);

	if (r == 0)
		r = map_text(&in->ids.gids, &gids);
	if (r < 0)
		return r;
	if (uids) {
		args[n++] = "--uidmap";
		args[n++] = uids;
	}
	if (gids) {
		args[n++] = "--gidmap";
		args[n++] = gids;
	}
	(void)fd_path(copied, path);
	if (as) {
		args[n++] = "--as";
		args[n++] = as;
	}
	args[n++] = "--";
	args[n++] = path;
	args[n++] = name;
	return image_program_run(args);
}

static int tar_write(const struct inside *in, const struct place *from, bool follow)
{
	if (from->content)
		return tar_run(in, "tar", from->folder, NULL, NULL);
	return follow ? tar_run(in, "tar", from->folder, from->name, NULL) : tar_run(in, "tar", from->folder, NULL, from->name);
}

/* --- the two ways --------------------------------------------------------------------------------- */

static int host_place(const char *path, char **ret_path)
{
	cleanup_free char *here = NULL;

	if (*path == '/')
		return str_copy(ret_path, path);
	here = getcwd(NULL, 0);
	return here ? str_format(ret_path, "%s/%s", here, path) : fail(errno, "find the working directory");
}

static int inside_path(const char *path, char **ret_path)
{
	return *path == '/' ? str_copy(ret_path, path) : str_format(ret_path, "/%s", path);
}

static int copy_out(const struct cp_options *o, const struct inside *in, int host, const char *source, const char *target)
{
	/* A set-id bit that a payload chose would be one of the operator's. */
	const struct tree_copy how = { .owners = o->archive, .rights = o->archive, .uid = geteuid(), .gid = getegid(),
				       .ids = &in->ids };
	struct place from cleanup_place = PLACE_NONE;
	cleanup_free char *path = NULL, *to = NULL;
	int r = inside_path(source, &path);

	if (r == 0)
		r = place_open(&from, in->root, path, o->follow);
	if (r < 0)
		return r;
	if (str_eq(target, "-"))
		return tar_write(in, &from, o->follow);
	r = host_place(target, &to);
	return r < 0 ? r : copy(&how, &from, o->follow, host, to);
}

static int copy_in(const struct cp_options *o, const struct inside *in, int host, const char *source, const char *target)
{
	const struct tree_copy how = { .owners = o->archive, .rights = true, .uid = in->uid, .gid = in->gid,
				       .ids = &in->ids, .inward = true };
	struct place from cleanup_place = PLACE_NONE;
	cleanup_free char *path = NULL, *to = NULL;
	cleanup_fd int there = -1;
	int r = inside_path(target, &to);

	if (r < 0)
		return r;
	if (!str_eq(source, "-")) {
		r = host_place(source, &path);
		if (r == 0)
			r = place_open(&from, host, path, o->follow);
		return r < 0 ? r : copy(&how, &from, o->follow, in->root, to);
	}
	there = fd_open_in(in->root, to, O_PATH | O_DIRECTORY, 0);
	if (there < 0)
		return fail(-there, "folder '%s'", to);
	return tar_run(in, "untar", there, NULL, NULL);
}

static int cp_run(const struct globals *globals, const struct cp_options *o, const struct operands *operands)
{
	cleanup_free char *from = NULL, *to = NULL;
	const char *from_path = operands->items[0], *to_path = operands->items[1];
	struct inside in = { .root = -1, .dir = STATE_DIR_NONE };
	cleanup_fd int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = id_of(operands->items[0], &from, &from_path);

	if (r == 0)
		r = id_of(operands->items[1], &to, &to_path);
	if (r < 0)
		return r;
	if (!from == !to)
		return usage_fail(globals->command, "one of the two must be ID:PATH, the other a path or '-'");
	if (host < 0)
		return fail(errno, "open '/'");
	if (!*from_path || !*to_path)
		return usage_fail(globals->command, "an empty path");
	r = inside_open(&globals->place, from ? from : to, &in);
	if (r == CONTAINER_NOT_FOUND)
		return container_no_such(from ? from : to);
	if (r == 0)
		r = from ? copy_out(o, &in, host, from_path, to_path) : copy_in(o, &in, host, from_path, to_path);
	inside_done(&in);
	return r;
}

int cmd_cp(const struct globals *globals, int argc, char **argv)
{
	struct cp_options o = { .archive = false };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 2, 2, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	return cp_run(globals, &o, &operands);
}
