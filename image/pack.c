/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A walk over several folders at once: the names of a folder are those of all layers down to an opaque one, a name is
 * what the top-most layer says. So a stack of layers is written as one tree with no mount, and without privileges.
 * The same tree gives the same bytes.
 */
#include "image/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "image/ids.h"
#include "image/internal.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { CHUNK = 256 * 1024, DEPTH_MAX = 300 };

CLEANUP_DEFINE(struct archive_entry *, archive_entry_free)
#define cleanup_entry __attribute__((cleanup(archive_entry_free_p)))

/* A file with several links: the first name it was met under. */
struct linked {
	dev_t dev;
	ino_t ino;
	char *path;
};

struct walk {
	const struct pack *pack;
	struct archive *a;
	char *chunk;
	struct linked *links;	/* a hash table, a power of two, at most half full */
	size_t link_count, link_room;
	dev_t device;		/* of the top */
};

static int archive_fail(struct archive *a, const char *path)
{
	const char *text = archive_error_string(a);

	return fail_plain(EIO, "write '%.200s' to the archive: %s", path, text ? text : "failed");
}

static size_t link_slot(const struct walk *w, const struct stat *st)
{
	size_t at = (st->st_ino * 0x9E3779B97F4A7C15ULL ^ st->st_dev) & (w->link_room - 1);

	while (w->links[at].path && (w->links[at].ino != st->st_ino || w->links[at].dev != st->st_dev))
		at = (at + 1) & (w->link_room - 1);
	return at;
}

static int links_grow(struct walk *w)
{
	struct linked *old = w->links;
	size_t room = w->link_room;

	w->link_room = room ? room * 2 : 1024;
	w->links = calloc(w->link_room, sizeof(*w->links));
	if (!w->links) {
		w->links = old;
		w->link_room = room;
		return fail(ENOMEM, "hard links");
	}
	for (size_t i = 0; i < room; i++) {
		if (old[i].path) {
			const struct stat st = { .st_dev = old[i].dev, .st_ino = old[i].ino };

			w->links[link_slot(w, &st)] = old[i];
		}
	}
	free(old);
	return 0;
}

/* Return: 0 with the earlier name in @ret, or NULL there for the first one, which is kept; or a recorded failure. */
static int link_find(struct walk *w, const struct stat *st, const char *path, const char **ret)
{
	size_t at;
	int r = w->link_count * 2 >= w->link_room ? links_grow(w) : 0;

	if (r < 0)
		return r;
	at = link_slot(w, st);
	*ret = w->links[at].path;
	if (*ret)
		return 0;
	w->links[at] = (struct linked){ .dev = st->st_dev, .ino = st->st_ino };
	w->link_count++;
	return str_copy(&w->links[at].path, path);
}

static int xattrs_take(int fd, struct archive_entry *e, const char *path)
{
	cleanup_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t len;

	if (!list || !value)
		return fail(ENOMEM, "attributes");
	len = flistxattr(fd, list, XATTR_LIST_MAX);
	if (len < 0)
		return errno == ENOTSUP ? 0 : fail(errno, "attributes of '%.200s'", path);
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		ssize_t n;

		if (str_starts(name, "user.overlay.") ||
		    !(str_starts(name, "user.") || str_eq(name, "security.capability") ||
		      str_starts(name, "system.posix_acl_")))
			continue;
		n = fgetxattr(fd, name, value, XATTR_SIZE_MAX);
		if (n < 0)
			return fail(errno, "attribute '%s' of '%.200s'", name, path);
		archive_entry_xattr_add_entry(e, name, value, (size_t)n);
	}
	return 0;
}

static int content_write(struct walk *w, int fd, int64_t size, const char *path)
{
	int64_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, w->chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "read '%.200s'", path);
		if (n == 0)
			return fail_plain(EIO, "'%.200s' became shorter while it was read", path);
		if (n > size - done)
			n = size - done;
		if (archive_write_data(w->a, w->chunk, (size_t)n) != n)
			return archive_fail(w->a, path);
		done += n;
	}
	return 0;
}

static void entry_fill(struct archive_entry *e, const char *path, const struct stat *st, const struct id_maps *ids)
{
	uid_t uid = st->st_uid;
	gid_t gid = st->st_gid;

	archive_entry_set_pathname(e, path);
	archive_entry_set_mode(e, st->st_mode);
	if (ids)
		ids_inside(ids, &uid, &gid);
	archive_entry_set_uid(e, uid);
	archive_entry_set_gid(e, gid);
	archive_entry_set_mtime(e, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(e, st->st_rdev);
}

/* @fd: open for files and folders, -1 for others; @dir, @name: where it is. */
static int entry_write(struct walk *w, int fd, int dir, const char *name, const char *path, const struct stat *st)
{
	cleanup_entry struct archive_entry *e = archive_entry_new();
	const char *first = NULL;
	char link[PATH_MAX];
	int r = 0;

	if (!e)
		return fail(ENOMEM, "archive");
	entry_fill(e, path, st, w->pack->ids);
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

		if (n < 0)
			return fail(errno, "read link '%.200s'", path);
		link[n] = '\0';
		archive_entry_set_symlink(e, link);
	}
	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1) {
		r = link_find(w, st, path, &first);
		if (r >= 0 && first)
			archive_entry_set_hardlink(e, first);
	}
	if (r >= 0 && fd >= 0 && !first)
		r = xattrs_take(fd, e, path);
	if (r < 0)
		return r;
	archive_entry_set_size(e, S_ISREG(st->st_mode) && !first ? st->st_size : 0);
	r = archive_write_header(w->a, e);
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return archive_fail(w->a, path);
	return S_ISREG(st->st_mode) && !first ? content_write(w, fd, st->st_size, path) : 0;
}

static bool is_opaque(int fd)
{
	char value;

	return (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

/* ".wh.NAME", and ".wh..wh..opq" in a folder that hides what is below it. */
static int mark_write(struct walk *w, const char *prefix, const char *name, const struct stat *st)
{
	cleanup_entry struct archive_entry *e = archive_entry_new();
	const struct stat mark = { .st_mode = S_IFREG | 0600, .st_mtim = st->st_mtim };
	cleanup_free char *path = NULL;
	int r = str_format(&path, "%s.wh.%s", prefix, name);

	if (r < 0 || !e)
		return r < 0 ? r : fail(ENOMEM, "archive");
	entry_fill(e, path, &mark, NULL);
	archive_entry_set_size(e, 0);
	r = archive_write_header(w->a, e);
	return r == ARCHIVE_OK || r == ARCHIVE_WARN ? 0 : archive_fail(w->a, path);
}

/* Where an upper refers to what is below it under another name, it is no layer by itself. */
static int refers_below(int fd, const char *path)
{
	static const char *const names[] = { "trusted.overlay.redirect", "trusted.overlay.metacopy", "user.overlay.redirect",
					     "user.overlay.metacopy" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (fgetxattr(fd, names[i], NULL, 0) >= 0)
			return fail_plain(ENOTSUP, "'%.200s' has '%s': an upper that was mounted with redirect_dir or metacopy "
					  "is no layer", path, names[i]);
	return 0;
}

/* One folder: its part in each layer. */
struct level {
	int *fds;
	size_t count;
	struct str_list names;
};

static void level_done(struct level *l)
{
	for (size_t i = 0; i < l->count; i++)
		(void)close(l->fds[i]);
	free(l->fds);
	str_list_done(&l->names);
}

static int level_add(struct level *l, int fd)
{
	int *grown = realloc(l->fds, (l->count + 1) * sizeof(*grown));

	if (!grown) {
		(void)close(fd);
		return fail(ENOMEM, "archive");
	}
	l->fds = grown;
	grown[l->count++] = fd;
	return 0;
}

/* Open @name in all layers of @up where it is a folder, down to what hides the rest. */
static int level_open(const struct walk *w, const struct level *up, size_t from, const char *name, struct level *ret)
{
	for (size_t i = from; i < up->count; i++) {
		int fd = openat(up->fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
			return 0;
		if (fd < 0)
			return fail(errno, "open '%.200s'", name);
		r = level_add(ret, fd);
		if (r < 0)
			return r;
		if (w->pack->layers && is_opaque(fd))
			return 0;
	}
	return 0;
}

static int level_names(struct level *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		int copy = openat(l->fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		cleanup_dir DIR *stream = copy < 0 ? NULL : fdopendir(copy);
		struct dirent *entry;

		if (!stream) {
			if (copy >= 0)
				(void)close(copy);
			return fail(errno, "read a folder");
		}
		while ((errno = 0, entry = readdir(stream))) {
			if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
			    str_list_add(&l->names, entry->d_name) < 0)
				return -ENOMEM;
		}
		if (errno)
			return fail(errno, "read a folder");
	}
	names_sort(&l->names);
	for (size_t i = 0; i < l->names.count; i++) {
		if (kept > 0 && str_eq(l->names.items[kept - 1], l->names.items[i]))
			free(l->names.items[i]);
		else
			l->names.items[kept++] = l->names.items[i];
	}
	if (l->names.items)
		l->names.items[kept] = NULL;
	l->names.count = kept;
	return 0;
}

static int folder_write(struct walk *w, struct level *l, const char *path, int depth);

/* Open for reading what @named is. Return: an fd, with @ret_st of it, or a recorded failure. */
static int file_open(int named, const char *path, struct stat *ret_st)
{
	int fd;

	if (fstat(named, ret_st) < 0)
		return fail(errno, "look at '%.200s'", path);
	if (!S_ISREG(ret_st->st_mode))
		return fail_plain(EIO, "'%.200s' changes while it is read", path);
	fd = fd_reopen(named, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail(-fd, "open '%.200s'", path) : fd;
}

static int subfolder_write(struct walk *w, const struct level *l, size_t at, const char *name, const char *path,
			   int depth)
{
	struct level below = { .fds = NULL };
	int r = level_open(w, l, at, name, &below);

	if (r >= 0)
		r = folder_write(w, &below, path, depth + 1);
	level_done(&below);
	return r;
}

static int name_write(struct walk *w, const struct level *l, const char *name, const char *prefix, int depth)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	size_t at = 0;
	int r = str_format(&path, "%s%s", prefix, name);

	if (r < 0)
		return r;
	while (at < l->count && fstatat(l->fds[at], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return fail(errno, "look at '%.200s'", path);
		at++;
	}
	if (at == l->count && w->pack->only && depth == 0)
		return fail(ENOENT, "'%.200s'", path);
	if (at < l->count && w->pack->changes && S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return mark_write(w, prefix, name, &st);
	if (at < l->count && w->pack->changes && str_starts(name, ".wh."))
		return fail_plain(EINVAL, "'%.200s': in a layer this name would mean that something is gone", path);
	if (at == l->count || S_ISSOCK(st.st_mode) || (w->pack->layers && S_ISCHR(st.st_mode) && st.st_rdev == 0))
		return 0;
	if (S_ISDIR(st.st_mode))
		return subfolder_write(w, l, at, name, path, depth);
	if (S_ISREG(st.st_mode)) {
		/* A name first, which opens nothing: by now it may be a device of the host's. */
		cleanup_fd int named = openat(l->fds[at], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (named < 0)
			return fail(errno, "open '%.200s'", path);
		fd = file_open(named, path, &st);
		if (fd < 0)
			return fd;
		r = w->pack->changes ? refers_below(fd, path) : 0;
		if (r < 0)
			return r;
	}
	return entry_write(w, fd, l->fds[at], name, path, &st);
}

static int folder_write(struct walk *w, struct level *l, const char *path, int depth)
{
	cleanup_free char *prefix = NULL;
	struct stat st;
	int r;

	if (depth > DEPTH_MAX)
		return fail_plain(ELOOP, "'%.200s': too deep", path);
	if (l->count == 0)
		return fail_plain(EIO, "'%.200s' changes while it is read", path);
	if (fstat(l->fds[0], &st) < 0)
		return fail(errno, "look at '%.200s'", path);
	if (depth == 0)
		w->device = st.st_dev;
	r = str_format(&prefix, "%s%s", *path ? path : "", *path ? "/" : "");
	if (r >= 0)
		r = w->pack->changes ? refers_below(l->fds[0], path) : 0;
	if (r >= 0 && (*path || !w->pack->bare))
		r = entry_write(w, l->fds[0], -1, NULL, *path ? prefix : "./", &st);
	if (r >= 0 && w->pack->changes && is_opaque(l->fds[0]))
		r = mark_write(w, prefix, ".wh..opq", &st);
	/* What is mounted in a container's root beside its files. */
	if (r >= 0 && depth > 0 && st.st_dev != w->device && fd_is_kernels(l->fds[0]))
		return 0;
	if (r >= 0)
		r = level_names(l);
	for (size_t i = 0; i < l->names.count && r >= 0; i++)
		r = name_write(w, l, l->names.items[i], prefix, depth);
	return r;
}

static int walk_start(struct walk *w, int to)
{
	w->a = archive_write_new();
	w->chunk = malloc(CHUNK);
	if (!w->a || !w->chunk)
		return fail(ENOMEM, "archive");
	/* Other readers' name for attributes. A name that is not ASCII is marked as bytes (hdrcharset), entry by entry. */
	if (archive_write_set_format_pax_restricted(w->a) != ARCHIVE_OK ||
	    archive_write_set_options(w->a, "xattrheader=SCHILY") != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(w->a, 1) != ARCHIVE_OK || archive_write_open_fd(w->a, to) != ARCHIVE_OK)
		return archive_fail(w->a, "the beginning");
	return 0;
}

/* A file that is open, alone. */
static int file_write(struct walk *w, int named)
{
	struct stat st;
	cleanup_fd int fd = file_open(named, w->pack->as, &st);

	st.st_nlink = 1;
	return fd < 0 ? fd : entry_write(w, fd, -1, NULL, w->pack->as, &st);
}

static int top_write(struct walk *w, struct level *top)
{
	const struct pack *pack = w->pack;
	struct stat st;
	int r = 0;

	if (pack->as && (fstat(pack->dirs[0], &st) < 0 || !S_ISDIR(st.st_mode)))
		return file_write(w, pack->dirs[0]);
	for (size_t i = 0; i < pack->count && r >= 0; i++) {
		int fd = openat(pack->dirs[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = fd < 0 ? fail(errno, "open a folder") : level_add(top, fd);
	}
	if (r < 0)
		return r;
	return pack->only ? name_write(w, top, pack->only, "", 0) : folder_write(w, top, pack->as ? pack->as : "", 0);
}

int pack_write(const struct pack *pack, int to)
{
	struct walk w = { .pack = pack };
	struct level top = { .fds = NULL };
	int r = walk_start(&w, to);

	if (r >= 0)
		r = top_write(&w, &top);
	if (r >= 0 && archive_write_close(w.a) != ARCHIVE_OK)
		r = archive_fail(w.a, "the end");
	level_done(&top);
	for (size_t i = 0; i < w.link_room; i++)
		free(w.links[i].path);
	free(w.links);
	free(w.chunk);
	if (w.a)
		(void)archive_write_free(w.a);
	return r;
}
