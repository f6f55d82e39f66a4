/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mount is made in three moves: a detached tree (mount-source.c), a place below the root
 * (target.c), and move_mount(2) from one fd to the other; a file system that needs nothing else in two, the place and
 * mount(2). No path of the container is ever handed to a call that mounts.
 */
#include "runtime/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/mount-fs.h"
#include "runtime/mount-source.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/target.h"
#include "runtime/tree-copy.h"
#include "runtime/volume-use.h"

static bool is_type(const struct spec_mount *m, const char *type)
{
	return m->type && str_eq(m->type, type);
}

static const char *mount_name(const struct spec_mount *m)
{
	if (m->remount)
		return "remount";
	if (mount_is_bind(m))
		return m->source ? m->source : "bind";
	return m->type ? m->type : "none";
}

static int file_system_of(int fd, long *ret_magic)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return fail(errno, "look at the file system");
	*ret_magic = (long)fs.f_type;
	return 0;
}

/*
 * Files of procfs that tools such as lxcfs replace; none of them can be written through to the
 * kernel.
 */
static bool proc_file_may_be_covered(const char *path)
{
	static const char *const known[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/uptime",
		"/proc/loadavg",
		"/proc/slabinfo",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled",
		NULL,
	};

	return str_among(path, known);
}

/*
 * On /proc only a procfs, and below it only single files that tell about the machine: a mount
 * anywhere else there could feign what the kernel says, or take in what we write.
 * @tree: -1: there is none yet, it will be what the type says
 */
static int destination_allowed(const struct spec_mount *m, int tree, int target)
{
	cleanup_free char *path = NULL;
	long magic = 0;
	int r = target_clean(m->destination, &path);

	if (r < 0)
		return r;
	if (str_eq(path, "/"))
		return fail_plain(
			EINVAL,
			"only an overlay that is the first mount may have this destination");
	if (str_eq(path, "/proc")) {
		r = tree < 0 ? 0 : file_system_of(tree, &magic);
		if (r < 0)
			return r;
		return (tree < 0 ? is_type(m, "proc") : magic == PROC_SUPER_MAGIC)
			       ? 0
			       : fail_plain(EPERM, "only a procfs may be mounted on '/proc'");
	}
	if (proc_file_may_be_covered(path))
		return 0;
	if (str_starts(path, "/proc/"))
		return fail_plain(EPERM,
				  "nothing may be mounted below '/proc' but single, known files");
	/* Links and binds give procfs other names: what the place really lies on counts. */
	r = file_system_of(target, &magic);
	if (r < 0)
		return r;
	return magic == PROC_SUPER_MAGIC ? fail_plain(EPERM, "the destination lies on a procfs")
					 : 0;
}

/*
 * "copy-symlink": a source that is a link is made again at the destination. Return: 1 when that was
 * done, 0, or a recorded failure.
 */
static int symlink_copy(struct rootfs *r, const struct spec_mount *m)
{
	cleanup_free char *path = NULL, *place = NULL;
	char link[4096], there[4096];
	cleanup_fd int folder = -1;
	const char *name;
	ssize_t n, have;
	int err = mount_source_path(r, m, &path);

	if (err < 0)
		return err;
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return errno == EINVAL ? 0 : fail(errno, "source '%s'", path);
	link[n] = '\0';
	err = target_clean(m->destination, &place);
	if (err < 0)
		return err;
	folder = target_parent(r->root, place, &name);
	if (folder < 0)
		return folder;
	if (symlinkat(link, folder, name) == 0)
		return 1;
	if (errno != EEXIST)
		return fail(errno, "make the link");
	have = readlinkat(folder, name, there, sizeof(there));
	if (have == n && memcmp(link, there, (size_t)n) == 0)
		return 1;
	return fail(EEXIST, "make the link");
}

/* A link in place of /proc or /sys would show the real one where nobody looks for it. */
static int real_folder_open(struct rootfs *r, const char *path)
{
	int fd = fd_open_in(r->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd == -ENOENT)
		return target_make(r->root, path, TARGET_DIRECTORY);
	if (fd == -ENOTDIR || fd == -ELOOP)
		return fail(ENOTDIR, "the destination must be a real folder, not a link or a file");
	return fd < 0 ? fail(-fd, "open the destination") : fd;
}

/*
 * The place, made when missing: as a folder for a file system, as what its source is for a bind.
 * Return: O_PATH fd or a recorded failure.
 */
static int target_of(struct rootfs *r, const struct spec_mount *m, int tree)
{
	struct stat st;

	if (is_type(m, "proc") || is_type(m, "sysfs"))
		return real_folder_open(r, m->destination);
	if (!mount_is_bind(m))
		return target_make(r->root, m->destination, TARGET_DIRECTORY);
	if (fstat(tree, &st) < 0)
		return fail(errno, "look at the source");
	return target_make(r->root, m->destination,
			   S_ISDIR(st.st_mode) ? TARGET_DIRECTORY : TARGET_FILE);
}

static bool has_mode(const struct spec_mount *m)
{
	for (size_t i = 0; i < m->fs_options.count; i++) {
		if (str_starts(m->fs_options.items[i], "mode="))
			return true;
	}
	return false;
}

/* A tmpfs takes the mode of what it covers, when it is given none, and on request its content. */
static int tmpfs_fill(const struct spec_mount *m, int tree, int target)
{
	struct stat st;
	int r;

	if (!is_type(m, "tmpfs"))
		return 0;
	if (!has_mode(m)) {
		if (fstat(target, &st) < 0)
			return fail(errno, "look at the destination");
		if (fchmodat(tree, ".", st.st_mode & 07777, 0) < 0)
			return fail(errno, "set the mode");
	}
	if (!m->tmpcopyup)
		return 0;
	r = tree_copy_content(&(struct tree_copy){ .one_mount = true, .owners = true, .rights = true }, target, tree);
	return r < 0 ? fail_in(r, "copy what is covered") : 0;
}

/*
 * Propagation, and a bind's attributes; those of a new file system were given when it was mounted.
 */
static int attributes_apply(const struct spec_mount *m, int tree)
{
	bool bind = mount_is_bind(m), deep = m->propagation_recursive;
	int r;

	r = mount_change(tree, true, bind ? m->rec_set : 0, bind ? m->rec_clear : 0,
			 deep ? m->propagation : 0);
	if (r == 0)
		r = mount_change(tree, false, bind ? m->attr_set : 0, bind ? m->attr_clear : 0,
				 deep ? 0 : m->propagation);
	if (r == -EPERM)
		return fail(
			EPERM,
			"set the options (a user namespace cannot take back what the host's mount "
			"forbids)");
	return r < 0 ? fail(-r, "set the options") : 0;
}

static int attach_fail(int errnum, int tree, int target)
{
	struct stat from, on;

	if (fstat(tree, &from) == 0 && fstat(target, &on) == 0 &&
	    S_ISDIR(from.st_mode) != S_ISDIR(on.st_mode))
		return fail_plain(ENOTDIR, "%s cannot be mounted on %s",
				  S_ISDIR(from.st_mode) ? "a folder" : "a file",
				  S_ISDIR(on.st_mode) ? "a folder" : "a file");
	return fail(errnum, "attach");
}

/* What the options do not name stays as it is, as with mount(8). Read-only comes last, as of a new mount. */
static int remount_apply(struct rootfs *r, size_t i)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	cleanup_fd int target = fd_open_in(r->root, m->destination, O_PATH, 0);
	bool deep = m->propagation_recursive;
	struct statx info;
	int err;

	if (target < 0)
		return fail(-target, "open the destination");
	if (statx(target, "", AT_EMPTY_PATH, 0, &info) < 0)
		return fail(errno, "look at the destination");
	if (!(info.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return fail_plain(EINVAL, "nothing is mounted there");
	err = mount_change(target, true, m->rec_set, m->rec_clear, deep ? m->propagation : 0);
	if (err == 0)
		err = mount_change(target, false, m->attr_set & ~(uint64_t)(mount_is_late(m) ? MOUNT_ATTR_RDONLY : 0),
				   m->attr_clear, deep ? 0 : m->propagation);
	if (err < 0)
		return fail(-err, "set the options");
	if (mount_is_late(m))
		r->late[i] = steal_fd(&target);
	return 0;
}

/* A file system that is just put on a folder. */
static bool is_plain(const struct rootfs *r, const struct spec_mount *m, struct mount_new *ret_want)
{
	return !m->propagation && !m->tmpcopyup && mount_source_is_new(r, m, ret_want) && (!is_type(m, "tmpfs") || has_mode(m));
}

/*
 * Most mounts are file systems that are just put on a folder: in the fewest calls. Return: 1 when that was done, 0: go the long
 * way, which also says why the kernel would not, or a recorded failure.
 */
static int mount_shortly(struct rootfs *r, const struct spec_mount *m)
{
	struct mount_new want;
	cleanup_fd int target = -1;
	int err;

	if (!is_plain(r, m, &want))
		return 0;
	target = target_of(r, m, -1);
	if (target < 0)
		return target;
	err = destination_allowed(m, -1, target);
	if (err == 0)
		err = mount_over(&want, target, NULL);
	return err < 0 ? err : err != MOUNT_REFUSED;
}

static int mount_apply(struct rootfs *r, size_t i)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	cleanup_fd int tree = -1, target = -1;
	int err;

	if (m->remount)
		return remount_apply(r, i);
	if (m->copy_symlink && mount_is_bind(m)) {
		err = symlink_copy(r, m);
		if (err != 0)
			return err < 0 ? err : 0;
	}
	err = mount_shortly(r, m);
	if (err != 0)
		return err < 0 ? err : 0;
	err = mount_source(r, i, &tree);
	if (err < 0)
		return err;
	target = target_of(r, m, tree);
	if (target < 0)
		return target;
	err = destination_allowed(m, tree, target);
	if (err < 0)
		return err;
	err = attributes_apply(m, tree);
	if (err < 0)
		return err;
	err = tmpfs_fill(m, tree, target);
	if (err == 0 && m->volume)
		err = volume_fill(&r->volumes[i], tree, target);
	if (err < 0)
		return err;
	err = mount_attach(tree, target);
	if (err < 0)
		return attach_fail(-err, tree, target);
	if (mount_is_late(m))
		r->late[i] = steal_fd(&tree);
	return 0;
}

/* What becomes read-only only when all that stands on it is in place. */
static int late_list_new(struct rootfs *r)
{
	size_t count = r->spec->mount_count, i = 0;

	while (i < count && !mount_is_late(&r->spec->mounts[i]))
		i++;
	if (i == count)
		return 0;
	r->late = malloc(count * sizeof(*r->late));
	if (!r->late)
		return fail(ENOMEM, "mounts");
	for (i = 0; i < count; i++)
		r->late[i] = -1;
	return 0;
}

/* What a stopped container has no more: its kernel file systems, and what was mounted on them. */
static bool is_kernels(const char *destination)
{
	return str_starts(destination, "/proc") || str_starts(destination, "/sys") || str_starts(destination, "/dev");
}

int mounts_apply_binds(struct rootfs *r)
{
	for (size_t i = overlay_wanted(r->spec) ? 1 : 0; i < r->spec->mount_count; i++) {
		const struct spec_mount *m = &r->spec->mounts[i];
		int err = mount_is_bind(m) && !is_kernels(m->destination) ? mount_apply(r, i) : 0;

		if (err < 0)
			return fail_in(err, "mount '%s' on '%s'", mount_name(m), m->destination);
	}
	return 0;
}

/* Whether the mount shows, or uses, the network namespace that it is made in; what we do not know may. */
static bool is_networks(const struct spec_mount *m)
{
	static const char *const others[] = { "proc", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", NULL };

	return !mount_is_bind(m) && !m->remount && !(m->type && str_among(m->type, others));
}

/* From where the last call ended. @end: whether to stop before the mount. */
static int mounts_go_on(struct rootfs *r, bool (*end)(const struct spec_mount *m))
{
	cleanup_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int begun = r->late ? 0 : late_list_new(r);

	if (here < 0)
		return fail(errno, "open the working directory");
	if (begun < 0)
		return begun;
	for (; r->mounted < r->spec->mount_count; r->mounted++) {
		const struct spec_mount *m = &r->spec->mounts[r->mounted];
		int err = 0;

		if (end && end(m))
			break;
		if (r->mounted > 0 || !overlay_wanted(r->spec))
			err = mount_apply(r, r->mounted);
		if (err < 0)
			return fail_in(err, "mount '%s' on '%s'", mount_name(m), m->destination);
	}
	/* Hooks begin where we were called; mount_over() went elsewhere. */
	return fchdir(here) < 0 ? fail(errno, "go back to the working directory") : 0;
}

int mounts_begin(struct rootfs *r)
{
	return mounts_go_on(r, is_networks);
}

int mounts_apply(struct rootfs *r)
{
	return mounts_go_on(r, NULL);
}

bool mounts_end_apart(const struct rootfs *r)
{
	static const char *const usual[] = { "/sys", "/sys/fs/cgroup", "/dev/shm", "/dev/mqueue", NULL };
	size_t i = 0;

	while (i < r->spec->mount_count && !is_networks(&r->spec->mounts[i]))
		i++;
	for (; i < r->spec->mount_count; i++) {
		const struct spec_mount *m = &r->spec->mounts[i];
		struct mount_new want;

		if (!is_plain(r, m, &want) || !str_among(m->destination, usual))
			return false;
	}
	return true;
}
