/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content comes from an image and may be made to mislead: no link is followed, no name is
 * looked up but in a folder that is open, and the depth is bounded, since each level holds two fds.
 */
#include "runtime/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum { DEPTH_MAX = 128 };

static int file_copy(int from, int to, const char *name)
{
	/*
	 * It was a regular file a moment ago; should it be a pipe by now, opening it must not hang.
	 */
	int how = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	cleanup_fd int in = openat(from, name, O_NOFOLLOW | how), out = -1;
	ssize_t n;

	if (in < 0)
		return fail(errno, "open '%s'", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return fail(errno, "make '%s'", name);
	do
		n = sendfile(out, in, NULL, SSIZE_MAX & ~4095L);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? fail(errno, "copy '%s'", name) : 0;
}

static int link_copy(int from, int to, const char *name)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(from, name, link, sizeof(link) - 1);

	if (n < 0)
		return fail(errno, "read link '%s'", name);
	link[n] = '\0';
	return symlinkat(link, to, name) < 0 ? fail(errno, "make link '%s'", name) : 0;
}

/* Owner first: changing it takes the set-id bits away. */
static int metadata_copy(int to, const char *name, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "set the owner of '%s'", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(to, name, st->st_mode & 07777, 0) < 0)
		return fail(errno, "set the mode of '%s'", name);
	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "set the times of '%s'", name);
	return 0;
}

static int folder_copy(int from, int to, dev_t device, int depth);

static int folder_entry_copy(int from, int to, const char *name, dev_t device, int depth)
{
	cleanup_fd int in = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		       out = -1;

	if (in < 0)
		return fail(errno, "open '%s'", name);
	if (mkdirat(to, name, 0700) < 0)
		return fail(errno, "make '%s'", name);
	out = openat(to, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return fail(errno, "open the new '%s'", name);
	return folder_copy(in, out, device, depth + 1);
}

static int entry_copy(int from, int to, const char *name, dev_t device, int depth)
{
	struct stat st;
	int r;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at '%s'", name);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISREG(st.st_mode))
		r = file_copy(from, to, name);
	else if (S_ISLNK(st.st_mode))
		r = link_copy(from, to, name);
	else if (!S_ISDIR(st.st_mode))
		r = mknodat(to, name, st.st_mode & S_IFMT, st.st_rdev) < 0
			    ? fail(errno, "make '%s'", name)
			    : 0;
	else if (st.st_dev == device)
		r = folder_entry_copy(from, to, name, device, depth);
	else
		r = mkdirat(to, name, 0700) < 0 ? fail(errno, "make '%s'", name) : 0;
	return r < 0 ? r : metadata_copy(to, name, &st);
}

static int folder_copy(int from, int to, dev_t device, int depth)
{
	cleanup_dir DIR *dir = NULL;
	int fd, r;

	if (depth > DEPTH_MAX)
		return fail_plain(ELOOP, "folders are nested more than %d deep", DEPTH_MAX);
	fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(errno, "open the folder");
	dir = fdopendir(fd);
	if (!dir) {
		r = fail(errno, "read the folder");
		(void)close(fd);
		return r;
	}
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return errno ? fail(errno, "read the folder") : 0;
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = entry_copy(from, to, entry->d_name, device, depth);
		if (r < 0)
			return r;
	}
}

int copyup(int from, int to)
{
	struct stat st;
	int r;

	if (fstat(from, &st) < 0)
		return fail(errno, "look at what is covered");
	r = folder_copy(from, to, st.st_dev, 0);
	return r < 0 ? fail_in(r, "copy what is covered") : 0;
}
