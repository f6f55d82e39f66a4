/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers are given to the kernel one by one (lowerdir+, Linux 6.5). Older kernels take that option
 * and fail only when the file system is created; for them all layers go into the one page of
 * mount(2). Either way a folder is named by the path of our fd, /proc/self/fd/N (the host's /proc
 * is still there): short, nothing in it that the option parser could misread, and the container's
 * mountinfo tells nothing of the host's folders.
 */
#include "runtime/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/lower.h"
#include "runtime/mount-fs.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/upper.h"

enum { PAGE = 4096, FD_PATH_MAX = sizeof("/proc/self/fd/-2147483648") };

struct layer {
	char *path;
	int fd;
	bool is_tree; /* the parent took it: the fd is a mount */
};

/* What the options say, and what was opened for it. */
struct overlay {
	struct layer *layers; /* top-most first */
	size_t layer_count;
	char *upper_path, *work_path; /* NULL: none, or a tmpfs */
	bool upper_tmpfs, upper_disk; /* "auto" has become one of them */
	struct str_list options, tmpfs_options;
	int tmpfs; /* mount of the tmpfs, -1 */
	int upper, work; /* O_PATH, -1 */
};

static void overlay_done(struct overlay *o)
{
	int *fds[] = { &o->tmpfs, &o->upper, &o->work };

	for (size_t i = 0; i < o->layer_count; i++) {
		free(o->layers[i].path);
		if (o->layers[i].fd >= 0)
			(void)close(o->layers[i].fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
	}
	free(o->layers);
	free(o->upper_path);
	free(o->work_path);
	str_list_done(&o->options);
	str_list_done(&o->tmpfs_options);
}

bool overlay_wanted(const struct spec *spec)
{
	return spec->mount_count > 0 && spec->mounts[0].type &&
	       str_eq(spec->mounts[0].type, "overlay") && str_eq(spec->mounts[0].destination, "/");
}

/* "a:b:c", where a backslash keeps the character behind it. */
static int layers_split(const char *value, struct str_list *ret)
{
	cleanup_free char *one = malloc(strlen(value) + 1);
	size_t len = 0;
	int err;

	if (!one)
		return fail(ENOMEM, "layers");
	for (const char *p = value;; p++) {
		if (*p == '\\' && p[1]) {
			one[len++] = *++p;
		} else if (*p && *p != ':') {
			one[len++] = *p;
		} else {
			one[len] = '\0';
			err = len > 0 ? str_list_add(ret, one)
				      : fail_plain(EINVAL, "lowerdir: an empty path");
			if (err < 0)
				return err;
			len = 0;
			if (!*p)
				return 0;
		}
	}
}

int overlay_layers(const struct rootfs *r, struct str_list *ret)
{
	const struct spec_mount *m = &r->spec->mounts[0];
	int err = 0;

	for (size_t i = 0; i < m->fs_options.count && err >= 0; i++) {
		const char *one = str_starts(m->fs_options.items[i], "lowerdir+=");
		const char *several = str_starts(m->fs_options.items[i], "lowerdir=");

		if (one)
			err = str_list_add(ret, one);
		else if (several)
			err = layers_split(several, ret);
	}
	for (size_t i = 0; i < ret->count && err >= 0; i++) {
		char *path = NULL;

		err = bundle_path(r->bundle, ret->items[i], &path);
		if (err >= 0) {
			free(ret->items[i]);
			ret->items[i] = path;
		}
	}
	return err;
}

static int layer_add(const struct rootfs *r, struct overlay *o, const char *path)
{
	struct layer *grown = realloc(o->layers, (o->layer_count + 1) * sizeof(*grown));
	int mount = lower_find_taken(r, path), err;
	struct layer *layer;

	if (!grown)
		return fail(ENOMEM, "layers");
	o->layers = grown;
	layer = &grown[o->layer_count++];
	*layer = (struct layer){ .fd = -1, .is_tree = mount >= 0 };
	err = str_copy(&layer->path, path);
	if (err < 0)
		return err;
	layer->fd = mount >= 0 ? fcntl(mount, F_DUPFD_CLOEXEC, 3) : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return layer->fd < 0 ? fail(errno, "layer '%s'", layer->path) : 0;
}

static int option_read(const struct rootfs *r, struct overlay *o, const char *option)
{
	const char *value;

	if (str_starts(option, "lowerdir+=") || str_starts(option, "lowerdir="))
		return 0;
	if ((value = str_starts(option, "upperdir=")))
		return bundle_path(r->bundle, value, &o->upper_path);
	if ((value = str_starts(option, "workdir=")))
		return bundle_path(r->bundle, value, &o->work_path);
	if (str_eq(option, "upper=tmpfs")) {
		o->upper_tmpfs = true;
		return 0;
	}
	if (str_eq(option, UPPER_OPTION)) {
		o->upper_disk = true;
		return 0;
	}
	if (str_eq(option, UPPER_AUTO)) {
		o->upper_disk = r->upper;
		o->upper_tmpfs = !r->upper;
		return 0;
	}
	if (str_starts(option, "upper="))
		return fail_plain(
			EINVAL, "option '%s': only 'upper=auto', 'upper=tmpfs' and 'upper=disk' are known; a folder is 'upperdir='",
			option);
	if (str_starts(option, "size=") || str_starts(option, "nr_inodes="))
		return str_list_add(&o->tmpfs_options, option);
	return str_list_add(&o->options, option);
}

static int options_read(const struct rootfs *r, struct overlay *o)
{
	const struct spec_mount *m = &r->spec->mounts[0];
	struct str_list layers = { .items = NULL };
	int err = overlay_layers(r, &layers);

	for (size_t i = 0; i < layers.count && err >= 0; i++)
		err = layer_add(r, o, layers.items[i]);
	str_list_done(&layers);
	if (err < 0)
		return err;
	for (size_t i = 0; i < m->fs_options.count; i++) {
		err = option_read(r, o, m->fs_options.items[i]);
		if (err < 0)
			return err;
	}
	if (o->layer_count == 0)
		return fail_plain(EINVAL, "no layer: the options need at least one 'lowerdir+='");
	if (o->upper_tmpfs + o->upper_disk + !!o->upper_path > 1)
		return fail_plain(EINVAL, "'upper=' and 'upperdir=' exclude each other");
	if (o->upper_disk && !r->upper)
		return fail_plain(EINVAL, "'upper=disk': no folder was made for it");
	if (o->work_path && !o->upper_path)
		return fail_plain(EINVAL, "'workdir=' needs an 'upperdir='");
	/* The size of a folder on the disk is limited where that is made. */
	for (size_t i = 0; i < o->tmpfs_options.count; i++) {
		const char *option = o->tmpfs_options.items[i];

		if (!o->upper_tmpfs && !(o->upper_disk && str_starts(option, UPPER_SIZE)))
			return fail_plain(EINVAL, "option '%s' needs 'upper=tmpfs'", option);
	}
	/* Nobody goes on with it after a crash, so no end of a container needs to wait for the disk. */
	if (o->upper_disk && !str_list_has(&o->options, "volatile")) {
		err = str_list_add(&o->options, "volatile");
		if (err < 0)
			return err;
	}
	/*
	 * Outside the initial user namespace only attributes of the name space "user" can be
	 * written.
	 */
	if (r->userns && !str_list_has(&o->options, "userxattr"))
		return str_list_add(&o->options, "userxattr");
	return 0;
}

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

static const char *fd_path(int fd, char buf[FD_PATH_MAX])
{
	(void)snprintf(buf, FD_PATH_MAX, "/proc/self/fd/%d", fd);
	return buf;
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

static int key_set(int fs, const char *key, const char *value)
{
	if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) == 0)
		return 0;
	return mount_fail(fs, errno, "option '%s'", key);
}

static int options_set(int fs, const struct overlay *o)
{
	char upper[FD_PATH_MAX], work[FD_PATH_MAX];
	int r = key_set(fs, "source", "overlay");

	if (r >= 0 && o->upper >= 0)
		r = key_set(fs, "upperdir", fd_path(o->upper, upper));
	if (r >= 0 && o->work >= 0)
		r = key_set(fs, "workdir", fd_path(o->work, work));
	for (size_t i = 0; i < o->options.count && r >= 0; i++) {
		cleanup_free char *key = NULL;
		char *value;

		r = str_copy(&key, o->options.items[i]);
		if (r < 0)
			return r;
		value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		r = key_set(fs, key, value);
	}
	return r;
}

/*
 * Linux 6.5 and newer. Return: 0, OVERLAY_OLD when the kernel does not know how, or a recorded
 * failure.
 */
enum { OVERLAY_OLD = 1 };

static int mount_layer_by_layer(const struct overlay *o, uint64_t attrs, int *ret_mount)
{
	cleanup_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	char name[FD_PATH_MAX];
	int r;

	if (fs < 0)
		return fail(errno, "open file system 'overlay'%s",
			    errno == ENODEV ? " (modprobe overlay)" : "");
	r = options_set(fs, o);
	if (r < 0)
		return r;
	for (size_t i = 0; i < o->layer_count; i++) {
		const struct layer *l = &o->layers[i];

		if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", fd_path(l->fd, name), 0) == 0)
			continue;
		if (errno == EINVAL && i == 0)
			return OVERLAY_OLD;
		return mount_fail(fs, errno, "layer '%s'", l->path);
	}
	r = mount_create(fs, attrs, NULL, ret_mount);
	if (r == MOUNT_REFUSED)
		return -EPERM;
	return r == -EINVAL ? OVERLAY_OLD : r;
}

/*
 * Older kernels: one page of options, attached over "/" in one go, where "/.." leads to what is on
 * top.
 */
static int mount_by_page(const struct overlay *o, uint64_t attrs, int *ret_mount)
{
	cleanup_free char *data = NULL;
	cleanup_fd int root = -1;
	char upper[FD_PATH_MAX], work[FD_PATH_MAX];
	struct statfs fs;
	size_t size;
	FILE *out = open_memstream(&data, &size);

	if (!out)
		return fail(errno, "layers");
	for (size_t i = 0; i < o->layer_count; i++)
		fprintf(out, "%s/proc/self/fd/%d", i ? ":" : "lowerdir=", o->layers[i].fd);
	if (o->upper >= 0)
		fprintf(out, ",upperdir=%s,workdir=%s", fd_path(o->upper, upper),
			fd_path(o->work, work));
	for (size_t i = 0; i < o->options.count; i++)
		fprintf(out, ",%s", o->options.items[i]);
	if (fclose(out) != 0)
		return fail(errno, "layers");
	if (size >= PAGE)
		return fail_plain(E2BIG,
				  "%zu layers are too many for this kernel (Linux 6.5 takes more)",
				  o->layer_count);
	if (mount("overlay", "/", "overlay", 0, data) < 0)
		return fail(errno, "create the file system (options '%s')", data);
	root = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fstatfs(root, &fs) < 0)
		return fail(errno, "open the overlay");
	if (fs.f_type != OVERLAYFS_SUPER_MAGIC)
		return fail_plain(EINVAL, "the overlay is not where it was mounted");
	if (attrs && mount_change(root, false, attrs, 0, 0) < 0)
		return fail(EINVAL, "set the options");
	*ret_mount = steal_fd(&root);
	return 0;
}

/* A single layer that nobody writes to is no overlay: the kernel wants two. */
static int mount_single(const struct overlay *o, uint64_t attrs, int *ret_mount)
{
	int r = mount_tree_of(o->layers[0].fd, false, ret_mount);

	if (r == 0)
		r = mount_change(*ret_mount, false, attrs | MOUNT_ATTR_RDONLY, 0, MS_PRIVATE);
	return r < 0 ? fail(-r, "layer '%s'", o->layers[0].path) : 0;
}

/*
 * overlayfs writes to its upper with the rights of who mounted it, and with CAP_SYS_RESOURCE no quota holds. Source:
 * ignore_hardlimit() in the kernel's fs/quota/dquot.c, ovl_override_creds().
 */
static int resource_right(cap_flag_value_t value)
{
	const cap_value_t right = CAP_SYS_RESOURCE;
	cap_t caps = cap_get_proc();
	int r = 0;

	if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &right, value) < 0 || cap_set_proc(caps) < 0)
		r = fail(errno, "change our effective capabilities");
	if (caps)
		(void)cap_free(caps);
	return r;
}

static bool resource_right_is_held(void)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t held = CAP_CLEAR;

	if (caps)
		(void)cap_get_flag(caps, CAP_SYS_RESOURCE, CAP_EFFECTIVE, &held);
	(void)cap_free(caps);
	return held == CAP_SET;
}

static int tree_attach(int tree)
{
	return move_mount(tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/*
 * What the parent took is attached over "/" while the overlay is made, one on the other: the kernel takes no layer from
 * outside of our mount namespace. It hides nothing there (rootfs.c).
 */
static int trees_attach(const struct rootfs *r, const struct overlay *o, int *ret_first)
{
	int err = 0;

	if (r->upper_tree >= 0) {
		err = tree_attach(r->upper_tree);
		*ret_first = r->upper_tree;
	}
	for (size_t i = 0; i < o->layer_count && err >= 0; i++) {
		if (!o->layers[i].is_tree)
			continue;
		err = tree_attach(o->layers[i].fd);
		if (*ret_first < 0)
			*ret_first = o->layers[i].fd;
	}
	return err < 0 ? fail(-err, "attach the layers") : 0;
}

/*
 * The overlay has mounts of its own of all of them. umount2(2) takes what is on top of the path that it is given, until the
 * first one itself is gone, and with it the path.
 */
static int trees_detach(int first)
{
	char path[FD_PATH_MAX];

	if (first < 0)
		return 0;
	while (umount2(fd_path(first, path), MNT_DETACH) == 0)
		;
	return errno == EINVAL ? 0 : fail(errno, "detach the layers");
}

/* The overlay of mount(2) sits on top of the trees: a copy of it does not. */
static int page_take(const struct overlay *o, uint64_t attrs, int first, int *ret_tree)
{
	cleanup_fd int root = -1;
	int err = mount_by_page(o, attrs, &root);

	if (err < 0)
		return err;
	if (first < 0) {
		*ret_tree = steal_fd(&root);
		return 0;
	}
	err = mount_tree_of(root, false, ret_tree);
	return err < 0 ? fail(-err, "take the overlay") : 0;
}

static int overlay_make(struct rootfs *r, struct overlay *o, int *ret_root)
{
	const struct spec_mount *m = &r->spec->mounts[0];
	uint64_t attrs = m->attr_set | m->rec_set;
	cleanup_fd int tree = -1;
	int err = options_read(r, o), first = -1;

	if (err < 0)
		return err;
	err = trees_attach(r, o, &first);
	if (err < 0)
		return err;
	if (o->upper_tmpfs)
		err = upper_tmpfs_open(r, o);
	else if (o->upper_disk)
		err = upper_disk_open(r, o);
	else if (o->upper_path)
		err = upper_folder_open(o);
	if (err < 0)
		return err;
	if (o->layer_count == 1 && o->upper < 0)
		err = mount_single(o, attrs, &tree);
	else
		err = mount_layer_by_layer(o, attrs, &tree);
	if (err == OVERLAY_OLD) {
		err = page_take(o, attrs, first, &tree);
		if (err >= 0 && first < 0) {
			*ret_root = steal_fd(&tree);
			return 0;
		}
	}
	if (err >= 0)
		err = trees_detach(first);
	if (err < 0)
		return err;
	err = tree_attach(tree);
	if (err < 0)
		return fail(-err, "attach the root");
	*ret_root = steal_fd(&tree);
	return 0;
}

static bool has_limit(const struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts[0].fs_options.count; i++)
		if (str_starts(spec->mounts[0].fs_options.items[i], UPPER_SIZE))
			return true;
	return false;
}

int overlay_mount(struct rootfs *r, int *ret_root)
{
	struct overlay o = { .tmpfs = -1, .upper = -1, .work = -1 };
	bool lower = r->upper && has_limit(r->spec) && resource_right_is_held();
	int err = lower ? resource_right(CAP_CLEAR) : 0;

	if (err == 0)
		err = overlay_make(r, &o, ret_root);
	if (lower && err >= 0)
		err = resource_right(CAP_SET);
	overlay_done(&o);
	return err < 0 ? fail_in(err, "overlay on '/'") : 0;
}
