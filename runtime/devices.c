/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nodes are made with mknod(2) in a folder that was opened below the root. One that is there
 * already was made by an image or a payload: it stays when it is what it should be, and is replaced
 * or refused otherwise. A user namespace may not mknod: there the host's node is bound, after a
 * look at its number.
 */
#include "runtime/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/mount-fs.h"
#include "runtime/mount-source.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/target.h"

/* A node to be made. */
struct node {
	const char *path; /* in the container, and on the host where it must be bound */
	const char *name; /* the last component */
	mode_t mode; /* with its type */
	unsigned int major, minor;
	int64_t uid, gid; /* SPEC_UNSET: nobody asked */
	bool asked; /* by linux.devices: another file at its place is refused then (config-linux.md, "Devices") */
};

/* OCI config-linux.md, "Default Devices". */
static const struct node defaults[] = {
	{ "/dev/null", "null", S_IFCHR | 0666, 1, 3, SPEC_UNSET, SPEC_UNSET, false },
	{ "/dev/zero", "zero", S_IFCHR | 0666, 1, 5, SPEC_UNSET, SPEC_UNSET, false },
	{ "/dev/full", "full", S_IFCHR | 0666, 1, 7, SPEC_UNSET, SPEC_UNSET, false },
	{ "/dev/random", "random", S_IFCHR | 0666, 1, 8, SPEC_UNSET, SPEC_UNSET, false },
	{ "/dev/urandom", "urandom", S_IFCHR | 0666, 1, 9, SPEC_UNSET, SPEC_UNSET, false },
	{ "/dev/tty", "tty", S_IFCHR | 0666, 5, 0, SPEC_UNSET, SPEC_UNSET, false },
};

static const struct {
	const char *name, *to;
} links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },          { "core", "/proc/kcore" },
};

static bool node_is(const struct stat *st, const struct node *node)
{
	return (st->st_mode & S_IFMT) == (node->mode & S_IFMT) &&
	       (S_ISFIFO(node->mode) || st->st_rdev == makedev(node->major, node->minor));
}

/* Take away what must not be there. */
static int name_clear(int dir, const char *name, const struct stat *st)
{
	return unlinkat(dir, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}

/*
 * A file to bind a node on: not a link, which a mount would not cover, nor a folder. Return: O_PATH
 * fd or a recorded failure.
 */
static int node_place(int dir, const struct node *node)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	if (fstatat(dir, node->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode))) {
		r = name_clear(dir, node->name, &st);
		if (r < 0)
			return fail(-r, "replace what is there");
	}
	if (mknodat(dir, node->name, S_IFREG | 0666, 0) < 0 && errno != EEXIST)
		return fail(errno, "make a file to bind it on");
	fd = openat(dir, node->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(errno, "open the file to bind it on");
	return steal_fd(&fd);
}

static int node_bind(int dir, const struct node *node)
{
	cleanup_fd int tree = -1, place = -1;
	struct stat st;
	int r = mount_tree(node->path, false, &tree);

	if (r < 0)
		return fail(-r,
			    "mknod is not permitted here, and the host's '%s' to bind in its place",
			    node->path);
	if (fstat(tree, &st) < 0)
		return fail(errno, "look at the host's '%s'", node->path);
	if (!node_is(&st, node))
		return fail_plain(
			EPERM, "mknod is not permitted here, and the host's '%s' is another device",
			node->path);
	place = node_place(dir, node);
	if (place < 0)
		return place;
	/*
	 * The inode is the host's, and its owner may be mapped: it must not be chmod'ed from inside. A
	 * device can be written on a read-only mount all the same.
	 */
	r = mount_change(tree, false, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0, MS_PRIVATE);
	if (r == 0)
		r = mount_attach(tree, place);
	return r < 0 ? fail(-r, "bind the host's") : 0;
}

static int node_own(int dir, const struct node *node)
{
	uid_t uid = node->uid == SPEC_UNSET ? 0 : (uid_t)node->uid;
	gid_t gid = node->gid == SPEC_UNSET ? 0 : (gid_t)node->gid;

	if (uid == 0 && gid == 0)
		return 0;
	if (fchownat(dir, node->name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "give it to %u:%u", uid, gid);
	return 0;
}

/* Make one. @bind: mknod is known not to be permitted; set when that is found out. */
static int node_make(int dir, const struct node *node, bool *bind)
{
	struct stat st;
	int r;

	for (int tries = 0; !*bind; tries++) {
		if (mknodat(dir, node->name, node->mode, makedev(node->major, node->minor)) == 0)
			return node_own(dir, node);
		if (errno == EPERM)
			*bind = true;
		else if (errno != EEXIST || tries > 0)
			return fail(errno, "mknod");
		if (fstatat(dir, node->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		/* In a user namespace the file system it stands on need not allow devices: bind. */
		if (node_is(&st, node) && !*bind)
			return 0;
		if (node->asked && !*bind)
			return fail_plain(EEXIST, "what is there already is not this device");
		r = *bind ? 0 : name_clear(dir, node->name, &st);
		if (r < 0)
			return fail(-r, "replace what is there, which is not this device");
	}
	return node_bind(dir, node);
}

static int link_make(int dir, const char *name, const char *to)
{
	char there[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (symlinkat(to, dir, name) == 0)
		return 0;
	if (errno != EEXIST)
		return fail(errno, "'/dev/%s'", name);
	n = readlinkat(dir, name, there, sizeof(there));
	if (n == (ssize_t)strlen(to) && memcmp(there, to, (size_t)n) == 0)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "'/dev/%s'", name);
	/* The real multiplexer finds the pts folder beside itself: as good as the link. */
	if (str_eq(name, "ptmx") && S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2))
		return 0;
	if (unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ||
	    symlinkat(to, dir, name) < 0)
		return fail(errno, "'/dev/%s': replace what is there", name);
	return 0;
}

static int links_make(int dev)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		/* a kernel need not have it; any other reason is no reason to leave the link out */
		if (str_eq(links[i].name, "core") && access("/proc/kcore", F_OK) < 0) {
			if (errno == ENOENT)
				continue;
			return fail(errno, "'/proc/kcore', for '/dev/core'");
		}
		r = link_make(dev, links[i].name, links[i].to);
		if (r < 0)
			return r;
	}
	return 0;
}

/* linux.devices may redefine a default one. */
static bool is_redefined(const struct spec *spec, const char *path)
{
	for (size_t i = 0; i < spec->linux_.device_count; i++) {
		if (str_eq(spec->linux_.devices[i].path, path))
			return true;
	}
	return false;
}

static int spec_device_make(struct rootfs *r, const struct spec_device *d, bool *bind)
{
	struct node node = { .path = d->path, .uid = d->uid, .gid = d->gid, .asked = true };
	cleanup_fd int folder = target_parent(r->root, d->path, &node.name);
	bool never = false;

	if (folder < 0)
		return folder;
	if (!*node.name || str_eq(node.name, ".") || str_eq(node.name, ".."))
		return fail_plain(EINVAL, "not the path of a file");
	node.mode = d->file_mode == SPEC_UNSET ? 0666 : (mode_t)d->file_mode & 07777;
	node.mode |= d->type == 'p' ? S_IFIFO : d->type == 'b' ? S_IFBLK : S_IFCHR;
	if (d->type != 'p') {
		node.major = (unsigned int)d->major;
		node.minor = (unsigned int)d->minor;
	}
	return node_make(folder, &node, d->type == 'p' ? &never : bind);
}

/* Whether /dev is the host's, or any other that the spec binds. */
static int dev_is_bound(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mount_count; i++) {
		cleanup_free char *path = NULL;
		int r;

		if (!mount_is_bind(&spec->mounts[i]))
			continue;
		r = target_clean(spec->mounts[i].destination, &path);
		if (r < 0)
			return r;
		if (str_eq(path, "/dev"))
			return 1;
	}
	return 0;
}

static int devices_all(struct rootfs *r)
{
	const struct spec *spec = r->spec;
	cleanup_fd int dev = -1;
	bool bind = false;
	int err = dev_is_bound(spec);

	if (err != 0)
		return err < 0 ? err : 0;
	dev = target_make(r->root, "/dev", TARGET_DIRECTORY);
	if (dev < 0)
		return dev;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		if (is_redefined(spec, defaults[i].path))
			continue;
		err = node_make(dev, &defaults[i], &bind);
		if (err < 0)
			return fail_in(err, "device '%s'", defaults[i].path);
	}
	for (size_t i = 0; i < spec->linux_.device_count; i++) {
		err = spec_device_make(r, &spec->linux_.devices[i], &bind);
		if (err < 0)
			return fail_in(err, "device '%s'", spec->linux_.devices[i].path);
	}
	return links_make(dev);
}

int devices_make(struct rootfs *r)
{
	int err = devices_all(r);

	(void)umask(r->old_umask);
	return err;
}
