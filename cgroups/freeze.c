/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freezing: what is written to cgroup.freeze is a wish; it holds once cgroup.events says so. A
 * cgroup that will not freeze in time is thawed again, so that nobody finds it half frozen later.
 */
#include "cgroups/cgroup.h"

#include <errno.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

int cgroup_is_frozen(const struct cgroup *cg)
{
	int r = cgroup_event(cg->fd, "frozen");

	return r < 0 ? fail_in(r, "cgroup '%s'", cg->path) : r;
}

static int fail_frozen(const struct cgroup *cg, bool frozen, int timeout_ms)
{
	cleanup_free char *pids = NULL;
	int r;

	if (!frozen)
		return fail_plain(
			ETIMEDOUT,
			"cgroup '%s': still frozen after %d ms; a cgroup above it may be frozen",
			cg->path, timeout_ms);
	r = cgroup_pids_text(cg, &pids);
	(void)cgroup_file_write(cg->fd, "cgroup.freeze", "0");
	if (r < 0)
		return r;
	return fail_plain(ETIMEDOUT,
			  "cgroup '%s': not frozen after %d ms, so thawed again; processes: %s",
			  cg->path, timeout_ms, pids);
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, int timeout_ms)
{
	int r = cgroup_file_write(cg->fd, "cgroup.freeze", frozen ? "1" : "0");

	if (r < 0)
		return fail(-r, "%s cgroup '%s'", frozen ? "freeze" : "thaw", cg->path);
	r = cgroup_event_wait(cg->fd, "frozen", frozen, timeout_ms);
	if (r < 0)
		return fail_in(r, "cgroup '%s'", cg->path);
	return r == CGROUP_TIMED_OUT ? fail_frozen(cg, frozen, timeout_ms) : 0;
}
