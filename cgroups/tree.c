/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking a cgroup and the cgroups below it, which a container may have made, as deep as it liked.
 * Only one directory is open at a time: the way back up is "..", which in this file system nobody
 * can bend (there is no rename and no symlink).
 */
#include "cgroups/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

/* One level of where we are: the cgroups there, and which of them is next. On the heap, for it may be very deep. */
struct level {
	struct str_list names;
	size_t next;
};

struct levels {
	struct level *items;
	size_t count, room;
};

static int child_names(int dir, struct str_list *names)
{
	cleanup_fd int again = -1;
	struct stat about;
	DIR *stream;
	int r = 0;

	/* kernfs counts directories in the link count, so a leaf need not be listed. */
	if (fstat(dir, &about) == 0 && about.st_nlink == 2)
		return 0;
	again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (again < 0)
		return errno == ENOENT ? 0 : fail(errno, "open a cgroup again");
	stream = fdopendir(again);
	if (!stream)
		return fail(errno, "list a cgroup");
	again = -1;
	for (struct dirent *entry = readdir(stream); entry && r == 0; entry = readdir(stream)) {
		if (entry->d_type == DT_DIR && !str_eq(entry->d_name, ".") &&
		    !str_eq(entry->d_name, ".."))
			r = str_list_add(names, entry->d_name);
	}
	(void)closedir(stream);
	return r;
}

static int step(int *dir, const char *name)
{
	int next = openat(*dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (next < 0)
		return -errno;
	(void)close(*dir);
	*dir = next;
	return 0;
}

static int level_enter(struct levels *levels, int dir)
{
	if (levels->count == levels->room) {
		size_t room = levels->room ? levels->room * 2 : 16;
		struct level *items = reallocarray(levels->items, room, sizeof(*items));

		if (!items)
			return fail(ENOMEM, "walk a cgroup");
		levels->items = items;
		levels->room = room;
	}
	levels->items[levels->count] = (struct level){ .next = 0 };
	return child_names(dir, &levels->items[levels->count++].names);
}

/* All below is seen: see this one, and go up. */
static int level_leave(struct levels *levels, int *dir, const struct tree_walk *walk_to)
{
	struct level *above;
	const char *name;
	int r = walk_to->seen ? walk_to->seen(*dir, walk_to->arg) : 0;

	str_list_done(&levels->items[--levels->count].names);
	if (r < 0 || levels->count == 0)
		return r;
	above = &levels->items[levels->count - 1];
	name = above->names.items[above->next++];
	r = step(dir, "..");
	if (r < 0)
		return fail(-r, "go up from cgroup '%s'", name);
	return walk_to->left ? walk_to->left(*dir, name, walk_to->arg) : 0;
}

static int walk(struct levels *levels, int *dir, const struct tree_walk *walk_to)
{
	int r = level_enter(levels, *dir);

	while (r == 0 && levels->count > 0) {
		struct level *here = &levels->items[levels->count - 1];

		if (here->next == here->names.count) {
			r = level_leave(levels, dir, walk_to);
			continue;
		}
		r = step(dir, here->names.items[here->next]);
		if (r == 0) {
			r = level_enter(levels, *dir);
		} else if (r == -ENOENT) {
			here->next++; /* gone meanwhile */
			r = 0;
		} else {
			r = fail(-r, "open cgroup '%s'", here->names.items[here->next]);
		}
	}
	return r;
}

int tree_walk(int dir, const struct tree_walk *walk_to)
{
	cleanup_fd int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct levels levels = { .items = NULL };
	int r;

	if (at < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : fail(errno, "open a cgroup again");
	r = walk(&levels, &at, walk_to);
	while (levels.count > 0)
		str_list_done(&levels.items[--levels.count].names);
	free(levels.items);
	return r;
}
