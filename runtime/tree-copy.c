/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both sides are hostile: a payload may put a link, a pipe or a folder where a file was a moment ago. So a file is judged and
 * read by one fd; what is made is made anew, under a name that did not exist, and changed by its fd alone, never by name.
 */
#include "runtime/tree-copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/ids.h"
#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

enum { DEPTH_MAX = 256, CHUNK = 1 << 30 };

static int folder_copy(const struct tree_copy *how, int from, int to, int depth);

static int owner_find(const struct tree_copy *how, const struct stat *st, uid_t *uid, gid_t *gid)
{
	*uid = how->owners ? st->st_uid : how->uid;
	*gid = how->owners ? st->st_gid : how->gid;
	if (!how->owners || !how->ids)
		return 0;
	if (how->inward)
		return ids_outside(how->ids, uid, gid);
	ids_inside(how->ids, uid, gid);
	return 0;
}

/* Whoever cannot own it is told before it is there. */
static int owner_check(const struct tree_copy *how, const struct stat *st)
{
	uid_t uid;
	gid_t gid;

	return owner_find(how, st, &uid, &gid);
}

/*
 * Those of users may be lost on a file system that has none (tmpfs before Linux 6.6); that they may not be set is fine for all but
 * what asked for owners.
 */
static int xattrs_copy(const struct tree_copy *how, int in, int out)
{
	cleanup_free char *list = malloc(XATTR_LIST_MAX), *value = malloc(XATTR_SIZE_MAX);
	ssize_t len;

	if (!list || !value)
		return fail(ENOMEM, "attributes");
	len = flistxattr(in, list, XATTR_LIST_MAX);
	for (const char *name = list; len > 0 && name < list + len; name += strlen(name) + 1) {
		ssize_t n;

		if (!str_starts(name, "user.") && !(how->rights && str_eq(name, "security.capability")))
			continue;
		if (str_starts(name, "user.overlay."))
			continue;
		n = fgetxattr(in, name, value, XATTR_SIZE_MAX);
		if (n < 0 || fsetxattr(out, name, value, (size_t)n, 0) == 0 || !how->owners)
			continue;
		if (errno != EOPNOTSUPP || !str_starts(name, "user."))
			return fail(errno, "copy the attribute '%s'", name);
	}
	return 0;
}

/* Owner first: changing it takes set-id bits and capabilities away. */
static int finish(const struct tree_copy *how, int in, int out, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	uid_t uid;
	gid_t gid;
	int r = owner_find(how, st, &uid, &gid);

	if (r < 0)
		return r;
	if (fchown(out, uid, gid) < 0)
		return fail(errno, "set the owner");
	r = xattrs_copy(how, in, out);
	if (r < 0)
		return r;
	if (fchmod(out, st->st_mode & (how->rights ? 07777 : 01777)) < 0)
		return fail(errno, "set the mode");
	return futimens(out, times) < 0 ? fail(errno, "set the times") : 0;
}

/* What stands in the way and is no folder. */
static int way_clear(int to, const char *as)
{
	if (unlinkat(to, as, 0) == 0 || errno == ENOENT)
		return 0;
	return fail(errno, errno == EISDIR ? "a folder is in the way" : "remove what was there");
}

static int file_copy(const struct tree_copy *how, int in, int to, const char *as, const struct stat *st)
{
	cleanup_fd int out = -1;
	ssize_t n;
	int r = owner_check(how, st);

	if (r >= 0)
		r = way_clear(to, as);
	if (r < 0)
		return r;
	out = openat(to, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return fail(errno, "make it");
	do
		n = sendfile(out, in, NULL, CHUNK); /* with more the position would overflow */
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return fail(errno, "copy it");
	return finish(how, in, out, st);
}

static int link_copy(const struct tree_copy *how, int from, const char *name, int to, const char *as, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	char link[PATH_MAX];
	ssize_t n = readlinkat(from, name, link, sizeof(link) - 1);
	uid_t uid;
	gid_t gid;
	int r = n < 0 ? fail(errno, "read the link") : owner_find(how, st, &uid, &gid);

	if (r >= 0)
		r = way_clear(to, as);
	if (r < 0)
		return r;
	link[n] = '\0';
	if (symlinkat(link, to, as) < 0)
		return fail(errno, "make the link");
	if (fchownat(to, as, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "set the owner");
	(void)utimensat(to, as, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

/* Pipes and devices have their mode from the start (our umask is 0), so that nothing is changed by name but the owner. */
static int node_copy(const struct tree_copy *how, int to, const char *as, const struct stat *st)
{
	uid_t uid;
	gid_t gid;
	int r = owner_find(how, st, &uid, &gid);

	if (r >= 0)
		r = way_clear(to, as);
	if (r < 0)
		return r;
	if (mknodat(to, as, st->st_mode & (S_IFMT | 0777), st->st_rdev) < 0)
		return fail(errno, "make it");
	return fchownat(to, as, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? fail(errno, "set the owner") : 0;
}

static int subfolder_copy(const struct tree_copy *how, int in, int to, const char *as, const struct stat *st, dev_t device,
			  int depth)
{
	cleanup_fd int out = -1;
	int r = owner_check(how, st);
	bool made;

	if (r < 0)
		return r;
	made = mkdirat(to, as, 0700) == 0;
	if (!made && errno != EEXIST)
		return fail(errno, "make the folder");
	out = openat(to, as, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return fail(errno, errno == ENOTDIR || errno == ELOOP ? "something that is no folder is in the way" :
									"open the folder");
	if (st->st_dev == device || !(how->one_mount || fd_is_kernels(in)))
		r = folder_copy(how, in, out, depth + 1);
	return r < 0 || !made ? r : finish(how, in, out, st);
}

static int entry_copy(const struct tree_copy *how, int from, const char *name, int to, const char *as, dev_t device, int depth)
{
	cleanup_fd int named = -1, in = -1;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return fail(errno, "look at it");
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISLNK(st.st_mode))
		return link_copy(how, from, name, to, as, &st);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return node_copy(how, to, as, &st);
	/* A name first, which opens nothing: by now it may be a device of the host's. */
	named = openat(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (named < 0 || fstat(named, &st) < 0)
		return fail(errno, "open it");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return fail_plain(EAGAIN, "it changes while it is copied");
	in = fd_reopen(named, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return fail(-in, "open it");
	return S_ISDIR(st.st_mode) ? subfolder_copy(how, in, to, as, &st, device, depth) : file_copy(how, in, to, as, &st);
}

static int folder_copy(const struct tree_copy *how, int from, int to, int depth)
{
	int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;
	struct stat st;

	if (!dir || fstat(from, &st) < 0) {
		int r = fail(errno, "read the folder");

		if (!dir && again >= 0)
			(void)close(again);
		return r;
	}
	if (depth > DEPTH_MAX)
		return fail_plain(ELOOP, "folders are nested more than %d deep", DEPTH_MAX);
	while ((errno = 0, entry = readdir(dir))) {
		char shown[STR_QUOTE_SIZE];
		int r;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = entry_copy(how, from, entry->d_name, to, entry->d_name, st.st_dev, depth);
		if (r < 0)
			return fail_in(r, "%s", str_quote(shown, entry->d_name));
	}
	return errno ? fail(errno, "read the folder") : 0;
}

int tree_copy(const struct tree_copy *how, int from, const char *name, int to, const char *as)
{
	mode_t mask = umask(0);
	char shown[STR_QUOTE_SIZE];
	struct stat st = { .st_dev = 0 };
	int r = fstat(from, &st) < 0 ? fail(errno, "look at its folder") : entry_copy(how, from, name, to, as, st.st_dev, 0);

	(void)umask(mask);
	return r < 0 ? fail_in(r, "%s", str_quote(shown, name)) : 0;
}

int tree_copy_opened(const struct tree_copy *how, int fd, int to, const char *as)
{
	cleanup_fd int in = -1;
	mode_t mask = umask(0);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at it");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "it is neither a file nor a folder");
	in = fd_reopen(fd, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return fail(-in, "open it");
	r = S_ISDIR(st.st_mode) ? subfolder_copy(how, in, to, as, &st, st.st_dev, 0) : file_copy(how, in, to, as, &st);
	(void)umask(mask);
	return r;
}

int tree_copy_content(const struct tree_copy *how, int from, int to)
{
	mode_t mask = umask(0);
	int r = folder_copy(how, from, to, 0);

	(void)umask(mask);
	return r;
}
