/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root is a detached copy of a tree that is attached over root.path, or an overlay that is
 * attached over "/", both in the new mount namespace only. Over "/" it hides nothing from us:
 * look-ups start at the process's root, which stays the mount underneath, until pivot_root(2) swaps
 * the two. (Mounting below a tree that is still detached would be tidier; Linux before 6.15 refuses
 * it.)
 */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/bundle.h"
#include "runtime/lower.h"
#include "runtime/mount-fs.h"
#include "runtime/mount-source.h"
#include "runtime/no-pivot.h"
#include "runtime/overlay.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"
#include "runtime/target.h"

#define PROPAGATION (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)

/* root.path, absolute. */
static int root_path(const struct rootfs *r, char **ret_path)
{
	const char *path = r->spec->root_path;

	if (!path)
		return fail_plain(EINVAL, "the spec has neither root.path nor an overlay on '/'");
	return bundle_path(r->bundle, path, ret_path);
}

/* A tree of the root, detached. Return: 0, ROOT_LEFT: we have no right to it, or a failure. */
enum { ROOT_LEFT = 1 };

static int root_take(const char *path, int *ret_tree)
{
	cleanup_free char *folder = NULL;
	int err = str_format(&folder, "%s/.", path); /* so that a file is refused */

	if (err < 0)
		return err;
	err = mount_tree(folder, true, ret_tree);
	if (err == 0)
		return 0;
	(void)fail(-err, "root '%s'", path);
	return err == -EPERM ? ROOT_LEFT : err;
}

int rootfs_prepare(struct rootfs *r)
{
	const struct spec_namespace *user = &r->spec->linux_.namespaces[NS_USER];
	cleanup_free char *path = NULL;
	int err = sysctls_check(r->spec);

	if (err < 0)
		return err;
	err = mount_sources_take(r);
	if (err >= 0 && overlay_wanted(r->spec))
		err = lowers_take(r);
	if (err < 0)
		return err;
	/* Only root has trees to give that the child could not take. */
	if (!user->wanted || geteuid() != 0 || overlay_wanted(r->spec))
		return 0;
	err = root_path(r, &path);
	if (err < 0)
		return err;
	err = root_take(path, &r->root_tree);
	if (err != 0)
		return err < 0 ? err : 0;
	err = mount_change(r->root_tree, true, 0, 0, MS_SLAVE);
	return err < 0 ? fail(-err, "root: make it a slave of the host's mounts") : 0;
}

int mounts_private(struct rootfs *r)
{
	uint64_t asked = r->spec->linux_.rootfs_propagation;
	struct mount_attr attr = { .propagation = MS_SLAVE };
	unsigned int flags = AT_RECURSIVE;

	r->old_umask = umask(0);
	if (asked & (MS_PRIVATE | MS_UNBINDABLE))
		attr.propagation = MS_PRIVATE;
	/*
	 * With "shared" the sources of volumes must stay what they are. "/" alone becomes private:
	 * the root is then attached there, and pivot_root(2) wants no shared parent.
	 */
	if (asked & MS_SHARED) {
		attr.propagation = MS_PRIVATE;
		flags = 0;
	}
	if (mount_setattr(AT_FDCWD, "/", flags, &attr, sizeof(attr)) == 0)
		return 0;
	if (errno == EINVAL)
		return fail(EINVAL,
			    "'/' is not a mount point (is this a chroot? bind it on itself first)");
	return fail(errno, "change the propagation of '/'");
}

/*
 * Attach over root.path, where hooks that run before the switch look for the container's files. Two
 * cases take "/" instead, which is there for certain: a user namespace that may not go to
 * root.path, and sources that stay shared, where what root.path lies on would carry our mounts to
 * the host.
 */
static int root_attach(struct rootfs *r, const char *path, int tree)
{
	bool shared = r->spec->linux_.rootfs_propagation & MS_SHARED;
	unsigned int flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
	int err;

	/* A copy of a shared mount is its peer, too. */
	if (shared) {
		err = mount_change(tree, false, 0, 0, MS_PRIVATE);
		if (err < 0)
			return fail(-err, "make the root private");
	} else {
		if (move_mount(tree, "", AT_FDCWD, path, flags) == 0)
			return 0;
		if (errno != EACCES)
			return fail(errno, "attach the root");
	}
	if (move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(errno, "attach the root");
	return 0;
}

int rootfs_mount(struct rootfs *r)
{
	cleanup_free char *path = NULL;
	cleanup_fd int tree = -1;
	int err;

	if (r->spec->linux_.masked_paths.count > 0) {
		err = mount_tree("/dev/null", false, &r->null);
		if (err < 0)
			return fail(-err, "take '/dev/null', to mask paths with");
		err = fd_is_device(r->null, 1, 3);
		if (err < 0)
			return fail(-err, "look at '/dev/null', to mask paths with");
		if (!err)
			return fail_plain(EINVAL, "'/dev/null' of the host is not the null device");
		/*
		 * It is the host's inode: root of the container must not chmod it, say. Devices
		 * can be written on a read-only mount all the same.
		 */
		err = mount_change(r->null, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0,
				   MS_PRIVATE);
		if (err < 0)
			return fail(-err, "make the masks of '/dev/null' read-only");
	}
	if (overlay_wanted(r->spec))
		return overlay_mount(r, &r->root);
	err = root_path(r, &path);
	if (err < 0)
		return err;
	if (r->root_tree >= 0) {
		tree = steal_fd(&r->root_tree);
	} else {
		err = root_take(path, &tree);
		if (err != 0)
			return err < 0 ? err : -EPERM;
	}
	err = root_attach(r, path, tree);
	if (err < 0)
		return err;
	r->root = steal_fd(&tree);
	return 0;
}

int rootfs_fd(const struct rootfs *r)
{
	return r->root;
}

/*
 * The host's mounts leave with us only: nothing of that may travel back through one that stayed
 * shared.
 */
static int old_root_detach(const struct rootfs *r, int old)
{
	int err;

	if (r->spec->linux_.rootfs_propagation & MS_SHARED) {
		err = mount_change(old, true, 0, 0, MS_SLAVE);
		if (err < 0)
			return fail(-err, "cut the old root off from the host");
	}
	if (umount2(".", MNT_DETACH) < 0)
		return fail(errno, "detach the old root");
	return 0;
}

int rootfs_switch(struct rootfs *r)
{
	cleanup_fd int old = -1;
	int err;

	if (r->no_pivot)
		return no_pivot_switch(r);
	if (r->spec->linux_.rootfs_propagation & MS_SHARED) {
		old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (old < 0)
			return fail(errno, "open '/'");
	}
	if (fchdir(r->root) < 0)
		return fail(errno, "enter the root");
	/*
	 * The old root ends up on top of the new one, where "." of umount2(2) finds it. Source:
	 * pivot_root(2), notes.
	 */
	if (syscall(SYS_pivot_root, ".", ".") < 0) {
		if (errno == EINVAL)
			return fail(
				EINVAL,
				"pivot_root (the host's root may be an initramfs, which cannot be "
				"left: switch_root to another first, or use --no-pivot)");
		return fail(errno, "pivot_root");
	}
	err = old_root_detach(r, old);
	if (err < 0)
		return err;
	if (chdir("/") < 0)
		return fail(errno, "enter '/'");
	r->switched = true;
	return 0;
}

int rootfs_readonly(struct rootfs *r)
{
	const struct spec *spec = r->spec;
	uint64_t asked = spec->linux_.rootfs_propagation,
		 set = spec->root_readonly ? MOUNT_ATTR_RDONLY : 0;
	int err;

	for (size_t i = 0; r->late && i < spec->mount_count; i++) {
		if (r->late[i] < 0)
			continue;
		err = mount_change(r->late[i], false, MOUNT_ATTR_RDONLY, 0, 0);
		if (err < 0)
			return fail(-err, "'%s': make it read-only", spec->mounts[i].destination);
	}
	err = mount_change(r->root, false, set, 0, 0);
	if (err == 0)
		err = mount_change(r->root, asked & MS_REC, 0, 0, asked & PROPAGATION);
	return err < 0 ? fail(-err, "change the root's attributes") : 0;
}

/* A container may ask for a working directory that its image lacks, as the engines' users do. */
static int cwd_make(struct rootfs *r, const char *cwd)
{
	mode_t mask = umask(022);
	int fd = target_make(r->root, cwd, TARGET_DIRECTORY);

	(void)umask(mask);
	return fd < 0 ? fail_in(fd, "working directory '%s'", cwd) : fd;
}

int rootfs_cwd(struct rootfs *r, const char *cwd)
{
	cleanup_fd int fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char where[PATH_MAX];

	if (fd < 0 && (errno != ENOENT || !r))
		return fail(errno, "working directory '%s'", cwd);
	if (fd < 0) {
		fd = cwd_make(r, cwd);
		if (fd < 0)
			return fd;
	}
	if (fchdir(fd) < 0)
		return fail(errno, "working directory '%s'", cwd);
	/*
	 * A path such as /proc/self/fd/7 can lead out through an fd that leaked in. The system call
	 * itself is asked: the C library makes up a path where the kernel says "(unreachable)".
	 */
	if (syscall(SYS_getcwd, where, sizeof(where)) < 0)
		return fail(errno, "working directory '%s'", cwd);
	if (where[0] != '/')
		return fail_plain(EPERM, "working directory '%s' lies outside of the root", cwd);
	return 0;
}

void rootfs_done(struct rootfs *r)
{
	int *fds[] = { &r->root, &r->null, &r->root_tree };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
	for (size_t i = 0; i < (r->spec ? r->spec->mount_count : 0); i++) {
		if (r->sources && r->sources[i] >= 0)
			(void)close(r->sources[i]);
		if (r->late && r->late[i] >= 0)
			(void)close(r->late[i]);
	}
	lowers_done(r);
	free(steal_ptr(&r->sources));
	free(steal_ptr(&r->late));
}
