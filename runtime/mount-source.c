/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mount shows. A path of the host is the operator's word and is simply followed. Where the
 * kernel does not let a user namespace mount a file system, a bind of the host's own shows the same
 * thing, if it does; if not, the message says why the kernel refuses.
 */
#include "runtime/mount-source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/bundle.h"
#include "runtime/idmap.h"
#include "runtime/lsm.h"
#include "runtime/mount-fs.h"
#include "runtime/overlay.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"
#include "runtime/volume-use.h"

bool mount_is_bind(const struct spec_mount *m)
{
	return m->bind || m->bind_recursive || (m->type && (str_eq(m->type, "bind") || str_eq(m->type, "volume")));
}

bool mount_is_late(const struct spec_mount *m)
{
	return !mount_is_bind(m) && m->type && (m->remount || str_eq(m->type, "tmpfs")) &&
	       (((m->attr_set | m->rec_set) & MOUNT_ATTR_RDONLY) || (m->super_flags & MS_RDONLY));
}

int mount_source_path(const struct rootfs *r, const struct spec_mount *m, char **ret_path)
{
	if (m->volume) {
		const struct volume_taken *taken = r->volumes ? &r->volumes[m - r->spec->mounts] : NULL;

		return taken && taken->path ? str_copy(ret_path, taken->path) : fail_plain(EINVAL, "a volume that nobody made");
	}
	if (!m->source || !*m->source)
		return fail_plain(EINVAL, "a bind mount needs a source");
	return bundle_path(r->bundle, m->source, ret_path);
}

static int bind_source(const struct rootfs *r, const struct spec_mount *m, int *ret_tree)
{
	cleanup_free char *path = NULL;
	int err = mount_source_path(r, m, &path);

	if (err < 0)
		return err;
	err = mount_tree(path, m->bind_recursive, ret_tree);
	if (err == -EINVAL && !m->bind_recursive && r->userns)
		return fail(
			EINVAL,
			"source '%s' (a user namespace must bind what is mounted below it, too: use 'rbind')",
			path);
	return err < 0 ? fail(-err, "source '%s'", path) : 0;
}

static bool is_mapped(const struct spec_mount *m)
{
	return m->idmap || m->uid_mapping_count > 0 || m->gid_mapping_count > 0;
}

/* Attributes of a mount as one mask: a new mount has no tree below it. */
static uint64_t attributes_of(const struct spec_mount *m)
{
	uint64_t attrs = m->attr_set | m->rec_set;

	return mount_is_late(m) ? attrs & ~(uint64_t)MOUNT_ATTR_RDONLY : attrs;
}

/*
 * A bind in place of a file system that we may not mount. Return: 0, or -errno (nothing recorded).
 */
static int bind_instead(const struct spec_mount *m, const char *path, int *ret_tree)
{
	cleanup_fd int tree = -1;
	int r = mount_tree(path, true, &tree);

	if (r == 0)
		r = mount_change(tree, true, attributes_of(m), 0, MS_SLAVE);
	if (r < 0)
		return r;
	*ret_tree = steal_fd(&tree);
	return 0;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int cgroup_bind(const struct rootfs *r, const struct spec_mount *m, int *ret_tree)
{
	const char *path = r->cgroup_folder;
	int err;

	if (!path && is_cgroup2("/sys/fs/cgroup"))
		path = "/sys/fs/cgroup";
	if (!path && is_cgroup2("/sys/fs/cgroup/unified"))
		path = "/sys/fs/cgroup/unified";
	if (!path)
		return fail_plain(ENODEV,
				  "this host has no cgroup2 to bind (looked at /sys/fs/cgroup)");
	err = bind_instead(m, path, ret_tree);
	return err < 0 ? fail(-err, "bind '%s'", path) : 0;
}

static bool is_cgroup(const struct spec_mount *m)
{
	return str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2");
}

/* Not "ro" of the file system itself where all its mounts share one. */
static uint64_t super_flags_of(const struct spec_mount *m)
{
	static const char *const shared[] = { "proc", "mqueue", "devpts", "tmpfs", NULL };

	if (is_cgroup(m) || str_eq(m->type, "sysfs"))
		return 0;
	return str_among(m->type, shared) ? m->super_flags & ~(uint64_t)MS_RDONLY : m->super_flags;
}

static struct mount_new new_of(const struct spec_mount *m)
{
	return (struct mount_new){
		.type = is_cgroup(m) ? "cgroup2" : m->type,
		.source = m->source,
		.options = &m->fs_options,
		.super_flags = super_flags_of(m),
		.attrs = attributes_of(m),
	};
}

/*
 * Without a cgroup namespace cgroup2 is never mounted anew: options given from the initial
 * namespace, none included, change the host's hierarchy (nsdelegate would be gone). Source:
 * apply_cgroup_root_flags() in the kernel.
 */
static int cgroup_source(const struct rootfs *r, const struct spec_mount *m, int *ret_tree)
{
	const struct mount_new want = new_of(m);
	int err;

	if (!r->spec->linux_.namespaces[NS_CGROUP].wanted)
		return cgroup_bind(r, m, ret_tree);
	err = mount_new(&want, ret_tree);
	if (err != MOUNT_REFUSED)
		return err;
	if (r->cgroup_folder)
		return cgroup_bind(r, m, ret_tree);
	return fail_in(
		-EPERM,
		"cgroup2 (a user namespace may mount it only where the host's is visible whole)");
}

/*
 * Who owns no network namespace may not mount a sysfs; the host's, read through the mount's
 * options, tells the same.
 */
static int sysfs_source(const struct rootfs *r, const struct spec_mount *m, int *ret_tree)
{
	const struct spec_namespace *net = &r->spec->linux_.namespaces[NS_NETWORK];
	const struct mount_new want = new_of(m);
	int err = mount_new(&want, ret_tree);

	if (err != MOUNT_REFUSED)
		return err;
	/* Whom nothing of that concerns was refused for another reason. */
	if (r->switched || (!r->userns && idmap_is_initial()))
		return fail_in(-EPERM, "refused");
	err = bind_instead(m, "/sys", ret_tree);
	if (err < 0)
		return fail(-err,
			    "sysfs is refused to this user namespace, and so is a bind of '/sys'");
	if (net->wanted)
		log_warn(
			"mount '%s': a sysfs is refused to this user namespace, binding the host's, whose "
			"/sys/class/net shows another network namespace",
			m->destination);
	return 0;
}

static int new_source(const struct rootfs *r, const struct spec_mount *m, int *ret_tree)
{
	cleanup_free char *label = NULL;
	const struct mount_new want = new_of(m);
	int err = lsm_mount_option(r->spec, m->type, &label);

	if (err < 0)
		return err;
	err = mount_labelled(&want, label, ret_tree);
	if (err != MOUNT_REFUSED)
		return err;
	if (str_eq(m->type, "proc") && r->userns)
		return fail_in(
			-EPERM,
			"a user namespace may mount a procfs only with a pid namespace of its own "
			"and where nothing covers a part of the '/proc' it sees");
	return fail_in(-EPERM, "refused");
}

bool mount_source_is_new(const struct rootfs *r, const struct spec_mount *m, struct mount_new *ret_want)
{
	if (mount_is_bind(m) || mount_is_late(m) || is_mapped(m) || !m->type || !*m->type)
		return false;
	if (r->spec->linux_.mount_label || (is_cgroup(m) && !r->spec->linux_.namespaces[NS_CGROUP].wanted))
		return false;
	*ret_want = new_of(m);
	return true;
}

int mount_source(struct rootfs *r, size_t i, int *ret_tree)
{
	const struct spec_mount *m = &r->spec->mounts[i];

	if (r->sources && r->sources[i] >= 0) {
		*ret_tree = steal_fd(&r->sources[i]);
		return 0;
	}
	if (is_mapped(m) && !mount_is_bind(m))
		return fail_plain(EINVAL, "only a bind mount can have its ids mapped");
	if (is_mapped(m))
		return fail_plain(EPERM, "its ids can only be mapped by the host's root");
	if (mount_is_bind(m))
		return bind_source(r, m, ret_tree);
	if (!m->type || !*m->type)
		return fail_plain(EINVAL, "neither a type nor the option 'bind'");
	if (is_cgroup(m))
		return cgroup_source(r, m, ret_tree);
	if (str_eq(m->type, "sysfs"))
		return sysfs_source(r, m, ret_tree);
	return new_source(r, m, ret_tree);
}

/* Map the ids of @tree as the mount says, or else as the container's user namespace does. */
static int ids_map(const struct rootfs *r, const struct spec_mount *m, int tree)
{
	const struct spec_linux *l = &r->spec->linux_;
	bool own = m->uid_mapping_count > 0 || m->gid_mapping_count > 0;
	cleanup_fd int userns = -1;
	int err;

	if (!own && l->uid_mapping_count == 0)
		return fail_plain(EINVAL,
				  "'idmap' needs uidMappings, the mount's or the container's");
	userns = idmap_userns(own ? m->uid_mappings : l->uid_mappings,
			      own ? m->uid_mapping_count : l->uid_mapping_count,
			      own ? m->gid_mappings : l->gid_mappings,
			      own ? m->gid_mapping_count : l->gid_mapping_count);
	if (userns < 0)
		return userns;
	err = mount_idmap(tree, m->idmap_recursive, userns);
	if (err == -EINVAL)
		return fail(
			EINVAL,
			"map the ids of '%s' (its file system cannot, on this kernel: overlayfs and most "
			"network file systems never, tmpfs since Linux 6.3)",
			m->source);
	return err < 0 ? fail(-err, "map the ids of '%s'", m->source) : 0;
}

static int source_take(struct rootfs *r, size_t i, bool root)
{
	const struct spec_mount *m = &r->spec->mounts[i];
	bool mapped = is_mapped(m);
	cleanup_free char *path = NULL;
	cleanup_fd int tree = -1;
	int err;

	if (!mount_is_bind(m) || m->copy_symlink || !(root || mapped))
		return 0;
	err = mount_source_path(r, m, &path);
	if (err < 0)
		return err;
	err = mount_tree(path, m->bind_recursive, &tree);
	/* Root of a user namespace only: the child has as good a right to it as we. */
	if (err == -EPERM && !mapped)
		return 0;
	if (err < 0)
		return fail(-err, "source '%s'", path);
	/* Taken in the host's mount namespace it is a peer of what it was copied from. */
	if (!(r->spec->linux_.rootfs_propagation & MS_SHARED)) {
		err = mount_change(tree, true, 0, 0, MS_SLAVE);
		if (err < 0)
			return fail(-err, "make '%s' a slave of the host's mounts", m->source);
	}
	err = mapped ? ids_map(r, m, tree) : 0;
	if (err < 0)
		return err;
	r->sources[i] = steal_fd(&tree);
	return 0;
}

int mount_sources_take(struct rootfs *r)
{
	const struct spec *spec = r->spec;
	bool root = spec->linux_.namespaces[NS_USER].wanted && geteuid() == 0, any = root;
	int err;

	for (size_t i = 0; i < spec->mount_count && !any; i++)
		any = spec->mounts[i].idmap || spec->mounts[i].uid_mapping_count > 0;
	if (!any || spec->mount_count == 0)
		return 0;
	r->sources = malloc(spec->mount_count * sizeof(*r->sources));
	if (!r->sources)
		return fail(ENOMEM, "mounts");
	for (size_t i = 0; i < spec->mount_count; i++)
		r->sources[i] = -1;
	for (size_t i = overlay_wanted(spec) ? 1 : 0; i < spec->mount_count; i++) {
		err = source_take(r, i, root);
		if (err < 0)
			return fail_in(err, "mount '%s' on '%s'",
				       spec->mounts[i].source ? spec->mounts[i].source : "bind",
				       spec->mounts[i].destination);
	}
	return 0;
}
