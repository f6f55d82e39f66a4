/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One entry each: file, folder, link, device, whiteout. It is made with a call that fails when the name is taken; then
 * what is there is looked at, and gives way, since in a layer the later entry counts. What a whiteout of this layer had
 * hidden stays hidden: a folder that takes its place is opaque.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "image/writer-internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

/* The name is taken. Return: 0 when it is free now, PLACE_HIDDEN when that was a whiteout, or a recorded failure. */
enum { PLACE_HIDDEN = 1 };

static int place_clear(struct writer *w, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at what is there");
	if (S_ISDIR(st.st_mode)) {
		parent_forget(w);
		return fail_plain(EEXIST, "a folder%s has that name", w->live ? "" : " of the same layer");
	}
	if (unlinkat(dir, name, 0) < 0)
		return fail(errno, "remove what is there");
	return !w->live && is_whiteout(&st) ? PLACE_HIDDEN : 0;
}

static int xattrs_set(const struct writer *w, const struct entry *e, int fd)
{
	for (size_t i = 0; i < e->xattr_count; i++) {
		const struct entry_xattr *x = &e->xattrs[i];
		int r = xattr_wanted(x->name);

		if (r < 0)
			return r;
		/* Without privileges a file cannot be given any, as it cannot be given another owner. */
		if (!w->privileged && str_eq(x->name, "security.capability"))
			continue;
		if (r > 0 && fsetxattr(fd, x->name, x->value, x->size, 0) < 0)
			return fail(errno, "set attribute '%.100s'", x->name);
	}
	return 0;
}

/* Owner first, which takes set-id bits and capabilities away; the time last. */
static int dress(const struct writer *w, const struct entry *e, int fd)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	int r;

	if (w->privileged && fchown(fd, e->uid, e->gid) < 0)
		return fail(errno, "set the owner %u:%u", e->uid, e->gid);
	if (fchmod(fd, e->mode) < 0)
		return fail(errno, "set the mode");
	r = xattrs_set(w, e, fd);
	if (r < 0)
		return r;
	return futimens(fd, times) < 0 ? fail(errno, "set the time") : 0;
}

int writer_file_end(struct writer *w, const struct entry *e, int fd)
{
	int r = dress(w, e, fd);

	return r < 0 ? fail_in(r, "'%.200s'", e->path) : 0;
}

static int file_add(struct writer *w, int dir, const char *name, int *ret_fd)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags, 0600), r;

	if (fd < 0 && errno == EEXIST) {
		r = place_clear(w, dir, name);
		if (r < 0)
			return r;
		fd = openat(dir, name, flags, 0600);
	}
	if (fd < 0)
		return fail(errno, "make the file");
	*ret_fd = fd;
	return WRITER_DATA;
}

static int folder_add(struct writer *w, const struct entry *e, const char *path, int dir, const char *name)
{
	bool hidden = false;
	cleanup_fd int fd = -1;
	struct stat st;
	int r = 0;

	if (w->live && !*path)
		return 0;
	if (*path && mkdirat(dir, name, 0700) < 0) {
		if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(errno, "make the folder");
		if (S_ISDIR(st.st_mode) && w->live)
			return 0;
		if (!S_ISDIR(st.st_mode)) {
			r = place_clear(w, dir, name);
			if (r < 0)
				return r;
			hidden = r == PLACE_HIDDEN;
			if (mkdirat(dir, name, 0700) < 0)
				return fail(errno, "make the folder");
		}
	}
	fd = openat(dir, *path ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(errno, "open the folder");
	if (hidden)
		r = opaque_set(w, dir, name);
	if (r >= 0)
		r = dress(w, e, fd);
	return r < 0 ? r : time_remember(w, path, &e->mtime);
}

static int link_make(struct writer *w, const struct entry *e, int dir, const char *name)
{
	if (e->type == S_IFLNK)
		return symlinkat(e->link, dir, name);
	if (!w->privileged && e->type != S_IFIFO)
		return 0;
	return mknodat(dir, name, e->type | e->mode, e->device);
}

/* Symbolic links, pipes and devices: all that needs no fd. */
static int special_add(struct writer *w, const struct entry *e, int dir, const char *name)
{
	const struct timespec times[2] = { e->mtime, e->mtime };
	int r;

	if (e->type == S_IFCHR && e->device == 0)
		return fail_plain(EPERM, "the device 0:0 is overlayfs's own");
	if (link_make(w, e, dir, name) < 0) {
		if (errno == EPERM && e->type != S_IFLNK)
			return 0;	/* in a user namespace: no devices */
		if (errno != EEXIST)
			return fail(errno, "make it");
		r = place_clear(w, dir, name);
		if (r < 0)
			return r;
		if (link_make(w, e, dir, name) < 0)
			return fail(errno, "make it");
	}
	if (w->privileged && fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "set the owner %u:%u", e->uid, e->gid);
	/* A new owner takes set-id bits away; by a name that may have become a link by now, they are not given back. */
	if (!w->live && e->type == S_IFIFO && (e->mode & 06000) && fchmodat(dir, name, e->mode, 0) < 0)
		return fail(errno, "set the mode");
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return fail(errno, "set the time");
	return 0;
}

/* A hard link may name a file of a layer below: that file comes up into this layer. */
static int file_copy_up(struct writer *w, const char *path)
{
	cleanup_fd int below = -1, fd = -1;
	const char *name;
	struct stat st;
	ssize_t n;
	int r = lower_find(w, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &below, &st), dir;

	if (r < 0)
		return r;
	if (r == LOWER_NONE || !S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "a hard link to '%.200s', which is no file", path);
	w->bytes += st.st_size;
	if (w->bytes > w->limits.bytes)
		return fail_plain(EFBIG, "more than %lld bytes", (long long)w->limits.bytes);
	dir = parent_open(w, path, &name);
	r = dir < 0 ? dir : inode_count(w);
	if (r >= 0)
		r = file_add(w, dir, name, &fd);
	if (r < 0)
		return r;
	do
		n = sendfile(fd, below, NULL, 1 << 30);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return fail(errno, "copy '%.200s' from a lower layer", path);
	if (w->privileged && fchown(fd, st.st_uid, st.st_gid) < 0)
		return fail(errno, "set the owner of '%.200s'", path);
	if (fchmod(fd, st.st_mode & 07777) < 0)
		return fail(errno, "set the mode of '%.200s'", path);
	r = xattrs_copy(below, fd);
	if (r < 0)
		return r;
	return futimens(fd, (struct timespec[2]){ st.st_mtim, st.st_mtim }) < 0 ? fail(errno, "set the time") : 0;
}

/* Open the folder of @path, a second fd: what parent_open() keeps may be replaced by the next one. */
static int folder_of(const struct writer *w, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	int fd;

	*ret_name = slash ? slash + 1 : path;
	memcpy(parent, path, slash ? (size_t)(slash - path) : 0);
	parent[slash ? slash - path : 0] = '\0';
	fd = tree_open(w->root, slash ? parent : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	return fd < 0 ? fail(-fd, "open '%.200s'", parent) : fd;
}

static int link_target_check(struct writer *w, const char *target)
{
	cleanup_fd int file = tree_open(w->root, target, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (file == -ENOENT)
		return file_copy_up(w, target);
	if (file < 0)
		return fail(-file, "open '%.200s', to which it is a hard link", target);
	if (fstat(file, &st) < 0)
		return fail(errno, "look at '%.200s'", target);
	if (S_ISDIR(st.st_mode) || (!w->live && is_whiteout(&st)))
		return fail_plain(EPERM, "a hard link to '%.200s', which is no file", target);
	return 0;
}

static int hardlink_add(struct writer *w, const struct entry *e, const char *path)
{
	const char *name, *from_name;
	char target[PATH_MAX];
	cleanup_fd int from = -1;
	int r = path_clean(w, e->link, target), dir;

	if (r >= 0 && (!*target || str_eq(target, path)))
		r = fail_plain(EINVAL, "a hard link to %s", *target ? "itself" : "the root");
	if (r >= 0)
		r = link_target_check(w, target);
	if (r < 0)
		return r;
	from = folder_of(w, target, &from_name);
	dir = from < 0 ? from : parent_open(w, path, &name);
	if (dir < 0)
		return dir;
	if (linkat(from, from_name, dir, name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return fail(errno, "make a hard link to '%.200s'", target);
	r = place_clear(w, dir, name);
	if (r < 0)
		return r;
	return linkat(from, from_name, dir, name, 0) < 0 ? fail(errno, "make a hard link to '%.200s'", target) : 0;
}

static int opaque_add(struct writer *w, const char *path)
{
	const char *name;
	int dir;

	if (w->lower_count == 0)
		return 0;
	if (!strchr(path, '/')) {
		w->opaque = true;
		return 0;
	}
	dir = parent_open(w, path, &name);
	return dir < 0 ? dir : opaque_set(w, dir, ".");
}

/* Nothing is hidden that is not there: in a folder that is not merged, a whiteout would show itself. */
static int whiteout_add(struct writer *w, char *path)
{
	char *name = strrchr(path, '/'), *hidden;
	cleanup_fd int below = -1;
	const char *last;
	struct stat st;
	int r, dir;

	name = name ? name + 1 : path;
	hidden = name + strlen(WHITEOUT_PREFIX);
	if (!*hidden || str_eq(hidden, ".") || str_eq(hidden, "..") || str_starts(hidden, WHITEOUT_PREFIX))
		return fail_plain(EPERM, "not the name of a whiteout");
	memmove(name, hidden, strlen(hidden) + 1);
	r = lower_find(w, path, O_PATH, &below, &st);
	if (r != 0)
		return r < 0 ? r : 0;
	r = inode_count(w);
	dir = r < 0 ? r : parent_open(w, path, &last);
	if (dir < 0)
		return dir;
	if (mknodat(dir, last, S_IFCHR, 0) == 0)
		return utimensat(dir, last, (struct timespec[2]){ { 0 } }, AT_SYMLINK_NOFOLLOW) < 0 ?
			       fail(errno, "set the time") : 0;
	if (errno != EEXIST)
		return fail(errno, "make a whiteout");
	/* It is for the layers below only: what this layer has there stays, and is all there is. */
	if (fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at what is there");
	return S_ISDIR(st.st_mode) ? opaque_set(w, dir, last) : 0;
}

/* What aufs kept for itself in layers of long ago. */
static bool is_aufs_own(const char *path)
{
	return str_starts(path, ".wh..wh.plnk") || str_starts(path, ".wh..wh.aufs") || str_starts(path, ".wh..wh.orph");
}

static int entry_add(struct writer *w, const struct entry *e, int *ret_fd)
{
	char path[PATH_MAX];
	const char *name;
	int r, dir;

	if (!w->live && is_aufs_own(e->path))
		return 0;
	r = path_clean(w, e->path, path);
	if (r < 0)
		return r;
	name = strrchr(path, '/');
	name = name ? name + 1 : path;
	if (!w->live && str_starts(name, WHITEOUT_PREFIX)) {
		if (e->type == S_IFDIR)
			return fail_plain(EPERM, "a whiteout is not a folder");
		return str_eq(name, WHITEOUT_OPAQUE) ? opaque_add(w, path) : whiteout_add(w, path);
	}
	if (!*path && e->type != S_IFDIR)
		return fail_plain(EPERM, "the root is a folder");
	r = inode_count(w);
	if (r < 0)
		return r;
	if (e->type == 0)
		return hardlink_add(w, e, path);
	dir = parent_open(w, path, &name);
	if (dir < 0)
		return dir;
	switch (e->type) {
	case S_IFREG: return file_add(w, dir, name, ret_fd);
	case S_IFDIR: return folder_add(w, e, path, dir, name);
	case S_IFLNK:
	case S_IFIFO:
	case S_IFCHR:
	case S_IFBLK: return special_add(w, e, dir, name);
	default: return fail_plain(EINVAL, "neither a file nor a folder, link, pipe or device");
	}
}

int writer_add(struct writer *w, const struct entry *e, int *ret_fd)
{
	int r = entry_add(w, e, ret_fd);

	return r < 0 ? fail_in(r, "'%.200s'", e->path) : r;
}
