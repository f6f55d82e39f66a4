/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding and making places in a root file system that somebody else may have prepared. The kernel
 * resolves (RESOLVE_IN_ROOT); we only ever make one name, without following it, in a folder that
 * was just resolved.
 */
#include "runtime/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum {
	LINKS_MAX = 40, /* as many as the kernel follows */
	WALK_LINK = 1, /* a link that leads nowhere was met */
};

/*
 * Open @path, whose last component is @name in @at; make that when missing. Return: 0, WALK_LINK,
 * or a recorded failure.
 */
static int component_make(int root, int at, const char *path, const char *name,
			  enum target_kind kind, int *ret_fd)
{
	int flags = O_PATH | (kind == TARGET_DIRECTORY ? O_DIRECTORY : 0), r, fd;

	fd = fd_open_in(root, path, flags, 0);
	if (fd == -ENOENT) {
		if (kind == TARGET_DIRECTORY)
			r = mkdirat(at, name, 0755);
		else
			r = mknodat(at, name, S_IFREG | 0644, 0);
		if (r < 0 && errno == EEXIST)
			return WALK_LINK;
		if (r < 0)
			return fail(errno, "make '%s'", path);
		fd = fd_lift(openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC));
		if (fd < 0)
			fd = -errno;
	}
	if (fd < 0)
		return fail(-fd, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

/*
 * The path to go on with: where the link @name of folder @at points, then @rest. @before leads to
 * @at.
 */
static int link_follow(int at, const char *before, size_t before_len, const char *name,
		       const char *rest, char **ret_path)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(at, name, link, sizeof(link) - 1);

	if (n < 0)
		return fail(errno, "read link '%s'", name);
	link[n] = '\0';
	return str_format(ret_path, "%.*s/%s%s%s", link[0] == '/' ? 0 : (int)before_len, before,
			  link, *rest ? "/" : "", rest);
}

/*
 * Go along @path, which is cut up and mended on the way. Return: 0 with @ret_fd, WALK_LINK with the
 * path to go on with in @ret_path, or a recorded failure.
 */
static int walk(int root, char *path, enum target_kind kind, char **ret_path, int *ret_fd)
{
	cleanup_fd int at = fd_open_in(root, ".", O_PATH | O_DIRECTORY, 0);
	char *rest = path + strspn(path, "/");

	if (at < 0)
		return fail(-at, "open the root");
	while (*rest) {
		char *name = rest, *end = name + strcspn(name, "/"), was = *end;
		int r, next = -1;

		rest = end + strspn(end, "/");
		*end = '\0';
		r = component_make(root, at, path, name, *rest ? TARGET_DIRECTORY : kind, &next);
		if (r == WALK_LINK) {
			r = link_follow(at, path, (size_t)(name - path), name, rest, ret_path);
			return r < 0 ? r : WALK_LINK;
		}
		*end = was;
		if (r < 0)
			return r;
		(void)close(at);
		at = next;
	}
	*ret_fd = steal_fd(&at);
	return 0;
}

/*
 * The usual case, in fewer calls than a walk: all but the last name is there. Return: fd, or -1:
 * walk.
 */
static int last_make(int root, const char *path, enum target_kind kind)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int flags = O_PATH | O_CLOEXEC | (kind == TARGET_DIRECTORY ? O_DIRECTORY : 0);
	cleanup_free char *folder = NULL;
	cleanup_fd int at = -1;

	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return -1;
	if (str_format(&folder, "/%.*s", (int)(name - path), path) < 0)
		return -1;
	at = fd_open_in(root, folder, O_PATH | O_DIRECTORY, 0);
	if (at < 0)
		return -1;
	if (kind == TARGET_DIRECTORY ? mkdirat(at, name, 0755) < 0
				     : mknodat(at, name, S_IFREG | 0644, 0) < 0)
		return -1;
	return fd_lift(openat(at, name, O_NOFOLLOW | flags));
}

int target_make(int root, const char *path, enum target_kind kind)
{
	cleanup_free char *now = NULL;
	int r, fd = fd_open_in(root, path, O_PATH | (kind == TARGET_DIRECTORY ? O_DIRECTORY : 0),
			       0);

	if (fd == -ENOENT) {
		fd = last_make(root, path, kind);
		if (fd < 0)
			fd = -ENOENT;
	}
	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		return fail(-fd, "open '%s'", path);
	r = str_copy(&now, path);
	for (int links = 0; r >= 0 && links <= LINKS_MAX; links++) {
		char *next = NULL;

		r = walk(root, now, kind, &next, &fd);
		if (r == 0)
			return fd;
		if (r < 0)
			return r;
		free(now);
		now = next;
	}
	return r < 0 ? r : fail(ELOOP, "make '%s'", path);
}

int target_parent(int root, const char *path, const char **ret_name)
{
	cleanup_free char *folder = NULL;
	const char *slash = strrchr(path, '/');
	int r = str_format(&folder, "/%.*s", slash ? (int)(slash - path) : 0, path);

	if (r < 0)
		return r;
	*ret_name = slash ? slash + 1 : path;
	return target_make(root, folder, TARGET_DIRECTORY);
}

int target_clean(const char *path, char **ret_path)
{
	cleanup_free char *clean = malloc(strlen(path) + 2);
	size_t len = 0;

	if (!clean)
		return fail(ENOMEM, "path '%s'", path);
	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && clean[--len] != '/')
				;
		} else if (n != 1 || path[0] != '.') {
			clean[len++] = '/';
			memcpy(clean + len, path, n);
			len += n;
		}
		path += n;
	}
	if (len == 0)
		clean[len++] = '/';
	clean[len] = '\0';
	*ret_path = steal_ptr(&clean);
	return 0;
}
