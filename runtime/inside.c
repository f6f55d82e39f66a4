/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of a running container the kernel gives the root itself (/proc/PID/root), with its own mounts. Otherwise its root is made
 * once more by the code that made it first.
 */
#include "runtime/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/tree.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/bundle.h"
#include "runtime/idmap.h"
#include "runtime/image-root.h"
#include "runtime/kept.h"
#include "runtime/lower.h"
#include "runtime/mount-fs.h"
#include "runtime/mount-source.h"
#include "runtime/mounts.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/upper.h"
#include "runtime/volume-use.h"

/* A container as it was recorded. */
struct kept {
	struct state_dir dir;
	struct state state;
	struct spec *spec;
	bool running;
};
#define KEPT_NONE { .dir = STATE_DIR_NONE }

static void kept_done(struct kept *k)
{
	state_close(&k->dir);
	state_done(&k->state);
	(void)spec_free(k->spec);
}
#define cleanup_kept __attribute__((cleanup(kept_done)))

/* Return: 0, CONTAINER_NOT_FOUND, or a recorded failure. */
static int kept_load(const struct container_place *place, const char *id, bool lock, struct kept *k)
{
	enum container_status status;
	int r = kept_open(place, id, lock, &k->dir, &k->state);

	if (r != 0)
		return r < 0 ? r : CONTAINER_NOT_FOUND;
	r = kept_status(&k->state, &status);
	if (r == 0)
		r = kept_spec(&k->dir, &k->spec);
	if (r < 0)
		return r;
	if (k->spec->vm.set)
		return fail_plain(ENOTSUP, "container '%s' is a virtual machine: its files are not reached from outside yet", id);
	k->running = status != CONTAINER_STOPPED && status != CONTAINER_CREATING;
	return 0;
}

static const char *option_value(const struct spec *spec, const char *key)
{
	const struct str_list *options = &spec->mounts[0].fs_options;

	for (size_t i = 0; i < options->count; i++) {
		const char *value = str_starts(options->items[i], key);

		if (value)
			return value;
	}
	return NULL;
}

/* The folder that holds "upper" and "work". Return: 0, with NULL when it is in memory, or a recorded failure. */
static int upper_find(const struct container_place *place, const struct kept *k, char **ret_path)
{
	cleanup_free char *path = NULL;
	struct stat st;
	int r = upper_path(place, &k->dir, k->state.boot_id, k->state.id, &path);

	if (r == 0 && lstat(path, &st) == 0)
		*ret_path = steal_ptr(&path);
	return r;
}

static bool is_in_memory(const struct kept *k, const char *disk)
{
	return overlay_wanted(k->spec) && !k->spec->root_readonly && option_value(k->spec, "upper=") && !disk;
}

/* --- the root ------------------------------------------------------------------------------------- */

static int root_of_process(const struct kept *k, const char *id, int *ret_root)
{
	char path[sizeof("/proc/-2147483648/root")];
	cleanup_fd int pidfd = -1, root = -1;
	int r = proc_open(k->state.pid, k->state.pid_start, &pidfd);

	if (r != 0)
		return r < 0 ? r : fail_plain(ESRCH, "container '%s' has just ended", id);
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)k->state.pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail(errno, "open the root of container '%s'", id);
	/* It was its process all the time. */
	r = proc_signal(pidfd, 0);
	if (r != 0)
		return r < 0 ? r : fail_plain(ESRCH, "container '%s' has just ended", id);
	*ret_root = steal_fd(&root);
	return 0;
}

/* The volumes and folders of the host that it had; what else was mounted there went with it. */
static int volumes_find(const struct container_place *place, const struct kept *k, struct volume_taken **ret)
{
	struct volume_taken *taken = calloc(k->spec->mount_count + 1, sizeof(*taken));
	size_t n = 0;
	int r = 0;

	if (!taken)
		return fail(ENOMEM, "volumes");
	for (size_t i = 0; r == 0 && i < k->spec->mount_count; i++) {
		taken[i].lock = taken[i].fill = -1;
		if (k->spec->mounts[i].volume && n < k->state.volumes.count)
			r = str_format(&taken[i].path, "%s/volumes/%s/_data", place->data, k->state.volumes.items[n++]);
	}
	*ret = taken;
	return r;
}

static int namespace_own(struct rootfs *r)
{
	int err;

	if (unshare(CLONE_NEWNS) < 0)
		return fail(errno, "make a mount namespace");
	err = mounts_private(r);
	(void)umask(r->old_umask);
	return err;
}

static int root_mount_again(const struct container_place *place, const struct kept *k, int *ret_root)
{
	struct rootfs r = ROOTFS_NONE;
	struct volume_taken *volumes = NULL;
	cleanup_free char *upper = NULL;
	int err = upper_find(place, k, &upper);

	if (err < 0)
		return err;
	if (is_in_memory(k, upper))
		return fail_plain(ENOENT, "container '%s' has ended, and what it wrote was in memory (\"upper\": \"disk\" keeps it)",
				  k->state.id);
	r.spec = k->spec;
	r.bundle = k->state.bundle;
	r.upper = upper;
	r.again = true;
	/* Its marks are what such a namespace may write. */
	r.userns = k->spec->linux_.namespaces[NS_USER].wanted;
	err = volumes_find(place, k, &volumes);
	r.volumes = volumes;
	if (err == 0)
		err = mount_sources_take(&r);
	if (err == 0 && overlay_wanted(k->spec))
		err = lowers_take(&r);
	if (err == 0)
		err = namespace_own(&r);
	if (err == 0)
		err = rootfs_mount(&r);
	if (err == 0)
		err = mounts_apply_binds(&r);
	if (err == 0)
		*ret_root = steal_fd(&r.root);
	volumes_done(volumes, k->spec);
	rootfs_done(&r);
	return err;
}

static int map_take(const struct spec_id_map *maps, size_t count, struct id_map *ret)
{
	ret->ranges = count > 0 ? calloc(count, sizeof(*ret->ranges)) : NULL;
	if (count > 0 && !ret->ranges)
		return fail(ENOMEM, "id maps");
	for (size_t i = 0; i < count; i++)
		ret->ranges[i] = (struct id_range){ maps[i].container_id, maps[i].host_id, maps[i].size };
	ret->count = count;
	return 0;
}

int inside_open(const struct container_place *place, const char *id, struct inside *ret)
{
	struct kept k cleanup_kept = KEPT_NONE;
	const struct spec_linux *l;
	int root = -1, r = kept_load(place, id, true, &k);

	if (r != 0)
		return r;
	l = &k.spec->linux_;
	if (!k.running && state_is_stale(&k.state) && overlay_wanted(k.spec) && !option_value(k.spec, "upperdir="))
		return fail_plain(ENOENT, "container '%s' ended with the last boot, and what it wrote with it", id);
	r = k.running ? root_of_process(&k, id, &root) : root_mount_again(place, &k, &root);
	if (r < 0)
		return r;
	*ret = (struct inside){ .root = root, .uid = idmap_host_id(0, l->uid_mappings, l->uid_mapping_count),
				.gid = idmap_host_id(0, l->gid_mappings, l->gid_mapping_count), .dir = STATE_DIR_NONE };
	r = map_take(l->uid_mappings, l->uid_mapping_count, &ret->ids.uids);
	if (r == 0)
		r = map_take(l->gid_mappings, l->gid_mapping_count, &ret->ids.gids);
	if (!k.running) {
		ret->dir = k.dir;
		k.dir = (struct state_dir)STATE_DIR_NONE;
	}
	if (r < 0)
		inside_done(ret);
	return r;
}

void inside_done(struct inside *inside)
{
	ids_done(&inside->ids);
	if (inside->root >= 0)
		(void)close(inside->root);
	state_close(&inside->dir);
	*inside = (struct inside){ .root = -1, .dir = STATE_DIR_NONE };
}

/* --- changes -------------------------------------------------------------------------------------- */

static int upper_open(const struct container_place *place, const struct kept *k, int *ret_fd)
{
	cleanup_free char *folder = NULL, *path = NULL;
	const char *own;
	int r;

	if (!overlay_wanted(k->spec))
		return fail_plain(ENOTSUP, "container '%s' has no layers, it writes to its root itself", k->state.id);
	own = option_value(k->spec, "upperdir=");
	r = upper_find(place, k, &folder);
	if (r == 0 && own)
		r = bundle_path(k->state.bundle, own, &path);
	else if (r == 0 && folder)
		r = str_format(&path, "%s/upper", folder);
	if (r < 0)
		return r;
	if (!path)
		return fail_plain(ENOTSUP, "what container '%s' writes is in memory, or nothing is (\"upper\": \"disk\" makes it "
				  "visible)", k->state.id);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? fail(errno, "open '%s'", path) : 0;
}

/* What a container's users wrote, with the ids that they have inside: an image's files have no others. */
static int upper_unmap(const struct kept *k, int *fd)
{
	const struct spec_linux *l = &k->spec->linux_;
	const size_t count = l->uid_mapping_count + l->gid_mapping_count;
	cleanup_free struct spec_id_map *back = NULL;
	cleanup_fd int userns = -1, tree = -1;
	int r;

	if (!l->namespaces[NS_USER].wanted || l->uid_mapping_count == 0 || geteuid() != 0)
		return 0;
	back = calloc(count, sizeof(*back));
	if (!back)
		return fail(ENOMEM, "id maps");
	for (size_t i = 0; i < count; i++) {
		const struct spec_id_map *m = i < l->uid_mapping_count ? &l->uid_mappings[i] :
								       &l->gid_mappings[i - l->uid_mapping_count];

		back[i] = (struct spec_id_map){ .container_id = m->host_id, .host_id = m->container_id, .size = m->size };
	}
	userns = idmap_userns(back, l->uid_mapping_count, back + l->uid_mapping_count, l->gid_mapping_count);
	r = userns < 0 ? userns : mount_tree_of(*fd, false, &tree);
	if (r == 0)
		r = mount_idmap(tree, false, userns);
	if (r < 0)
		return userns < 0 ? r : fail(-r, "map the ids of what was written back (its file system may not be able to)");
	(void)close(*fd);
	*fd = steal_fd(&tree);
	return 0;
}

int changes_open(const struct container_place *place, const char *id, struct changes *ret)
{
	struct kept k cleanup_kept = KEPT_NONE;
	struct changes c = { .upper = -1 };
	const char *manifest;
	int r = kept_load(place, id, false, &k);

	if (r != 0)
		return r;
	manifest = spec_annotation(k.spec, SHORT_ANNOTATION IMAGE_ANNOTATION);
	r = upper_open(place, &k, &c.upper);
	if (r == 0)
		r = upper_unmap(&k, &c.upper);
	if (r == 0 && manifest)
		r = str_copy(&c.manifest, manifest);
	if (r == 0 && k.state.image_store)
		r = str_copy(&c.store, k.state.image_store);
	c.running = k.running;
	if (r < 0)
		changes_done(&c);
	else
		*ret = c;
	return r;
}

void changes_done(struct changes *c)
{
	if (c->upper >= 0)
		(void)close(c->upper);
	free(c->manifest);
	free(c->store);
	*c = (struct changes){ .upper = -1 };
}

/* The layers alone, as one tree. */
static int lower_mount(const struct kept *k, int *ret_root)
{
	struct rootfs r = ROOTFS_NONE;
	struct spec spec = *k->spec;
	struct spec_mount only = spec.mounts[0];
	struct str_list options = { .items = NULL };
	int err = 0;

	for (size_t i = 0; err == 0 && i < only.fs_options.count; i++)
		if (str_starts(only.fs_options.items[i], "lowerdir"))
			err = str_list_add(&options, only.fs_options.items[i]);
	only.fs_options = options;
	spec.mounts = &only;
	spec.mount_count = 1;
	spec.linux_.masked_paths.count = 0;
	r.spec = &spec;
	r.bundle = k->state.bundle;
	if (err == 0)
		err = lowers_take(&r);
	if (err == 0)
		err = namespace_own(&r);
	if (err == 0)
		err = rootfs_mount(&r);
	if (err == 0)
		*ret_root = steal_fd(&r.root);
	rootfs_done(&r);
	str_list_done(&options);
	return err;
}

static bool is_opaque(int fd)
{
	char value;

	return (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

enum { DEPTH_MAX = 256 };

static int folder_list(int upper, int lower, const char *path, struct str_list *ret, int depth);

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names, those that begin with a dot as well, sorted. */
static int folder_read_all(int dir, struct str_list *ret)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	cleanup_dir DIR *stream = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!stream)
		return fail(errno, "read a folder");
	while (r == 0 && (entry = readdir(stream)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			r = str_list_add(ret, entry->d_name);
	if (r == 0 && ret->count > 1)
		qsort(ret->items, ret->count, sizeof(char *), by_name);
	return r;
}

/* All that an opaque folder hides and does not have itself. */
static int hidden_list(int upper, int lower, const char *path, struct str_list *ret)
{
	struct str_list names = { .items = NULL };
	int r = lower < 0 ? 0 : folder_read_all(lower, &names);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		struct stat st;

		if (fstatat(upper, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			r = str_list_addf(ret, "D %s/%s", path, names.items[i]);
	}
	str_list_done(&names);
	return r;
}

static int entry_list(int upper, int lower, const char *path, const char *name, struct str_list *ret, int depth)
{
	enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
	cleanup_fd int up = -1, low = -1;
	cleanup_free char *here = NULL;
	struct stat st, below;
	bool there = lower >= 0 && fstatat(lower, name, &below, AT_SYMLINK_NOFOLLOW) == 0;
	int r = str_format(&here, "%s/%s", path, name);

	if (r < 0)
		return r;
	if (fstatat(upper, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(errno, "look at '%s'", here);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return str_list_addf(ret, "D %s", here);
	r = str_list_addf(ret, "%c %s", there ? 'C' : 'A', here);
	if (r < 0 || !S_ISDIR(st.st_mode))
		return r;
	up = openat(upper, name, FOLDER);
	if (up < 0)
		return errno == ENOENT ? 0 : fail(errno, "open '%s'", here);
	if (there && S_ISDIR(below.st_mode))
		low = openat(lower, name, FOLDER);
	return folder_list(up, low, here, ret, depth + 1);
}

static int folder_list(int upper, int lower, const char *path, struct str_list *ret, int depth)
{
	struct str_list names = { .items = NULL };
	bool opaque = is_opaque(upper);
	int r = depth > DEPTH_MAX ? fail_plain(ELOOP, "'%.200s': too deep", path) : folder_read_all(upper, &names);

	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = entry_list(upper, lower, path, names.items[i], ret, depth);
	if (r == 0 && opaque)
		r = hidden_list(upper, lower, path, ret);
	str_list_done(&names);
	return r;
}

int changes_list(const struct container_place *place, const char *id, struct str_list *ret)
{
	struct kept k cleanup_kept = KEPT_NONE;
	cleanup_fd int upper = -1, root = -1, lower = -1;
	int r = kept_load(place, id, false, &k);

	if (r != 0)
		return r;
	r = upper_open(place, &k, &upper);
	if (r == 0)
		r = lower_mount(&k, &root);
	if (r < 0)
		return r;
	lower = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return lower < 0 ? fail(errno, "open the layers") : folder_list(upper, lower, "", ret, 0);
}
