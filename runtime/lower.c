/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parent takes of the layers: see lower.h. */
#include "runtime/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/idmap.h"
#include "runtime/image-root.h"
#include "runtime/mount-fs.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

/* A free device may be taken by somebody else before we have it. */
enum { LOOP_TRIES = 32 };

/* Return: fd of a loop device over @file that goes with its last user, or a recorded failure. */
static int loop_make(int file, char path[32])
{
	cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	const struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
	};

	if (control < 0)
		return fail(errno, "this kernel mounts no file without a loop device (modprobe loop): open '/dev/loop-control'");
	for (int i = 0; i < LOOP_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE), device;

		if (number < 0)
			return fail(errno, "get a loop device");
		(void)snprintf(path, 32, "/dev/loop%d", number);
		device = open(path, O_RDONLY | O_CLOEXEC);
		if (device < 0)
			return fail(errno, "open '%s'", path);
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
			return device;
		if (errno != EBUSY) {
			int err = errno;

			(void)close(device);
			return fail(err, "set up '%s'", path);
		}
		(void)close(device);
	}
	return fail_plain(EBUSY, "no loop device is free");
}

/* Whether what lies on a block device can be read where it is, as on persistent memory. Source: blk_queue_dax in block/blk-sysfs.c */
static bool is_memory(dev_t number)
{
	cleanup_free char *path = NULL, *text = NULL;

	return str_format(&path, "/sys/dev/block/%u:%u/queue/dax", major(number), minor(number)) == 0 &&
	       fd_read_file(AT_FDCWD, path, &text) == 0 && *text == '1';
}

/* @memory: without a copy in memory. Return: as mount_create(). */
static int erofs_mount(const char *source, bool memory, int *ret_mount)
{
	cleanup_fd int fs = fsopen("erofs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return fail(errno, "open file system 'erofs'%s", errno == ENODEV ? " (modprobe erofs, or CONFIG_EROFS_FS)" :
			    errno == EPERM ? ": only root can mount one" : "");
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
		return mount_fail(fs, errno, "mount it");
	/* A kernel that cannot (CONFIG_FS_DAX) copies. */
	if (memory)
		(void)fsconfig(fs, FSCONFIG_SET_STRING, "dax", "always", 0);
	return mount_create(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, NULL, ret_mount);
}

static int file_mount(int file, int *ret_mount)
{
	char source[FD_PATH_MAX], device_path[32];
	cleanup_fd int device = -1;
	int r;

	r = erofs_mount(fd_path(file, source), false, ret_mount);
	if (r != -ENOTBLK)
		return r == MOUNT_REFUSED ? -EPERM : r;
	device = loop_make(file, device_path);
	r = device < 0 ? device : erofs_mount(device_path, false, ret_mount);
	return r == MOUNT_REFUSED ? -EPERM : r;
}

static int device_take(const char *path, dev_t number, int *ret_mount)
{
	int r = erofs_mount(path, is_memory(number), ret_mount);

	return r == MOUNT_REFUSED ? -EPERM : r;
}

static int lower_add(struct rootfs *r, const char *path, int mount)
{
	struct lower *grown = realloc(r->lowers, (r->lower_count + 1) * sizeof(*grown));

	if (!grown) {
		(void)close(mount);
		return fail(ENOMEM, "layers");
	}
	r->lowers = grown;
	grown[r->lower_count++] = (struct lower){ .mount = mount };
	return str_copy(&grown[r->lower_count - 1].path, path);
}

static int file_take(const char *path, int *ret_mount)
{
	cleanup_fd int file = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	return file < 0 ? fail(errno, "open it") : file_mount(file, ret_mount);
}

/* @userns: of the container's maps, -1: none */
static int lower_take(struct rootfs *r, const char *path, bool folders, int userns)
{
	struct stat st;
	int mount = -1, err;

	/* What is not there is told where folders are opened. */
	if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !(folders && S_ISDIR(st.st_mode))))
		return 0;
	if (S_ISREG(st.st_mode)) {
		err = file_take(path, &mount);
	} else if (S_ISBLK(st.st_mode)) {
		err = device_take(path, st.st_rdev, &mount);
	} else {
		err = mount_tree(path, false, &mount);
		if (err < 0)
			(void)fail(-err, "take it");
	}
	if (err < 0)
		return fail_in(err, "layer '%s'", path);
	err = userns < 0 ? 0 : mount_idmap(mount, false, userns);
	if (err < 0)
		(void)fail(-err, "layer '%s': map its ids (its file system, or overlayfs before Linux 5.19, may not be able to)", path);
	else
		err = mount_change(mount, false, 0, 0, MS_PRIVATE);
	if (err < 0) {
		(void)close(mount);
		return err;
	}
	return lower_add(r, path, mount);
}

static int upper_take(struct rootfs *r)
{
	int err = mount_tree(r->upper, false, &r->upper_tree);

	if (err >= 0)
		err = mount_change(r->upper_tree, false, 0, 0, MS_PRIVATE);
	return err < 0 ? fail(-err, "upper '%s'", r->upper) : 0;
}

int lowers_take(struct rootfs *r)
{
	const struct spec_linux *l = &r->spec->linux_;
	bool folders = l->namespaces[NS_USER].wanted && geteuid() == 0;
	struct str_list layers = { .items = NULL };
	cleanup_fd int userns = -1;
	int err = overlay_layers(r, &layers);

	if (err >= 0 && folders && l->uid_mapping_count > 0 && spec_annotation(r->spec, SHORT_ANNOTATION IMAGE_ANNOTATION))
		err = userns = idmap_userns(l->uid_mappings, l->uid_mapping_count, l->gid_mappings, l->gid_mapping_count);
	for (size_t i = 0; i < layers.count && err >= 0; i++)
		err = lower_take(r, layers.items[i], folders, userns);
	str_list_done(&layers);
	if (err >= 0 && folders && r->upper)
		err = upper_take(r);
	return err < 0 ? err : 0;
}

int lower_find_taken(const struct rootfs *r, const char *path)
{
	for (size_t i = 0; i < r->lower_count; i++)
		if (str_eq(r->lowers[i].path, path))
			return r->lowers[i].mount;
	return -1;
}

void lowers_done(struct rootfs *r)
{
	for (size_t i = 0; i < r->lower_count; i++) {
		free(r->lowers[i].path);
		(void)close(r->lowers[i].mount);
	}
	free(steal_ptr(&r->lowers));
	r->lower_count = 0;
	if (r->upper_tree >= 0)
		(void)close(steal_fd(&r->upper_tree));
}
