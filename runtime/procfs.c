/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A procfs mounted for us alone and attached nowhere: no file that a payload prepared, and no mount
 * over one, can stand in for what the kernel shows there.
 */
#include "runtime/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/mount-fs.h"

/*
 * The kernel refuses a new procfs to a user namespace when anything is mounted over a part of the
 * procfs that it sees already, with subset=pid too (mount_too_revealing() in fs/namespace.c): as
 * inside most containers.
 */
static int existing_open(void)
{
	cleanup_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return fail(errno, "open '/proc'");
	if (fstatfs(fd, &fs) < 0)
		return fail(errno, "look at '/proc'");
	if (fs.f_type != PROC_SUPER_MAGIC)
		return fail_plain(EPERM, "'/proc' is not a procfs");
	return steal_fd(&fd);
}

int procfs_open(enum procfs_part part)
{
	char *subset[] = { (char[]){ "subset=pid" }, NULL };
	const struct str_list options = { .items = subset, .count = part == PROCFS_PIDS };
	const struct mount_new want = {
		.type = "proc",
		.options = &options,
		.attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};
	int fd = -1, r = mount_new(&want, &fd);

	if (r == MOUNT_REFUSED)
		return existing_open();
	return r < 0 ? r : fd;
}

int procfs_open_file(int proc, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, proc, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}
