/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * cgroup - one cgroup v2 directory: where it is, making it, freezing, killing, removing it
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_limits;

/*
 * struct cgroup - a cgroup by its place in the hierarchy
 *
 * `path` is relative to the mount of cgroup2, begins with '/' and is what goes into the state record.
 * `made` says that its last directory was made by us: only such a cgroup is killed or removed.
 */
struct cgroup {
	char *path;
	int fd;		/* directory, -1 until made or opened */
	bool made;
};

#define CGROUP_NONE { .path = NULL, .fd = -1, .made = false }

enum cgroup_host {
	CGROUP_HOST_UNIFIED = 1, /* /sys/fs/cgroup is cgroup2 */
	CGROUP_HOST_HYBRID = 2,	 /* cgroup2 at /sys/fs/cgroup/unified, controllers bound to v1 */
	CGROUP_HOST_V1 = 3,	 /* no cgroup2 at all: no cgroup can be made */
};

/*
 * cgroup_host_open() - the mount of cgroup2
 * @ret_fd: directory fd of it; the caller closes it. -1 for CGROUP_HOST_V1.
 *
 * Return: one of enum cgroup_host, or a recorded failure.
 */
int cgroup_host_open(int *ret_fd);

/*
 * cgroup_folder() - a cgroup as a path of the host
 * @path: as of struct cgroup
 * @ret_folder: malloc'ed, or NULL: the host has no cgroup2
 *
 * Return: 0 or a recorded failure.
 */
int cgroup_folder(const char *path, char **ret_folder);

/*
 * cgroup_path_resolve() - the path that a spec asks for
 * @asked: linux.cgroupsPath: absolute is below the mount, relative is below our own cgroup's parent
 *         slice (when NULL "/nacelle/<id>", for a user below that parent, if it is delegated to him); "..", NUL and an empty name are refused
 * @id: of the container
 * @ret_path: malloc'ed, begins with '/'
 *
 * Nothing is made. Return: 0 or a recorded failure.
 */
int cgroup_path_resolve(const char *asked, const char *id, char **ret_path);

/*
 * cgroup_make() - make the directory (and its parents) and enable the controllers it needs
 * @cg: path set; on success fd is open and `made` is true
 * @limits: what will be applied; a controller that is needed and cannot be had is a failure that names
 *          the limit, the controller and why (bound to v1, not delegated, not in the kernel)
 *
 * Controllers that no limit needs are enabled where that costs nothing (for stats: memory, pids, cpu),
 * and their absence is no failure. An existing directory with processes in it is refused (EBUSY).
 * Return: 0 or a recorded failure, with nothing left that was made.
 */
int cgroup_make(struct cgroup *cg, const struct cgroup_limits *limits);

/*
 * cgroup_open() - open one that exists, by its path
 *
 * Return: 0, CGROUP_NOT_FOUND, or a recorded failure.
 */
enum { CGROUP_NOT_FOUND = 1 };
int cgroup_open(struct cgroup *cg);

/*
 * cgroup_controllers_add() - enable what limits need that come later, for an update
 * @cg: open
 *
 * Return: 0 or a recorded failure as of cgroup_make().
 */
int cgroup_controllers_add(const struct cgroup *cg, const struct cgroup_limits *limits);

/* cgroup_attach() - move a process in (a joined cgroup, or a host without CLONE_INTO_CGROUP's permission). */
int cgroup_attach(const struct cgroup *cg, pid_t pid);

/*
 * cgroup_kill() - SIGKILL all processes in it and below: cgroup.kill, or freeze and kill before 5.14
 *
 * Return: 0 when told (processes may still be dying), or a recorded failure.
 */
int cgroup_kill(const struct cgroup *cg);

/*
 * cgroup_freeze() - freeze or thaw, and wait until the kernel says so
 * @timeout_ms: how long to wait; then a failure with the pids that would not
 */
int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms);
/* cgroup_is_frozen() - 1 or 0, or a recorded failure. */
int cgroup_is_frozen(const struct cgroup *cg);

/*
 * cgroup_procs() - pids in it and in the cgroups below it
 * @ret_pids: malloc'ed; zero pids (of another pid namespace) are left out
 */
int cgroup_procs(const struct cgroup *cg, pid_t **ret_pids, size_t *ret_count);

/* cgroup_is_populated() - 1 when a process lives in it or below, 0 when none, or a recorded failure. */
int cgroup_is_populated(const struct cgroup *cg);

/*
 * cgroup_remove() - kill what is in it, wait until it is empty, remove it and the cgroups below
 * @timeout_ms: bound of the wait; then a failure that names the pids left
 *
 * Only when `made`, else nothing is done. A cgroup that is gone is success. Parents that we made and
 * that are empty now ("/nacelle") are left in place. Return: 0 or a recorded failure.
 */
int cgroup_remove(struct cgroup *cg, int timeout_ms);

/* cgroup_close() - close the fd and free the path; removes nothing. */
void cgroup_close(struct cgroup *cg);
