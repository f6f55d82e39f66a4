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
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/mount-fs.h"
#include "runtime/overlay-parts.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/upper.h"

enum { PAGE = 4096 };

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
	int err = overlay_options_read(r, o), first = -1;

	if (err < 0)
		return err;
	err = trees_attach(r, o, &first);
	if (err < 0)
		return err;
	err = overlay_upper_open(r, o);
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
