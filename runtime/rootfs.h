/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rootfs - a container's root file system: mounted, entered, sealed
 *
 * The steps run in the child, in the new mount namespace, single-threaded, in the order in which
 * they are declared here, mounts_apply() (mounts.h), devices_make() (devices.h) and sysctls_apply()
 * (sysctl.h) standing between rootfs_mount() and rootfs_switch(), and paths_hide() (paths.h) behind
 * it. Each returns 0 or a recorded failure. All that is put below the root is opened by fd under
 * `root`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spec;

/*
 * struct rootfs - what the steps share
 *
 * The caller sets the first six, over ROOTFS_NONE, before rootfs_prepare(). The rest belongs to
 * the steps.
 */
struct rootfs {
	const struct spec *spec;
	const char *bundle; /* absolute folder that relative paths count from */
	const char *cgroup_folder; /* the container's cgroup as a path of the host, or NULL */
	const char *upper; /* folder for the upper of an overlay that asks for one (upper.h), or NULL */
	struct volume_taken *volumes; /* one for each mount of the spec (volume-use.h), or NULL: it has no volumes */
	bool again; /* a stopped container's: its upper has been one before */
	bool no_pivot; /* see no-pivot.h */
	bool userns; /* we act in a user namespace other than the initial one, new or not */

	int root; /* the root's mount (as O_PATH), attached; -1 before rootfs_mount() */
	int null; /* mount of the host's /dev/null, for masks; -1: none needed */
	int root_tree; /* the root as a tree that the parent took, or -1 */
	int *sources; /* per mount of the spec: a tree that the parent took, or -1; or NULL */
	struct lower *lowers; /* layers that the parent took (lower.h), or NULL */
	size_t lower_count;
	int upper_tree; /* the upper's folder as a tree that the parent took, or -1 */
	size_t mounted; /* how many mounts of the spec are done */
	int *late; /* per mount of the spec: made read-only in rootfs_readonly(), or -1; or NULL */
	bool switched; /* rootfs_switch() has been: no path leads to the host's files any more */
	mode_t old_umask; /* the umask is 0 from mounts_private() to the end of devices_make() */
};

#define ROOTFS_NONE \
	{ \
		.root = -1, .null = -1, .root_tree = -1, .upper_tree = -1 \
	}

/*
 * rootfs_prepare() - in the parent, before the clone: take what only the parent may take
 *
 * Sources of bind mounts that a new user namespace could not reach, and id-mapped trees. Nothing,
 * not a system call, for a plain spec. Also judges what the spec asks for but no step could do
 * safely.
 */
int rootfs_prepare(struct rootfs *r);

/*
 * mounts_private() - the first step: nothing that we mount reaches the host. Sets the umask to 0.
 */
int mounts_private(struct rootfs *r);

/*
 * rootfs_mount() - mount the root: a bind of root.path on itself, or an overlay over "/"
 *
 * Path look-ups that begin at "/" still see the host's files. Hooks find the container's at
 * root.path; with an overlay, or shared propagation, the new root is seen through `root` alone.
 */
int rootfs_mount(struct rootfs *r);

/* rootfs_fd() - directory fd of the root, -1 before rootfs_mount(). Borrowed. */
int rootfs_fd(const struct rootfs *r);

/*
 * rootfs_switch() - make it the root and the working directory, and let go of the host's files for
 * good
 */
int rootfs_switch(struct rootfs *r);

/* rootfs_readonly() - the last step: what was asked to be read-only, and the root's propagation */
int rootfs_readonly(struct rootfs *r);

/*
 * rootfs_cwd() - enter the working directory and prove that it lies in the root
 * @r: NULL for a process that joined: "/" is the root already
 * @cwd: absolute; made when it is missing and the root is @r's
 */
int rootfs_cwd(struct rootfs *r, const char *cwd);

/* rootfs_done() - close and free what the struct holds; it may be called in parent and child */
void rootfs_done(struct rootfs *r);
