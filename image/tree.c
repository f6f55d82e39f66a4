/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tree is removed depth first. What lies deeper than a few dozen levels is first moved up beside the top, so that
 * neither fds nor the stack grow with what a hostile layer has made.
 */
#include "image/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image/internal.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { DEPTH_HELD = 32, DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

int tree_open(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	do
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++tries < 128);
	return fd < 0 ? -errno : fd_lift(fd);
}

/* The place beside the top to which deep folders are moved. */
struct removal {
	int top;
	const char *prefix;
	unsigned long long moved;
};

static int folder_empty(struct removal *job, int fd, int depth);

/* A removal that was cut short has left some there: they are counted in, and so go too. */
static int deep_move(struct removal *job, int dir, const char *name)
{
	char up[300];

	for (;;) {
		(void)snprintf(up, sizeof(up), "%.200s.deep%llu", job->prefix, job->moved++);
		if (renameat(dir, name, job->top, up) == 0)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return fail(errno, "move '%s' up", name);
	}
}

static int entry_remove(struct removal *job, int dir, const char *name, int depth)
{
	cleanup_fd int fd = -1;
	int r;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fail(errno, "remove '%s'", name);
	if (depth >= DEPTH_HELD)
		return deep_move(job, dir, name);
	fd = openat(dir, name, DIR_FLAGS);
	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, DIR_FLAGS);
	if (fd < 0)
		return fail(errno, "open '%s'", name);
	/* Without root a folder of the image's may not be writable even to its owner. */
	if (geteuid() != 0)
		(void)fchmod(fd, 0700);
	r = folder_empty(job, fd, depth + 1);
	if (r < 0)
		return r;
	return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? fail(errno, "remove '%s'", name) : 0;
}

static int folder_empty(struct removal *job, int fd, int depth)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!stream) {
		if (copy >= 0)
			(void)close(copy);
		return fail(errno, "read a folder");
	}
	while ((errno = 0, entry = readdir(stream))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = entry_remove(job, fd, entry->d_name, depth);
		if (r < 0)
			return r;
	}
	return errno ? fail(errno, "read a folder") : 0;
}

int tree_remove(int dir, const char *name)
{
	struct removal job = { .top = dir, .prefix = name };
	int r = entry_remove(&job, dir, name, 0);

	for (unsigned long long i = 0; r >= 0 && i < job.moved; i++) {
		char deep[300];

		(void)snprintf(deep, sizeof(deep), "%.200s.deep%llu", name, i);
		r = entry_remove(&job, dir, deep, 0);
	}
	return r;
}

int tree_remove_others(int dir, const char *keep)
{
	struct str_list names = { .count = 0 };
	int r = folder_read(dir, ".", &names);

	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (!str_eq(names.items[i], keep))
			r = tree_remove(dir, names.items[i]);
	str_list_done(&names);
	return r;
}
