/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups of paths begin at the process's root, which stays the host's until chroot(2), whatever is mounted over it. So the
 * host's other mounts can still be found by their names after the container's root has been moved over "/"; those that
 * belong to the container are told from them by the numbers of mounts and of what they are mounted on.
 */
#include "runtime/no-pivot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/str.h"
#include "runtime/mountinfo.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

struct mount_list {
	struct mountinfo *items;
	size_t count;
};

int no_pivot_check(const struct spec *spec)
{
	const struct spec_capabilities *c = &spec->process.capabilities;
	uint64_t all = c->bounding | c->effective | c->inheritable | c->permitted | c->ambient;

	if (spec->vm.set)
		return fail_plain(EINVAL, "--no-pivot: a virtual machine has no root of the host's");
	if (spec->linux_.namespaces[NS_USER].wanted)
		return fail_plain(EPERM, "--no-pivot: with a user namespace the host's mounts could not be taken away");
	if (all & (UINT64_C(1) << CAP_SYS_ADMIN))
		return fail_plain(EPERM, "--no-pivot: a container with CAP_SYS_ADMIN could unmount its root, and be in the host's");
	if (spec->linux_.rootfs_propagation & MS_SHARED)
		return fail_plain(EINVAL, "--no-pivot: with linux.rootfsPropagation \"shared\" the host's mounts could not be taken away");
	return 0;
}

/* @text: what the list points into */
static int list_read(char *text, struct mount_list *ret)
{
	size_t lines = 1;
	int r = 1;

	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	ret->items = calloc(lines, sizeof(*ret->items));
	if (!ret->items)
		return fail(ENOMEM, "read the mounts");
	while (r > 0) {
		r = mountinfo_next(&text, &ret->items[ret->count]);
		ret->count += r > 0;
	}
	return r;
}

static const struct mountinfo *list_find(const struct mount_list *list, unsigned long id)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].id == id)
			return &list->items[i];
	return NULL;
}

/* Whether it stands on @root, or is that. */
static bool belongs(const struct mount_list *list, const struct mountinfo *m, unsigned long root)
{
	for (size_t depth = 0; m && depth <= list->count; depth++) {
		if (m->id == root)
			return true;
		m = m->on == m->id ? NULL : list_find(list, m->on);
	}
	return false;
}

/* Those that are gone with what they stood on are no failure. */
static int others_detach(const struct mount_list *list, unsigned long root)
{
	for (size_t i = list->count; i > 0; i--) {
		const struct mountinfo *m = &list->items[i - 1];

		if (str_eq(m->path, "/") || belongs(list, m, root))
			continue;
		if (umount2(m->path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
			return fail(errno, "take away the host's mount '%s'", m->path);
	}
	return 0;
}

static int root_number(const struct rootfs *r, unsigned long *ret)
{
	struct statx info;

	if (statx(r->root, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) < 0)
		return fail(errno, "look at the root");
	*ret = info.stx_mnt_id;
	return 0;
}

/* The mounts as they are before the move, when the names of the container's are not yet those of the host's. */
static int move(struct rootfs *r, const struct mount_list *list, unsigned long root)
{
	const struct mountinfo *m = list_find(list, root);
	int err;

	if (!m)
		return fail_plain(ENOENT, "the root is not among the mounts");
	if (fchdir(r->root) < 0)
		return fail(errno, "enter the root");
	if (!str_eq(m->path, "/") && move_mount(r->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return fail(errno, "move the root over '/'");
	err = others_detach(list, root);
	if (err < 0)
		return err;
	if (chroot(".") < 0)
		return fail(errno, "chroot");
	return chdir("/") < 0 ? fail(errno, "enter '/'") : 0;
}

int no_pivot_switch(struct rootfs *r)
{
	cleanup_fd int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct mount_list list = { .items = NULL };
	cleanup_free char *text = NULL;
	unsigned long root = 0;
	int err = fd < 0 ? -errno : fd_read_all(fd, SIZE_MAX / 2, &text, NULL);

	if (err < 0)
		return fail(-err, "read '/proc/self/mountinfo'");
	err = root_number(r, &root);
	if (err == 0)
		err = list_read(text, &list);
	if (err == 0)
		err = move(r, &list, root);
	free(list.items);
	return err;
}
