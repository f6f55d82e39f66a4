/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file is hidden under the null device, a folder under an empty tmpfs that cannot be written;
 * what is to be read only is bound on itself. There is one null device and one tmpfs, attached
 * where they are needed first and copied from there (Linux before 6.15 copies only what is
 * attached), so that a dozen masks cost one file system.
 */
#include "runtime/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/mount-fs.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

/* One of the two things that masks are made of. */
struct cover {
	int mount; /* -1: not made yet */
	bool attached;
};

static int cover_attach(struct cover *cover, int target)
{
	cleanup_fd int copy = -1;
	int r;

	if (!cover->attached) {
		r = mount_attach(cover->mount, target);
		cover->attached = r == 0;
		return r < 0 ? fail(-r, "cover it") : 0;
	}
	r = mount_tree_of(cover->mount, false, &copy);
	if (r == 0)
		r = mount_attach(copy, target);
	return r < 0 ? fail(-r, "cover it") : 0;
}

/* The first of them; the others are copies. */
static int empty_folder_attach(struct cover *cover, int target)
{
	char *items[] = { (char[]){ "mode=0755" }, NULL };
	const struct str_list options = { .items = items, .count = 1 };
	const struct mount_new want = {
		.type = "tmpfs",
		.source = "tmpfs",
		.options = &options,
		.attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			 MOUNT_ATTR_NOEXEC,
	};
	int r = mount_over(&want, target, &cover->mount);

	cover->attached = r == 0;
	if (r != MOUNT_REFUSED)
		return r;
	r = mount_new(&want, &cover->mount);
	return r == MOUNT_REFUSED ? -EPERM : r < 0 ? r : cover_attach(cover, target);
}

static int path_mask(int root, const char *path, struct cover *null, struct cover *folder)
{
	cleanup_fd int target = fd_open_in(root, path, O_PATH, 0);
	struct stat st;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return fail(-target, "open");
	if (fstat(target, &st) < 0)
		return fail(errno, "look at it");
	if (!S_ISDIR(st.st_mode))
		return cover_attach(null, target);
	return folder->mount < 0 ? empty_folder_attach(folder, target) : cover_attach(folder, target);
}

static int path_seal(int root, const char *path)
{
	cleanup_fd int target = fd_open_in(root, path, O_PATH, 0), tree = -1;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0)
		return fail(-target, "open");
	r = mount_tree_of(target, true, &tree);
	if (r == 0)
		r = mount_change(tree, true, MOUNT_ATTR_RDONLY, 0, 0);
	if (r == 0)
		r = mount_attach(tree, target);
	return r < 0 ? fail(-r, "bind it read-only") : 0;
}

static int paths_mask(struct rootfs *r)
{
	const struct str_list *masked = &r->spec->linux_.masked_paths;
	struct cover null = { .mount = r->null }, folder = { .mount = -1 };
	int err = 0;

	for (size_t i = 0; i < masked->count && err >= 0; i++) {
		err = path_mask(r->root, masked->items[i], &null, &folder);
		if (err < 0)
			(void)fail_in(err, "mask '%s'", masked->items[i]);
	}
	if (folder.mount >= 0)
		(void)close(folder.mount);
	return err;
}

int paths_hide(struct rootfs *r)
{
	const struct str_list *sealed = &r->spec->linux_.readonly_paths;
	int err;

	/* First, so that binds of whole folders carry the masks along. */
	err = paths_mask(r);
	for (size_t i = 0; i < sealed->count && err >= 0; i++) {
		err = path_seal(r->root, sealed->items[i]);
		if (err < 0)
			(void)fail_in(err, "make '%s' read-only", sealed->items[i]);
	}
	return err;
}
