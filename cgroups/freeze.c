/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Freezing: what is written to cgroup.freeze is a wish; it holds once cgroup.events says so. A
 * cgroup that will not freeze in time is thawed again, so that nobody finds it half frozen later.
 */
#include "cgroups/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"

enum { LOOK_MS = 200 };

static bool thread_is_held(int tasks, const char *tid)
{
	cleanup_fd int dir = fd_open_beneath(tasks, tid, O_PATH | O_DIRECTORY, 0);
	cleanup_free char *where = NULL;
	int r = dir < 0 ? dir : fd_read_file(dir, "wchan", &where);

	if (r < 0)
		return r == -ENOENT || r == -ESRCH;
	/* the trap, or what it was made a part of by the compiler */
	return strcmp(where, "do_freezer_trap") == 0 || strcmp(where, "get_signal") == 0;
}

static bool process_is_held(int proc)
{
	int tasks = fd_open_beneath(proc, "task", O_RDONLY | O_DIRECTORY, 0);
	cleanup_dir DIR *dir = tasks < 0 ? NULL : fdopendir(tasks);
	struct dirent *entry;
	bool held = dir;

	if (!dir && tasks >= 0)
		(void)close(tasks);
	while (held && (entry = readdir(dir)))
		held = *entry->d_name == '.' || thread_is_held(dirfd(dir), entry->d_name);
	return held;
}

/*
 * A virtual machine's cgroup holds a thread of KVM's own, which no freezer stops, and which kernels before 6.13 count
 * nevertheless: their "frozen" stays 0 (Linux, arch/x86/kvm/mmu/mmu.c, kernel/cgroup/freezer.c). So each of the others is asked.
 */
static bool all_but_kernels_are_held(const struct cgroup *cg)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0, kernels = 0;
	bool held = cgroup_procs(cg, &pids, &count) == 0;

	for (size_t i = 0; held && i < count; i++) {
		char path[sizeof("/proc/-2147483648")];
		cleanup_fd int proc = -1;
		cleanup_free char *line = NULL;
		struct proc_stat stat;

		(void)snprintf(path, sizeof(path), "/proc/%d", (int)pids[i]);
		proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0)
			continue;
		if (fd_read_file(proc, "stat", &line) < 0 || proc_stat_parse(line, &stat) < 0)
			return false;
		if (stat.flags & PROC_KERNEL_THREAD)
			kernels++;
		else
			held = process_is_held(proc);
	}
	return held && kernels > 0;
}

/* Whether it was asked for; the file is the cgroup's own, those above it show in the event alone. */
static bool is_asked(const struct cgroup *cg)
{
	cleanup_free char *text = NULL;

	return fd_read_file(cg->fd, "cgroup.freeze", &text) == 0 && *text == '1';
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	int r = cgroup_event(cg->fd, "frozen");

	if (r == 0 && is_asked(cg))
		return all_but_kernels_are_held(cg);
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
	for (int left = timeout_ms;; left -= LOOK_MS) {
		r = cgroup_event_wait(cg->fd, "frozen", frozen, left < LOOK_MS ? left : LOOK_MS);
		if (r < 0)
			return fail_in(r, "cgroup '%s'", cg->path);
		if (r != CGROUP_TIMED_OUT || (frozen && all_but_kernels_are_held(cg)))
			return 0;
		if (left <= LOOK_MS)
			return fail_frozen(cg, frozen, timeout_ms);
	}
}
