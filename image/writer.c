/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths: taken apart, refused, opened; folders that are implied; times that must wait. The last parent folder is kept
 * open, since a tar lists a folder's files one after the other: most entries cost no walk at all.
 */
#include "image/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "image/writer-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

const struct unpack_limits unpack_limits_default = {
	.bytes = 64LL << 30,
	.inodes = 4000000,
	.depth = 200,
	.ratio = 1100,		/* gzip reaches 1032 */
	.seconds = 3600,
};

struct folder_time {
	char *path;
	struct timespec time;
};

static int component_check(const struct writer *w, const char *c, size_t len, bool last)
{
	if (len > NAME_MAX)
		return fail_plain(ENAMETOOLONG, "a name of %zu characters", len);
	if (len == 2 && c[0] == '.' && c[1] == '.')
		return fail_plain(EPERM, "'..' in a path");
	if (!last && !w->live && strncmp(c, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
		return fail_plain(EPERM, "a whiteout is not a folder");
	return 0;
}

int path_clean(const struct writer *w, const char *path, char ret[PATH_MAX])
{
	size_t used = 0;
	int depth = 0;

	for (const char *c = path; *c;) {
		size_t len = strcspn(c, "/");
		const char *next = c + len + strspn(c + len, "/");
		int r;

		if (len > 0 && !(len == 1 && *c == '.')) {
			r = component_check(w, c, len, !*next);
			if (r < 0)
				return r;
			if (++depth > w->limits.depth)
				return fail_plain(ELOOP, "a path of more than %d folders", w->limits.depth);
			if (used + len + 2 > PATH_MAX)
				return fail_plain(ENAMETOOLONG, "a path of more than %d characters", PATH_MAX);
			if (used > 0)
				ret[used++] = '/';
			memcpy(ret + used, c, len);
			used += len;
		}
		c = next;
	}
	ret[used] = '\0';
	return 0;
}

int inode_count(struct writer *w)
{
	if (++w->inodes > w->limits.inodes)
		return fail_plain(EDQUOT, "more than %lld files", (long long)w->limits.inodes);
	return 0;
}

int time_remember(struct writer *w, const char *path, const struct timespec *time)
{
	cleanup_free char *copy = NULL;

	if (w->time_count == w->time_room) {
		size_t room = w->time_room ? w->time_room * 2 : 256;
		struct folder_time *grown = realloc(w->times, room * sizeof(*grown));

		if (!grown)
			return fail(ENOMEM, "times of folders");
		w->times = grown;
		w->time_room = room;
	}
	if (str_copy(&copy, *path ? path : ".") < 0)
		return -ENOMEM;
	w->times[w->time_count++] = (struct folder_time){ .path = steal_ptr(&copy), .time = *time };
	return 0;
}

void parent_forget(struct writer *w)
{
	if (w->parent >= 0)
		(void)close(steal_fd(&w->parent));
	free(steal_ptr(&w->parent_path));
}

int opaque_set(const struct writer *w, int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(errno, "open '%s'", name);
	/* Both marks: which one is read is decided when the overlay is mounted, by whom. */
	if (!w->user_xattr && fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return fail(errno, "mark '%s' as opaque", name);
	if (fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0 && w->user_xattr)
		return fail(errno, "mark '%s' as opaque (the store's file system must have user attributes)", name);
	return 0;
}

/* A folder that entries imply looks like that of the layers below. */
static int implied_dress(struct writer *w, int fd, const char *prefix)
{
	cleanup_fd int below = -1;
	struct stat st = { .st_mode = 0755 };
	int r;

	if (w->live)
		return w->privileged && fchown(fd, w->uid, w->gid) < 0 ? fail(errno, "set the owner of '%s'", prefix) :
		       fchmod(fd, 0755) < 0				 ? fail(errno, "set the mode of '%s'", prefix) :
										   0;
	r = lower_find(w, prefix, O_RDONLY | O_NONBLOCK | O_NOCTTY, &below, &st);

	if (r < 0)
		return r;
	if (r == LOWER_NONE || !S_ISDIR(st.st_mode))
		st = (struct stat){ .st_mode = 0755 };
	if (w->privileged && fchown(fd, st.st_uid, st.st_gid) < 0)
		return fail(errno, "set the owner of '%s'", prefix);
	if (fchmod(fd, st.st_mode & 07777) < 0)
		return fail(errno, "set the mode of '%s'", prefix);
	if (below >= 0 && S_ISDIR(st.st_mode)) {
		r = xattrs_copy(below, fd);
		if (r < 0)
			return fail_in(r, "'%s'", prefix);
	}
	return time_remember(w, prefix, &st.st_mtim);
}

/* Open one component of a parent, or make it. Return: 0 with @ret_fd the caller's, or a recorded failure. */
static int component_open(struct writer *w, int dir, const char *name, const char *prefix, int *ret_fd)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_fd int fd = openat(dir, name, flags);
	bool hidden = false;
	struct stat st;
	int r;

	if (fd >= 0) {
		*ret_fd = steal_fd(&fd);
		return 0;
	}
	if (errno == ENOTDIR || errno == ELOOP) {
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(errno, "look at '%s'", prefix);
		if (w->live || !is_whiteout(&st))
			return fail_plain(EPERM, "'%s'%s is %s, and stands in the way", prefix, w->live ? "" : " of the same layer",
					  S_ISLNK(st.st_mode) ? "a link" : "no folder");
		hidden = true;
		if (unlinkat(dir, name, 0) < 0)
			return fail(errno, "remove '%s'", prefix);
	} else if (errno != ENOENT) {
		return fail(errno, "open '%s'", prefix);
	}
	r = inode_count(w);
	if (r < 0)
		return r;
	if (mkdirat(dir, name, 0700) < 0)
		return fail(errno, "make '%s'", prefix);
	fd = openat(dir, name, flags);
	if (fd < 0)
		return fail(errno, "open '%s'", prefix);
	r = hidden ? opaque_set(w, dir, name) : 0;
	if (r >= 0)
		r = implied_dress(w, fd, prefix);
	if (r >= 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int parents_make(struct writer *w, const char *parent, int *ret_fd)
{
	cleanup_fd int dir = -1;
	char prefix[PATH_MAX];
	const char *end = parent;

	do {
		const char *start = end == parent ? end : end + 1;
		int next = -1, r;

		end = start + strcspn(start, "/");
		memcpy(prefix, parent, (size_t)(end - parent));
		prefix[end - parent] = '\0';
		r = component_open(w, dir < 0 ? w->root : dir, prefix + (start - parent), prefix, &next);
		if (r < 0)
			return r;
		if (dir >= 0)
			(void)close(dir);
		dir = next;
	} while (*end);
	*ret_fd = steal_fd(&dir);
	return 0;
}

int parent_open(struct writer *w, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd, r;

	*ret_name = slash ? slash + 1 : path;
	if (len == 0)
		return w->root;
	if (w->parent_path && strncmp(w->parent_path, path, len) == 0 && !w->parent_path[len])
		return w->parent;
	memcpy(parent, path, len);
	parent[len] = '\0';
	fd = tree_open(w->root, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		r = parents_make(w, parent, &fd);
		if (r < 0)
			return r;
	} else if (fd < 0) {
		return fail(-fd, "open '%s'", parent);
	}
	parent_forget(w);
	w->parent = fd;
	r = str_copy(&w->parent_path, parent);
	return r < 0 ? r : w->parent;
}

int writer_begin(struct writer *w)
{
	return w->live ? 0 : implied_dress(w, w->root, ".");
}

int writer_end(struct writer *w)
{
	parent_forget(w);
	for (size_t i = 0; i < w->time_count; i++) {
		const struct timespec times[2] = { w->times[i].time, w->times[i].time };
		cleanup_fd int fd = tree_open(w->root, w->times[i].path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

		/* A later entry of the layer has put something else there. */
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		if (fd < 0 || futimens(fd, times) < 0)
			return fail(fd < 0 ? -fd : errno, "set the time of '%s'", w->times[i].path);
	}
	return 0;
}

void writer_done(struct writer *w)
{
	parent_forget(w);
	for (size_t i = 0; i < w->time_count; i++)
		free(w->times[i].path);
	free(steal_ptr(&w->times));
	w->time_count = w->time_room = 0;
}
