/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Controllers: which ones a cgroup has, and enabling those that limits need, from the root of the
 * mount down. A cgroup has a controller when its parent's cgroup.subtree_control names it, and the
 * parent may name only what it has itself. What cannot be had is told by the limit that wanted it,
 * with the reason and the remedy. Source: cgroup-v2.rst, "Enabling and Disabling" and "No Internal
 * Process Constraint".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

static const char *const names[CGROUP_CONTROLLERS] = {
	[CGROUP_CPUSET] = "cpuset", [CGROUP_CPU] = "cpu",         [CGROUP_IO] = "io",
	[CGROUP_MEMORY] = "memory", [CGROUP_HUGETLB] = "hugetlb", [CGROUP_PIDS] = "pids",
	[CGROUP_RDMA] = "rdma",     [CGROUP_MISC] = "misc",
};

/* Wanted for their statistics where a cgroup is made for the first time. */
static const unsigned int nice_to_have = 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS | 1U << CGROUP_CPU;

/* One ancestor on the way down. */
struct level {
	int dir;
	const char *path; /* for messages: "/" or a part of the leaf's path */
	unsigned int have, enabled;
};

const char *cgroup_controller_name(enum cgroup_controller controller)
{
	return names[controller];
}

unsigned int cgroup_controllers_parse(const char *text)
{
	unsigned int mask = 0;

	while (*text) {
		size_t size = strcspn(text, " \n");

		for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
			if (strlen(names[i]) == size && strncmp(names[i], text, size) == 0)
				mask |= 1U << i;
		}
		text += size;
		text += strspn(text, " \n");
	}
	return mask;
}

static int mask_read(int dir, const char *path, const char *file, unsigned int *ret_mask)
{
	char text[CGROUP_FILE_SMALL];
	int r = cgroup_file_read(dir, file, text, sizeof(text));

	if (r < 0)
		return fail(-r, "read '%s' of cgroup '%s'", file, path);
	*ret_mask = cgroup_controllers_parse(text);
	return 0;
}

/* Return: 0 or -errno, nothing recorded. The kernel takes all of them or none. */
static int mask_enable(int dir, unsigned int mask)
{
	char text[CGROUP_FILE_SMALL] = "";
	char *end = text;

	for (int i = 0; i < CGROUP_CONTROLLERS; i++) {
		if (mask & 1U << i)
			end += sprintf(end, "%s+%s", end == text ? "" : " ", names[i]);
	}
	return cgroup_file_write(dir, "cgroup.subtree_control", text);
}

/* What /proc/cgroups, the table of cgroup v1, says of a controller that v2 does not have. */
static const char *reason_in_v1_table(enum cgroup_controller controller)
{
	const char *name = controller == CGROUP_IO ? "blkio" : names[controller];
	cleanup_fd int fd = open("/proc/cgroups", O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	char *saved = NULL;

	if (fd < 0 || fd_read_all(fd, 64 * 1024, &text, NULL) < 0)
		return NULL;
	for (char *line = strtok_r(text, "\n", &saved); line; line = strtok_r(NULL, "\n", &saved)) {
		char row_name[64];
		int hierarchy, enabled;

		if (sscanf(line, "%63s %d %*d %d", row_name, &hierarchy, &enabled) != 3 ||
		    !str_eq(row_name, name))
			continue;
		if (hierarchy != 0)
			return "it is bound to cgroup v1; boot with "
			       "systemd.unified_cgroup_hierarchy=1";
		if (!enabled)
			return "it is turned off on the kernel's command line; remove "
			       "cgroup_disable=";
		return NULL;
	}
	return NULL;
}

static int fail_missing(const struct level *level, const struct cgroup_needs *needs,
			unsigned int missing)
{
	enum cgroup_controller controller = (enum cgroup_controller)__builtin_ctz(missing);
	const char *field = needs->field[controller], *name = names[controller];
	const char *reason = reason_in_v1_table(controller);

	if (!reason && cgroup_is_root(level->dir))
		reason = "this kernel is built without it; use one that has it";
	if (reason)
		return fail_plain(
			EOPNOTSUPP,
			"%s: the %s controller is not available in cgroup v2 on this host: %s, or "
			"drop the limit",
			field, name, reason);
	return fail_plain(
		EOPNOTSUPP,
		"%s: the %s controller is not delegated to cgroup '%s', the topmost that we see; "
		"have it enabled above, or drop the limit",
		field, name, level->path);
}

/* First pid of a cgroup, 0 when there is none to be seen. */
static long first_pid(int dir)
{
	char text[CGROUP_FILE_SMALL];
	long pid = 0;

	if (cgroup_file_read(dir, "cgroup.procs", text, sizeof(text)) > 0)
		(void)sscanf(text, "%ld", &pid);
	return pid;
}

static int fail_enable(int errnum, const struct level *level, const struct cgroup_needs *needs,
		       unsigned int mask)
{
	enum cgroup_controller controller = (enum cgroup_controller)__builtin_ctz(mask);
	const char *field = needs->field[controller], *name = names[controller];
	long pid;

	switch (errnum) {
	case EBUSY:
		pid = first_pid(level->dir);
		return fail_plain(
			errnum,
			"%s: the %s controller cannot be enabled below cgroup '%s', because "
			"that holds processes itself (%ld for one); move them into a cgroup below "
			"it, or choose another linux.cgroupsPath",
			field, name, level->path, pid);
	case EACCES:
	case EPERM:
		return fail(
			errnum,
			"%s: enable the %s controller below cgroup '%s', which is not delegated "
			"to us (in a unit of systemd: Delegate=yes)",
			field, name, level->path);
	case EROFS:
		return fail_plain(
			errnum,
			"%s: enable the %s controller below cgroup '%s': the cgroup file system is "
			"mounted read-only",
			field, name, level->path);
	default:
		return fail(errnum, "%s: enable the %s controller below cgroup '%s'", field, name,
			    level->path);
	}
}

/* @nice: whether we may also enable here what only statistics want */
static int level_enable(const struct level *level, const struct cgroup_needs *needs, bool nice)
{
	unsigned int missing = needs->mask & ~level->have;
	unsigned int off = needs->mask & ~level->enabled;
	int r;

	if (missing)
		return fail_missing(level, needs, missing);
	if (off) {
		r = mask_enable(level->dir, off);
		if (r < 0)
			return fail_enable(-r, level, needs, off);
	}
	off = nice ? nice_to_have & level->have & ~(level->enabled | needs->mask) : 0;
	if (off)
		(void)mask_enable(level->dir, off);
	return 0;
}

/* @part: the path down to this level, cut there; @made_from: see cgroup_controllers_enable() */
static int level_do(int dir, const char *part, size_t made_from, const struct cgroup_needs *needs)
{
	struct level level = { .dir = dir, .path = *part ? part : "/" };
	/*
	 * A cgroup that is neither ours nor the root is somebody's, to whom it may matter what is
	 * on.
	 */
	bool nice = made_from && (!*part || strlen(part) >= made_from);
	int r = mask_read(dir, level.path, "cgroup.controllers", &level.have);

	if (r < 0)
		return r;
	r = mask_read(dir, level.path, "cgroup.subtree_control", &level.enabled);
	if (r < 0)
		return r;
	return level_enable(&level, needs, nice);
}

int cgroup_controllers_enable(int mount, const char *path, int leaf,
			      const struct cgroup_limits *limits, size_t made_from)
{
	cleanup_free char *part = NULL;
	cleanup_fd int dir = -1;
	struct cgroup_needs needs;
	unsigned int have;
	int r;

	cgroup_limits_needs(limits, &needs);
	if (!needs.mask && !made_from)
		return 0;
	r = mask_read(leaf, path, "cgroup.controllers", &have);
	if (r < 0)
		return r;
	if (!(needs.mask & ~have) && !made_from)
		return 0;
	r = str_copy(&part, path);
	if (r < 0)
		return r;
	for (char *slash = part; slash; slash = strchr(slash + 1, '/')) {
		int next = mount;

		*slash = '\0';
		if (slash != part) {
			next = fd_open_beneath(mount, part + 1, O_RDONLY | O_DIRECTORY, 0);
			if (next < 0)
				return fail(-next, "open cgroup '%s'", part);
			if (dir >= 0)
				(void)close(dir);
			dir = next;
		}
		r = level_do(next, part, made_from, &needs);
		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}
