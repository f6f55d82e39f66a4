/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * mount-fs - the new mount API, with messages
 *
 * A mount made here is detached, an fd (as O_PATH) that mount_attach() puts in place; but for mount_over().
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/str.h"

/*
 * The kernel would not have this file system mounted from here (EPERM, EBUSY): recorded, but there
 * may be another way.
 */
enum { MOUNT_REFUSED = 1 };

/*
 * struct mount_new - a file system to be mounted
 */
struct mount_new {
	const char *type;
	const char *source; /* as shown in mountinfo; NULL: "none" */
	const struct str_list *options; /* "key" or "key=value"; NULL: none */
	uint64_t super_flags; /* MS_RDONLY, MS_SYNCHRONOUS, MS_DIRSYNC, MS_LAZYTIME, … */
	uint64_t attrs; /* MOUNT_ATTR_*, of the mount */
};

/*
 * mount_new() - mount a file system, detached
 *
 * Return: 0 with @ret_mount the caller's, MOUNT_REFUSED, or a recorded failure that has what the
 * kernel logged about it. Source: fsopen(2).
 */
int mount_new(const struct mount_new *want, int *ret_mount);

/* mount_labelled() - the same with one more option, "context=…"; NULL: none. */
int mount_labelled(const struct mount_new *want, const char *label, int *ret_mount);

/*
 * mount_over() - mount a file system on the folder that @target (O_PATH) refers to, the short way, by mount(2)
 * @ret_mount: the mount's root (O_PATH), the caller's; NULL: not wanted
 *
 * Two to four calls in place of ten, half their time. It has no word for a place but a path: the working directory becomes @target,
 * and the path is ".". It does not say what it dislikes.
 *
 * Return: 0; MOUNT_REFUSED with nothing done and nothing recorded: mount_new() may be able to, or says why not; or a recorded
 * failure, after which it may be mounted.
 */
int mount_over(const struct mount_new *want, int target, int *ret_mount);

/*
 * mount_fail() - record a failure with what the kernel logged to the fsopen(2) context @fs. Return:
 * -@errnum.
 */
int mount_fail(int fs, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * mount_create() - FSCONFIG_CMD_CREATE and fsmount(2)
 * @suspect: an option that names an id, or NULL: older kernels judge it only now, and just say
 * EINVAL
 *
 * Return: as mount_new().
 */
int mount_create(int fs, uint64_t attrs, const char *suspect, int *ret_mount);

/*
 * mount_tree() - a detached copy of a tree (open_tree(2)) by a path of the host. Return: 0, or
 * -errno with nothing recorded.
 */
int mount_tree(const char *path, bool recursive, int *ret_mount);

/* mount_tree_of() - the same of what @fd refers to. Return: 0, or -errno with nothing recorded. */
int mount_tree_of(int fd, bool recursive, int *ret_mount);

/*
 * mount_attach() - move a mount onto what @target refers to. Return: 0, or -errno with nothing
 * recorded.
 */
int mount_attach(int mount, int target);

/*
 * mount_change() - attributes and propagation of the mount that @mount is the root of
 * @set, @clear: MOUNT_ATTR_*; @propagation: MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE or 0
 *
 * No system call when there is nothing to change. Return: 0, or -errno with nothing recorded.
 */
int mount_change(int mount, bool recursive, uint64_t set, uint64_t clear, uint64_t propagation);

/*
 * mount_idmap() - show the files of a detached tree with the ids of user namespace @userns. Return:
 * as mount_change().
 */
int mount_idmap(int mount, bool recursive, int userns);
