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

/* Deeper than anything real; bounds our stack. */
enum { DEPTH_MAX = 4096 };

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

static int walk(int *dir, const struct tree_walk *walk_to, int depth)
{
	struct str_list names = { 0 };
	int r = depth < DEPTH_MAX
			? child_names(*dir, &names)
			: fail_plain(ELOOP, "cgroups are nested more than %d deep", DEPTH_MAX);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		r = step(dir, names.items[i]);
		if (r == -ENOENT) {
			r = 0; /* gone meanwhile */
			continue;
		}
		if (r < 0) {
			r = fail(-r, "open cgroup '%s'", names.items[i]);
			break;
		}
		r = walk(dir, walk_to, depth + 1);
		if (r < 0)
			break;
		r = step(dir, "..");
		if (r < 0)
			r = fail(-r, "go up from cgroup '%s'", names.items[i]);
		else if (walk_to->left)
			r = walk_to->left(*dir, names.items[i], walk_to->arg);
	}
	str_list_done(&names);
	return r == 0 && walk_to->seen ? walk_to->seen(*dir, walk_to->arg) : r;
}

int tree_walk(int dir, const struct tree_walk *walk_to)
{
	cleanup_fd int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (at < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : fail(errno, "open a cgroup again");
	return walk(&at, walk_to, 0);
}
