/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the changes of an overlay go: a folder of the user's, one on the disk, or a tmpfs. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/mount-fs.h"
#include "runtime/overlay-parts.h"
#include "runtime/rootfs.h"

/*
 * The new root shows the upper folder's own attributes: a new one takes those of the layer below.
 */
static int upper_make(const struct overlay *o, int dir, const char *path)
{
	struct stat st;

	if (fstat(o->layers[0].fd, &st) < 0)
		return fail(errno, "look at layer '%s'", o->layers[0].path);
	if (mkdirat(dir, path, st.st_mode & 07777) < 0)
		return errno == EEXIST ? 0 : fail(errno, "make '%s'", path);
	if ((st.st_uid != 0 || st.st_gid != 0) &&
	    fchownat(dir, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return fail(errno, "set the owner of '%s'", path);
	return 0;
}

static int folder_open(int dir, const char *path, int *ret_fd)
{
	int fd = openat(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(errno, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int upper_folder_open(struct overlay *o)
{
	cleanup_fd int mark = -1;
	int r = upper_make(o, AT_FDCWD, o->upper_path);

	if (r >= 0)
		r = folder_open(AT_FDCWD, o->upper_path, &o->upper);
	if (r >= 0 && !o->work_path)
		r = str_format(&o->work_path, "%s.work", o->upper_path);
	if (r < 0)
		return r;
	if (mkdir(o->work_path, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make '%s'", o->work_path);
	r = folder_open(AT_FDCWD, o->work_path, &o->work);
	mark = r == 0 ? fd_open_beneath(o->work, "work/incompat/volatile", O_PATH | O_NOFOLLOW, 0) : -1;
	if (mark >= 0)
		return fail_plain(EBUSY, "'%s' is used by another container, or was when it was 'volatile' and may lack what "
				  "was written last: to go on with it all the same, remove '%s'", o->upper_path, o->work_path);
	return r;
}

/* In a folder that is nobody else's. */
static int upper_open_in(struct overlay *o, int dir, bool again)
{
	int r = upper_make(o, dir, "upper");

	/* What a volatile mount has left there forbids the next. It is the same boot, so nothing is lost. */
	if (r >= 0 && again)
		r = tree_remove(dir, "work");
	if (r < 0)
		return r;
	if (mkdirat(dir, "work", 0700) < 0)
		return fail(errno, "make the work folder");
	r = folder_open(dir, "upper", &o->upper);
	return r < 0 ? r : folder_open(dir, "work", &o->work);
}

/*
 * A user namespace's overlay keeps its marks in user.* attributes, which a tmpfs has only since
 * Linux 6.6. Without them it mounts, and fails later: on the first folder that is deleted and made
 * again, with EIO.
 */
static int user_xattr_probe(const struct overlay *o)
{
	char path[FD_PATH_MAX];

	if (setxattr(fd_path(o->upper, path), "user.overlay.probe", "y", 1, 0) < 0)
		return fail(
			errno,
			"a tmpfs as upper in a user namespace needs its user attributes (Linux 6.6 or "
			"newer, CONFIG_TMPFS_XATTR); use 'upperdir=' on a disk");
	(void)removexattr(path, "user.overlay.probe");
	return 0;
}

/*
 * The tmpfs must be attached while the overlay is mounted, and out of the way of "/" afterwards, or
 * else it would be what pivot_root(2) leaves on top: it is put over the first layer, of which an fd
 * is held.
 */
static int upper_tmpfs_open(struct rootfs *r, struct overlay *o)
{
	const struct mount_new want = {
		.type = "tmpfs",
		.source = "nacelle-upper",
		.options = &o->tmpfs_options,
		.attrs = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID,
	};
	int err = mount_new(&want, &o->tmpfs);

	if (err != 0)
		return err < 0 ? err : -EPERM;
	err = mount_attach(o->tmpfs, o->layers[0].fd);
	if (err < 0)
		return fail(-err, "attach the tmpfs");
	err = upper_open_in(o, o->tmpfs, false);
	return err >= 0 && r->userns ? user_xattr_probe(o) : err;
}

/* Opened here: the kernel takes no upper from another mount namespace than ours, and so no fd from the parent. */
static int upper_disk_open(const struct rootfs *r, struct overlay *o)
{
	cleanup_fd int folder = -1;
	int err;

	if (r->upper_tree >= 0)
		return upper_open_in(o, r->upper_tree, r->again);
	err = folder_open(AT_FDCWD, r->upper, &folder);
	return err < 0 ? err : upper_open_in(o, folder, r->again);
}

int overlay_upper_open(struct rootfs *r, struct overlay *o)
{
	if (o->upper_tmpfs)
		return upper_tmpfs_open(r, o);
	if (o->upper_disk)
		return upper_disk_open(r, o);
	return o->upper_path ? upper_folder_open(o) : 0;
}
