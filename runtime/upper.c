/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands in an upper was written by a payload, so it is removed as the layers of an image are: image/tree.c.
 */
#include "runtime/upper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/container.h"
#include "runtime/idmap.h"
#include "runtime/overlay.h"
#include "runtime/quota.h"
#include "runtime/spec.h"
#include "runtime/state.h"

static bool has_option(const struct spec *spec, const char *option)
{
	return overlay_wanted(spec) && str_list_has(&spec->mounts[0].fs_options, option);
}

/* Where overlayfs takes no upper: these lack renames that leave a whiteout, or attributes (Documentation/filesystems/overlayfs). */
static bool is_fit(int fd)
{
	static const long unfit[] = {
		OVERLAYFS_SUPER_MAGIC, NFS_SUPER_MAGIC, V9FS_MAGIC, FUSE_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
		MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(unfit); i++)
		if ((unsigned long)fs.f_type == (unsigned long)unfit[i])
			return false;
	return true;
}

static int folder_make(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return fail(errno, "make '%s'", name);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail(errno, "open '%s'", name) : fd;
}

static int size_read(const struct spec *spec, int64_t *ret)
{
	const struct str_list *options = &spec->mounts[0].fs_options;

	for (size_t i = 0; i < options->count; i++) {
		const char *text = str_starts(options->items[i], UPPER_SIZE);

		if (text && (str_to_bytes(text, ret) < 0 || *ret <= 0))
			return fail_plain(EINVAL, "mounts[0]: '%s' is no size for an upper on the disk", options->items[i]);
	}
	return 0;
}

enum { UPPER_NONE = 1 };

/* Return: 0, UPPER_NONE where the file system has no such limits, or a recorded failure. */
static int limit_set(int dir, const char *name, int64_t size)
{
	cleanup_fd int folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (folder < 0)
		return fail(errno, "open '%s'", name);
	r = quota_set(folder, size);
	return r == QUOTA_NONE ? UPPER_NONE : r;
}

/* @wanted: by name, and not just where it can be. Return: 0, UPPER_NONE, or a recorded failure. */
static int folder_new(const char *data, const char *boot, const char *name, bool wanted, int64_t size, uid_t uid, gid_t gid)
{
	cleanup_free char *path = NULL;
	cleanup_fd int uppers = -1, ours = -1;
	int r = str_format(&path, "%s/uppers", data);

	if (r < 0)
		return r;
	uppers = state_root_open(path);
	if (!wanted && (uppers < 0 || !is_fit(uppers)))
		return UPPER_NONE;
	if (uppers < 0)
		return uppers;
	/* What other boots left. No container depends on it, and the next one tries again. */
	if (tree_remove_others(uppers, boot) < 0)
		log_debug("%s, ignoring: what is left of another boot", fail_text());
	ours = folder_make(uppers, boot);
	if (ours < 0)
		return ours;
	/* The id is ours alone, so whose it was is gone. */
	r = tree_remove(ours, name);
	if (r < 0)
		return r;
	if (mkdirat(ours, name, 0700) < 0)
		return fail(errno, "make '%s'", name);
	/* Of the user namespace's root, who makes overlay's own folders in it. */
	if ((uid != geteuid() || gid != getegid()) && fchownat(ours, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "set the owner of '%s'", name);
	r = size > 0 ? limit_set(ours, name, size) : 0;
	if (r == 0)
		return 0;
	(void)unlinkat(ours, name, AT_REMOVEDIR);
	if (r == UPPER_NONE && wanted)
		return fail_plain(ENOTSUP, "rootfs_size: '%s' has no project quotas (on ext4: features quota and project, mount "
				  "option prjquota; xfs: pquota): use \"upper\": \"tmpfs\"", data);
	return r;
}

int upper_create(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id,
		 const struct spec *spec, bool passing, char **ret_path)
{
	const struct spec_linux *l = &spec->linux_;
	bool wanted = has_option(spec, UPPER_OPTION);
	char name[STATE_NAME_SIZE];
	int64_t size = 0;
	int r;

	if (!wanted && !has_option(spec, UPPER_AUTO))
		return 0;
	/* A root that is sealed gets its mount points in it, and nothing else. */
	if (!wanted && (passing || spec->linux_.namespaces[NS_USER].wanted || spec->root_readonly))
		return 0;
	r = size_read(spec, &size);
	if (r == 0)
		r = state_name(dir, id, name);
	if (r < 0)
		return r;
	r = folder_new(place->data, boot, name, wanted, size,
		       geteuid() == 0 ? idmap_host_id(0, l->uid_mappings, l->uid_mapping_count) : geteuid(),
		       geteuid() == 0 ? idmap_host_id(0, l->gid_mappings, l->gid_mapping_count) : getegid());
	if (r == UPPER_NONE)
		return 0;
	if (r < 0)
		return fail_in(r, "upper");
	return upper_path(place, dir, boot, id, ret_path);
}

int upper_path(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id, char **ret_path)
{
	char name[STATE_NAME_SIZE];
	int r = state_name(dir, id, name);

	return r < 0 ? r : str_format(ret_path, "%s/uppers/%s/%s", place->data, boot, name);
}

int upper_remove(const struct container_place *place, const struct state_dir *dir, const char *boot, const char *id)
{
	cleanup_free char *path = NULL;
	cleanup_fd int uppers = -1, ours = -1, folder = -1;
	char name[STATE_NAME_SIZE], now[PROC_BOOT_ID_SIZE];
	int r = str_format(&path, "%s/uppers", place->data);

	if (r < 0)
		return r;
	uppers = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (uppers < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(errno, "open '%s'", path);
	if (!boot) {
		r = proc_boot_id(now);
		if (r < 0)
			return r;
		boot = now;
	}
	ours = openat(uppers, boot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ours < 0)
		return errno == ENOENT ? 0 : fail(errno, "open '%s/%s'", path, boot);
	r = state_name(dir, id, name);
	if (r < 0)
		return r;
	folder = openat(ours, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0)
		quota_drop(folder);
	return tree_remove(ours, name);
}
