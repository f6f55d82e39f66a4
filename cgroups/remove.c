/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removing a cgroup: mostly its init is dead and reaped, and one rmdir is all. Otherwise what is in
 * it is killed, and the time that dying takes (a core dump, an unmount, a device that does not
 * answer) is waited for, with a bound; cgroups that the container made below it go first.
 */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "cgroups/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"

/* Return: 0 also when it is gone already, else -errno with nothing recorded. */
static int rmdir_self(const struct cgroup *cg)
{
	cleanup_fd int parent = openat(cg->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return errno == ENOENT ? 0 : -errno;
	if (unlinkat(parent, cgroup_last_name(cg), AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int rmdir_child(int parent, const char *name, void *arg)
{
	(void)arg;
	/* EBUSY: a process is still dying in it; the caller comes again until its time is over. */
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != EBUSY)
		return fail(errno, "remove cgroup '%s'", name);
	return 0;
}

static int fail_left(const struct cgroup *cg, int timeout_ms)
{
	cleanup_free char *pids = NULL;
	int r = cgroup_is_populated(cg);

	if (r < 0)
		return r;
	if (r == 0)
		return fail_plain(
			EBUSY,
			"remove cgroup '%s': still in use after %d ms, though without processes",
			cg->path, timeout_ms);
	r = cgroup_pids_text(cg, &pids);
	if (r < 0)
		return r;
	return fail_plain(EBUSY,
			  "remove cgroup '%s': still there %d ms after being killed: processes %s",
			  cg->path, timeout_ms, pids);
}

/* Kill and wait. Return: 0, CGROUP_TIMED_OUT, or a recorded failure. */
static int empty(const struct cgroup *cg, int64_t end)
{
	int64_t left = end - clock_ms();
	int r = cgroup_is_populated(cg);

	if (r <= 0)
		return r;
	r = cgroup_kill(cg);
	if (r < 0)
		return r;
	return cgroup_event_wait(cg->fd, "populated", false, left > 0 ? (int)left : 0);
}

static int remove_all(const struct cgroup *cg, int timeout_ms)
{
	int64_t end = clock_ms() + timeout_ms;
	struct timespec pause = { .tv_nsec = 1000000 };

	for (;;) {
		int r = rmdir_self(cg);

		if (r == 0)
			return 0;
		if (r != -EBUSY)
			return fail(-r, "remove cgroup '%s'", cg->path);
		r = empty(cg, end);
		if (r == 0)
			r = tree_walk(cg->fd, &(struct tree_walk){ .left = rmdir_child });
		/* Somebody else may have removed it meanwhile, and then its files fail. */
		if (r < 0)
			return rmdir_self(cg) == 0 ? 0 : r;
		if (rmdir_self(cg) == 0)
			return 0;
		if (r == CGROUP_TIMED_OUT || clock_ms() >= end)
			return fail_left(cg, timeout_ms);
		(void)nanosleep(&pause, NULL);
	}
}

int cgroup_remove(struct cgroup *cg, int timeout_ms)
{
	int r;

	if (!cg->made)
		return 0;
	if (cg->fd < 0) {
		r = cgroup_open(cg);
		if (r == CGROUP_NOT_FOUND) {
			cg->made = false;
			return 0;
		}
		if (r < 0)
			return r;
	}
	r = remove_all(cg, timeout_ms);
	if (r < 0)
		return r;
	(void)close(cg->fd);
	cg->fd = -1;
	cg->made = false;
	return 0;
}
