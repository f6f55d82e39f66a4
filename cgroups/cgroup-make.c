/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a cgroup. The common case, a parent that is there and no limit, is one mkdirat and one
 * open: parents are made only when mkdirat says that they are missing, and controllers are looked
 * at only when a limit needs one, or when we made a parent. A failure takes back what was made.
 */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/str.h"

/* Somebody who fails at the same moment may take away the parent that both of us found or made. */
enum { MAKE_TRIES = 5 };

/* What was made, told by lengths of the path: everything from `from` on; 0 is nothing. */
struct made {
	bool leaf;
	size_t from;
};

static int make_failed(int errnum, const char *path)
{
	switch (errnum) {
	case EROFS:
		return fail_plain(errnum,
				  "make cgroup '%s': the cgroup file system is mounted read-only",
				  path);
	case EACCES:
	case EPERM:
		return fail(errnum,
			    "make cgroup '%s' (it needs root, a cgroup that is delegated to us, or a user's systemd "
			    "and --systemd-cgroup)",
			    path);
	case EAGAIN:
		return fail_plain(errnum,
				  "make cgroup '%s': a cgroup.max.depth or cgroup.max.descendants "
				  "above it is reached",
				  path);
	default: return fail(errnum, "make cgroup '%s'", path);
	}
}

/* @path is ours to cut; it is whole again on return. Return: 0, or -errno with nothing recorded. */
static int parents_make(int mount, char *path, struct made *made)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdirat(mount, path + 1, 0755) < 0 ? -errno : 0;
		*slash = '/';
		if (r == 0 && (!made->from || made->from > (size_t)(slash - path)))
			made->from = (size_t)(slash - path);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/* Return: 0, or -errno with nothing recorded. */
static int dirs_make(int mount, char *path, struct made *made)
{
	for (int i = 0; i < MAKE_TRIES; i++) {
		int r;

		if (mkdirat(mount, path + 1, 0755) == 0) {
			made->leaf = true;
			if (!made->from)
				made->from = strlen(path);
			return 0;
		}
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT)
			return -errno;
		r = parents_make(mount, path, made);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return -ENOENT;
}

static void dirs_unmake(int mount, char *path, const struct made *made)
{
	if (!made->from)
		return;
	if (made->leaf)
		(void)unlinkat(mount, path + 1, AT_REMOVEDIR);
	for (;;) {
		char *slash = strrchr(path, '/');

		if (slash == path || (size_t)(slash - path) < made->from)
			return;
		*slash = '\0';
		/* Fails where somebody else has found use for it meanwhile: then it stays. */
		if (unlinkat(mount, path + 1, AT_REMOVEDIR) < 0)
			return;
	}
}

/* A cgroup that was there: it must be nobody's. */
static int leaf_is_free(int dir)
{
	int r = cgroup_event(dir, "populated");

	if (r < 0)
		return r;
	if (r > 0)
		return fail_plain(
			EBUSY,
			"it exists and holds processes; choose another linux.cgroupsPath, or "
			"end what runs in it");
	r = cgroup_event(dir, "frozen");
	if (r < 0)
		return r;
	if (r > 0)
		return fail_plain(
			EBUSY, "it exists and is frozen, so that nothing could run in it; thaw it "
			       "by writing 0 to its cgroup.freeze");
	return 0;
}

static int leaf_prepare(int mount, const char *path, const struct made *made,
			const struct cgroup_limits *limits, int *ret_fd)
{
	cleanup_fd int dir = fd_open_beneath(mount, path + 1, O_RDONLY | O_DIRECTORY, 0);
	int r;

	if (dir < 0)
		return fail(-dir, "open cgroup '%s'", path);
	if (!made->leaf) {
		r = leaf_is_free(dir);
		if (r < 0)
			return fail_in(r, "cgroup '%s'", path);
	}
	r = cgroup_controllers_enable(mount, path, dir, limits,
				      made->from < strlen(path) ? made->from : 0);
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&dir);
	return 0;
}

int cgroup_make(struct cgroup *cg, const struct cgroup_limits *limits)
{
	cleanup_fd int mount = -1;
	cleanup_free char *path = NULL;
	struct made made = { .leaf = false };
	int fd = -1, r = cgroup_host_open(&mount);

	if (r < 0)
		return r;
	if (r == CGROUP_HOST_V1)
		return fail_plain(
			ENODEV,
			"make cgroup '%s': no cgroup v2 is mounted on /sys/fs/cgroup or "
			"/sys/fs/cgroup/unified; boot with systemd.unified_cgroup_hierarchy=1",
			cg->path);
	r = str_copy(&path, cg->path);
	if (r < 0)
		return r;
	r = dirs_make(mount, path, &made);
	r = r < 0 ? make_failed(-r, cg->path) : leaf_prepare(mount, path, &made, limits, &fd);
	if (r < 0) {
		dirs_unmake(mount, path, &made);
		return r;
	}
	cg->fd = fd;
	cg->made = made.leaf;
	return 0;
}

int cgroup_controllers_add(const struct cgroup *cg, const struct cgroup_limits *limits)
{
	cleanup_fd int mount = -1;
	int r = cgroup_host_open(&mount);

	if (r < 0)
		return r;
	if (r == CGROUP_HOST_V1)
		return fail_plain(ENODEV, "cgroup '%s': no cgroup v2 is mounted", cg->path);
	return cgroup_controllers_enable(mount, cg->path, cg->fd, limits, 0);
}
