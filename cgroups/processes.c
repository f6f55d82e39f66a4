/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a cgroup and of those below it: listing them, and killing all of them.
 */
#include "cgroups/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroups/internal.h"
#include "cgroups/tree.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum {
	PROCS_FILE_MAX = 16 * 1024 * 1024, /* more than kernel.pid_max lines */
	KILL_ROUNDS = 64,
	PIDS_SHOWN = 16,
};

struct pids {
	pid_t *items;
	size_t count, room;
};

static int pids_add(struct pids *pids, pid_t pid)
{
	if (pids->count == pids->room) {
		size_t room = pids->room ? pids->room * 2 : 16;
		pid_t *items = reallocarray(pids->items, room, sizeof(*items));

		if (!items)
			return fail(ENOMEM, "list processes");
		pids->items = items;
		pids->room = room;
	}
	pids->items[pids->count++] = pid;
	return 0;
}

static int pids_seen(int dir, void *arg)
{
	cleanup_fd int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *text = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, PROCS_FILE_MAX, &text, NULL);

	/* Gone meanwhile; or threaded, and then the processes are listed by the cgroup above. */
	if (r == -ENOENT || r == -ENODEV || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return fail(-r, "read 'cgroup.procs'");
	r = 0;
	for (char *at = text, *end; r == 0; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 0 && pid <= INT32_MAX) /* 0: of a pid namespace that we do not see */
			r = pids_add(arg, (pid_t)pid);
	}
	return r;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t first = *(const pid_t *)a, second = *(const pid_t *)b;

	return (first > second) - (first < second);
}

int cgroup_procs(const struct cgroup *cg, pid_t **ret_pids, size_t *ret_count)
{
	struct pids pids = { 0 };
	int r = tree_walk(cg->fd, &(struct tree_walk){ .seen = pids_seen, .arg = &pids });

	if (r < 0) {
		free(pids.items);
		return fail_in(r, "cgroup '%s'", cg->path);
	}
	if (pids.count)
		qsort(pids.items, pids.count, sizeof(*pids.items), compare_pids);
	*ret_pids = pids.items;
	*ret_count = pids.count;
	return 0;
}

int cgroup_pids_text(const struct cgroup *cg, char **ret_text)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	if (cgroup_procs(cg, &pids, &count) < 0)
		count = 0;
	out = open_memstream(&text, &size);
	if (!out)
		return fail(ENOMEM, "cgroup '%s'", cg->path);
	for (size_t i = 0; i < count && i < PIDS_SHOWN; i++)
		(void)fprintf(out, "%s%d", i ? " " : "", (int)pids[i]);
	if (count > PIDS_SHOWN)
		(void)fprintf(out, " and %zu more", count - PIDS_SHOWN);
	if (!count)
		(void)fputs("unknown", out);
	if (fclose(out) != 0) {
		free(text);
		return fail(ENOMEM, "cgroup '%s'", cg->path);
	}
	*ret_text = text;
	return 0;
}

/*
 * A number may be given to a new process between reading it and using it. So the pidfd is taken
 * first, and the signal sent only when a second reading still has the number: then it was a member
 * all along, or is a new member.
 */
static int kill_members(const struct cgroup *cg, size_t *ret_count)
{
	cleanup_free pid_t *before = NULL, *after = NULL;
	cleanup_free int *fds = NULL;
	size_t count = 0, count_after = 0;
	int r = cgroup_procs(cg, &before, &count);

	if (r < 0)
		return r;
	*ret_count = count;
	if (!count)
		return 0;
	/* A few hundred at a time: each holds an fd until the second reading. */
	if (count > 256)
		count = 256;
	fds = calloc(count, sizeof(*fds));
	if (!fds)
		return fail(ENOMEM, "kill cgroup '%s'", cg->path);
	for (size_t i = 0; i < count; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, before[i], 0);
	r = cgroup_procs(cg, &after, &count_after);
	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (r == 0 && count_after &&
		    bsearch(&before[i], after, count_after, sizeof(*after), compare_pids))
			(void)syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		(void)close(fds[i]);
	}
	return r;
}

int cgroup_kill_by_freezing(const struct cgroup *cg)
{
	size_t left = 1;
	int r = cgroup_file_write(cg->fd, "cgroup.freeze", "1");

	/* Frozen, nothing forks away from under us; a frozen process can be killed. */
	if (r < 0)
		return fail(-r, "freeze cgroup '%s' to kill what is in it", cg->path);
	r = cgroup_event_wait(cg->fd, "frozen", true, 100);
	for (int i = 0; r >= 0 && left && i < KILL_ROUNDS; i++) {
		r = kill_members(cg, &left);
		if (r == 0 && left)
			r = cgroup_event_wait(cg->fd, "populated", false, 20);
		if (r == 0 && left && i > 0 && cgroup_is_populated(cg) == 0)
			left = 0;
	}
	(void)cgroup_file_write(cg->fd, "cgroup.freeze", "0");
	return r < 0 ? fail_in(r, "cgroup '%s'", cg->path) : 0;
}

int cgroup_kill(const struct cgroup *cg)
{
	int r = cgroup_file_write(cg->fd, "cgroup.kill", "1");

	if (r == -ENOENT) {
		if (faccessat(cg->fd, "cgroup.procs", F_OK, 0) < 0)
			return 0; /* the cgroup itself is gone */
		return cgroup_kill_by_freezing(cg);
	}
	return r < 0 ? fail(-r, "kill what is in cgroup '%s'", cg->path) : 0;
}
