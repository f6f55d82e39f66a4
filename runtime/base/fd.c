/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening and moving bytes with few system calls: one openat2 a path, one openat and one write for
 * a control file, and no fstat before a read: files of /proc and the cgroup tree tell no size.
 */
#include "runtime/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum {
	/* ".." is refused with EAGAIN while anything on the machine is renamed or mounted. */
	OPEN_TRIES = 128,
	READ_FIRST = 16 * 1024, /* a usual spec in one read */
	SMALL_FILE_MAX = 64 * 1024,
	REPLACE_TRIES = 100,
};

int fd_lift(int fd)
{
	int lifted;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (lifted < 0)
		lifted = -errno;
	(void)close(fd);
	return lifted;
}

static int open_resolved(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	int fd, tries = 0;

	do
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++tries < OPEN_TRIES);
	return fd < 0 ? -errno : fd_lift(fd);
}

int fd_open_in(int dir, const char *path, int flags, mode_t mode)
{
	return open_resolved(dir, path, flags, mode, RESOLVE_IN_ROOT);
}

int fd_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	return open_resolved(dir, path, flags, mode, RESOLVE_BENEATH);
}

int fd_streams_open(void)
{
	int fd = STDIN_FILENO;

	while (fd <= STDERR_FILENO && fcntl(fd, F_GETFD) >= 0)
		fd++;
	if (fd > STDERR_FILENO)
		return 0;
	do
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return fail(errno, "open '/dev/null'");
	(void)close(fd);
	return 0;
}

int fd_reopen(int fd, int flags)
{
	char path[sizeof("/proc/thread-self/fd/-2147483648")];
	int again;

	(void)snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : fd_lift(again);
}

const char *fd_path(int fd, char buf[FD_PATH_MAX])
{
	(void)snprintf(buf, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t n = write(fd, next, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		next += n;
		size -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, size_t limit, char **ret_data, size_t *ret_size)
{
	cleanup_free char *data = NULL;
	size_t have = 0, room = 0;

	for (;;) {
		ssize_t n;

		/* One byte of the room is kept for the NUL. */
		if (room - have < 2) {
			size_t larger = room ? room * 2 : READ_FIRST;
			char *grown = larger > room ? realloc(data, larger) : NULL;

			if (!grown)
				return -ENOMEM;
			data = grown;
			room = larger;
		}
		n = read(fd, data + have, room - have - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
		if (have > limit)
			return -EFBIG;
	}
	data[have] = '\0';
	if (have + 1 < room) {
		char *shrunk = realloc(data, have + 1);

		if (shrunk)
			data = shrunk;
	}
	*ret_data = steal_ptr(&data);
	if (ret_size)
		*ret_size = have;
	return 0;
}

int fd_write_file(int dir, const char *file, const char *text)
{
	cleanup_fd int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	char shown[STR_QUOTE_SIZE];
	size_t size = strlen(text);
	ssize_t n;
	int err;

	if (fd < 0)
		return fail(errno, "open '%s' for writing", file);
	do
		n = write(fd, text, size);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n == size)
		return 0;
	err = n < 0 ? errno : EIO;
	return fail(err, "write %s to '%s'", str_quote(shown, text), file);
}

int fd_read_file(int dir, const char *file, char **ret_text)
{
	cleanup_fd int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return fail(errno, "open '%s'", file);
	r = fd_read_all(fd, SMALL_FILE_MAX, ret_text, NULL);
	return r < 0 ? fail(-r, "read '%s'", file) : 0;
}

/* Write what @fd was made for and put it in place of @file. @synced: what it holds is on the disk before it has its name, and that, too. */
static int replace_with(int dir, int fd, const char *temp, const char *file, const void *data,
			size_t size, mode_t mode, bool synced)
{
	int r = fd_write_all(fd, data, size);

	if (r < 0)
		return fail(-r, "write '%s'", temp);
	/* The owner's bits pass any sensible umask; the others' must be set for certain. */
	if ((mode & ~0600U) && fchmod(fd, mode) < 0)
		return fail(errno, "set the mode of '%s'", temp);
	if (synced && fsync(fd) < 0)
		return fail(errno, "bring '%s' to the disk", temp);
	if (renameat(dir, temp, dir, file) < 0)
		return fail(errno, "rename '%s' to '%s'", temp, file);
	if (synced && fsync(dir) < 0)
		return fail(errno, "bring the name '%s' to the disk", file);
	return 0;
}

static int replace(int dir, const char *file, const void *data, size_t size, mode_t mode, bool synced)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	int r;

	/* A leftover of a process that was killed here only costs a try. */
	for (int i = 0; i < REPLACE_TRIES; i++) {
		cleanup_free char *temp = NULL;
		cleanup_fd int fd = -1;

		r = str_format(&temp, "%.*s.%s.%d-%d", (int)(base - file), file, base, getpid(), i);
		if (r < 0)
			return r;
		fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return fail(errno, "create '%s'", temp);
		r = replace_with(dir, fd, temp, file, data, size, mode, synced);
		if (r < 0)
			(void)unlinkat(dir, temp, 0);
		return r;
	}
	return fail(EEXIST, "create a temporary file beside '%s'", file);
}

int fd_replace_file(int dir, const char *file, const void *data, size_t size, mode_t mode)
{
	return replace(dir, file, data, size, mode, false);
}

int fd_replace_file_synced(int dir, const char *file, const void *data, size_t size, mode_t mode)
{
	return replace(dir, file, data, size, mode, true);
}

int fd_empty_folder(int dir, const char *what)
{
	cleanup_fd int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_dir DIR *list = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!list)
		return fail(errno, "read %s", what);
	again = -1;
	while ((entry = readdir(list))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (unlinkat(dir, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		/* No folder is ours, but an empty one shall not keep us from an end. */
		if (errno != EISDIR || unlinkat(dir, entry->d_name, AT_REMOVEDIR) < 0)
			return fail(errno, "remove '%s' from %s", entry->d_name, what);
	}
	return 0;
}

int fd_rename_first(int dir, const char *temp, const char *file)
{
	int r = renameat2(dir, temp, dir, file, RENAME_NOREPLACE) < 0 ? -errno : 0;

	/* a file system that cannot tell */
	if (r == -EINVAL)
		r = renameat(dir, temp, dir, file) < 0 ? -errno : 0;
	if (r < 0)
		(void)unlinkat(dir, temp, 0);
	return r == 0 || r == -EEXIST ? 0 : fail(-r, "rename '%s' to '%s'", temp, file);
}

int fd_close_on_exec_from(unsigned int first)
{
	if (close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return fail(errno, "mark the fds from %u on close-on-exec", first);
	return 0;
}

int fd_is_device(int fd, unsigned int major, unsigned int minor)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
}

bool fd_is_kernels(int fd)
{
	static const unsigned long kinds[] = {
		PROC_SUPER_MAGIC,  SYSFS_MAGIC,	  CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
		DEBUGFS_MAGIC,	   TRACEFS_MAGIC, SECURITYFS_MAGIC,    BPF_FS_MAGIC,
	};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if ((unsigned long)st.f_type == kinds[i])
			return true;
	return false;
}
