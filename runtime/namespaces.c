/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One clone3 makes every new namespace at once, in the cgroup. That is not enough where
 *	- a pid namespace is joined: setns(2) decides only where *children* live;
 *	- a user namespace is involved and others are joined: theirs and ours have different owners, and what
 *	  is new must be owned by the user namespace, so all joins come before the clone;
 *	- a new time namespace gets offsets: they are frozen once a process lives in it.
 *	- the cgroup is out of our reach: a login session's process may not enter a scope of its user's systemd;
 * Then a helper, born in the cgroup or moved there, joins and prepares, clones with CLONE_PARENT so that the child is ours
 * all the same, sends us its pid and ends. We ourselves change no namespace here.
 */
#include "runtime/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/cmdline.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/base/sync.h"
#include "runtime/scope.h"

static int ns_open(enum spec_ns ns, const char *path, int *ret_fd)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *name = spec_namespace_name(ns);
	int kind;

	if (fd < 0)
		return fail(errno, "linux.namespaces: %s namespace '%s'", name, path);
	kind = ioctl(fd, NS_GET_NSTYPE);
	if (kind < 0 && errno == ENOTTY)
		return fail_plain(EINVAL, "linux.namespaces: '%s' is not a namespace", path);
	if (kind < 0)
		return fail(errno, "linux.namespaces: '%s'", path);
	if ((unsigned long)kind != spec_namespace_flag(ns))
		return fail_plain(EINVAL, "linux.namespaces: '%s' is not a %s namespace", path, name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static void plan_init(const struct spec *spec, struct ns_plan *plan)
{
	*plan = (struct ns_plan){ .spec = spec, .target = -1 };
	for (int ns = 0; ns < NS_COUNT; ns++)
		plan->joins[ns] = -1;
}

static bool has_offsets(const struct spec *spec)
{
	return spec->linux_.boottime.set || spec->linux_.monotonic.set;
}

int namespaces_plan(const struct spec *spec, struct ns_plan *ret_plan)
{
	bool any_join = false;

	plan_init(spec, ret_plan);
	for (int ns = 0; ns < NS_COUNT; ns++) {
		const struct spec_namespace *want = &spec->linux_.namespaces[ns];
		int r;

		if (!want->wanted)
			continue;
		if (!want->path) {
			ret_plan->flags |= spec_namespace_flag((enum spec_ns)ns);
			continue;
		}
		r = ns_open((enum spec_ns)ns, want->path, &ret_plan->joins[ns]);
		if (r < 0) {
			ns_plan_done(ret_plan);
			return r;
		}
		any_join = true;
	}
	ret_plan->helper = ret_plan->joins[NS_PID] >= 0 || ret_plan->joins[NS_USER] >= 0 ||
			   (any_join && ret_plan->flags & CLONE_NEWUSER) ||
			   (ret_plan->flags & CLONE_NEWTIME && has_offsets(spec));
	return 0;
}

static const char *const proc_names[NS_COUNT] = { "pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time" };

/* Return: 1 when the process's namespace is another than ours, 0, or a recorded failure. */
static int ns_differs(enum spec_ns ns, pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", proc_names[ns]);
	if (stat(path, &ours) < 0)
		/* A kernel without this kind. Any other reason must not leave us in the host's. */
		return errno == ENOENT ? 0 : fail(errno, "look at our own %s namespace", proc_names[ns]);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, proc_names[ns]);
	if (stat(path, &theirs) < 0)
		return fail(errno, "look at the container's %s namespace", proc_names[ns]);
	return ours.st_ino != theirs.st_ino;
}

/*
 * What was made for the container is joined without a look, all in one call. Not where there is a user namespace: which of the
 * others are its own, and can be joined only from there, is found by trying. The rest is ours too, mostly: setns(2) into a user
 * namespace that we are in already is EINVAL.
 */
int namespaces_plan_pid(const struct spec *spec, pid_t pid, int pidfd, struct ns_plan *ret_plan)
{
	const struct spec_namespace *wants = spec->linux_.namespaces;
	int r = 0;

	plan_init(spec, ret_plan);
	ret_plan->target = pidfd;
	ret_plan->helper = true;
	for (int ns = 0; ns < NS_COUNT && r == 0; ns++) {
		char path[64];

		if (!wants[NS_USER].wanted && wants[ns].wanted && !wants[ns].path) {
			ret_plan->shared |= spec_namespace_flag((enum spec_ns)ns);
			continue;
		}
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, proc_names[ns]);
		r = ns_differs((enum spec_ns)ns, pid);
		if (r > 0)
			r = ns_open((enum spec_ns)ns, path, &ret_plan->joins[ns]);
	}
	/* The pid may have been used again while we looked: then the process behind the pidfd is gone. */
	if (r == 0 && pidfd_send_signal(pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		r = fail(errno, "the container's init");
	if (r < 0)
		ns_plan_done(ret_plan);
	return r;
}

void ns_plan_done(struct ns_plan *plan)
{
	for (int ns = 0; ns < NS_COUNT; ns++) {
		if (plan->joins[ns] >= 0)
			(void)close(plan->joins[ns]);
		plan->joins[ns] = -1;
	}
}

/*
 * The mount namespace comes last: it takes the path of a message's file away. What our own privileges do
 * not reach may be reachable from inside the user namespace, so it is tried again behind that.
 */
int namespaces_join(const int joins[NS_COUNT], const struct spec *spec)
{
	static const enum spec_ns order[] = { NS_PID, NS_IPC, NS_UTS, NS_NETWORK, NS_CGROUP, NS_TIME, NS_MOUNT,
					      NS_USER };
	bool joined[NS_COUNT] = { false };

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
			enum spec_ns ns = order[i];
			const char *path = spec->linux_.namespaces[ns].path;

			if (joins[ns] < 0 || joined[ns])
				continue;
			if (setns(joins[ns], (int)spec_namespace_flag(ns)) == 0)
				joined[ns] = true;
			else if (pass == 1 || errno != EPERM || joins[NS_USER] < 0)
				return fail(errno, "join the %s namespace%s%s%s", spec_namespace_name(ns),
					    path ? " '" : "", path ? path : "", path ? "'" : "");
		}
	}
	return 0;
}

static int time_offsets_write(const struct spec *spec)
{
	const struct spec_time_offset *boot = &spec->linux_.boottime, *mono = &spec->linux_.monotonic;
	char text[160];
	int n = 0, r;

	if (unshare(CLONE_NEWTIME) < 0)
		return fail(errno, "new time namespace");
	if (boot->set)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "boottime %lld %lld\n", (long long)boot->secs,
			      (long long)boot->nanosecs);
	if (mono->set)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "monotonic %lld %lld\n", (long long)mono->secs,
			      (long long)mono->nanosecs);
	r = fd_write_file(AT_FDCWD, "/proc/self/timens_offsets", text);
	return r < 0 ? fail_in(r, "linux.timeOffsets") : 0;
}

static pid_t clone_into(uint64_t flags, int cgroup, int *ret_pidfd)
{
	struct clone_args args = {
		.flags = flags,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* with CLONE_PARENT it is the caller's */
	};

	if (ret_pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)ret_pidfd;
	}
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int clone_failed(uint64_t flags)
{
	if (errno == EPERM && flags & CLONE_NEWUSER)
		return fail(errno, "clone into new namespaces: user namespaces may be switched off "
			    "(see sysctl kernel.unprivileged_userns_clone and user.max_user_namespaces)");
	if (errno == EPERM)
		return fail(errno, "clone into new namespaces: needs root, or a user namespace in the spec");
	if (errno == ENOSPC && flags & CLONE_NEWUSER)
		return fail(errno, "clone into new namespaces: too many user namespaces "
			    "(see sysctl user.max_user_namespaces)");
	return fail(errno, "clone into new namespaces");
}

static bool joins_any(const struct ns_plan *plan)
{
	for (int ns = 0; ns < NS_COUNT; ns++)
		if (plan->joins[ns] >= 0)
			return true;
	return plan->shared;
}

/* @await: until we were moved into the cgroup */
static _Noreturn void helper_run(struct ns_plan *plan, int sock, bool await,
				 void (*run)(void *arg, const struct ns_plan *plan), void *arg)
{
	uint64_t flags = plan->flags;
	struct sync_message m;
	pid_t pid;
	int r = await ? sync_expect(sock, SYNC_GO, "our parent", &m) : 0;

	cmdline_hide(); /* what we clone is seen inside from its first moment */
	if (r == 0 && flags & CLONE_NEWTIME && has_offsets(plan->spec)) {
		r = time_offsets_write(plan->spec);
		flags &= ~(uint64_t)CLONE_NEWTIME;
	}
	/* What lives in there must not trace us once we are in. It also takes our id maps out of a user's reach. */
	if (r == 0 && joins_any(plan) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = fail(errno, "become untraceable");
	if (r == 0 && plan->shared && setns(plan->target, (int)plan->shared) < 0)
		r = fail(errno, "join the namespaces of the container's first process");
	if (r == 0)
		r = namespaces_join(plan->joins, plan->spec);
	if (r == 0) {
		pid = clone_into(flags | CLONE_PARENT, -1, NULL);
		if (pid == 0) {
			ns_plan_done(plan);
			(void)close(sock);
			run(arg, plan);
			_exit(STATUS_OURS);
		}
		r = pid < 0 ? clone_failed(flags) : sync_send(sock, SYNC_CLONED, pid, -1);
	}
	if (r < 0)
		sync_send_failure(sock, r);
	_exit(0);
}

/* What clone3(2) says to somebody without the right to move processes between the two cgroups. */
static bool is_out_of_reach(const struct ns_plan *plan)
{
	return plan->unit && (errno == EACCES || errno == EPERM || errno == ENOENT);
}

static int clone_by_helper(struct ns_plan *plan, int cgroup,
			   void (*run)(void *arg, const struct ns_plan *plan), void *arg, pid_t *ret_pid,
			   int *ret_pidfd)
{
	struct sync_message m;
	int ends[2], r = sync_pair(ends), pidfd;
	bool by_systemd;
	pid_t helper;

	if (r < 0)
		return r;
	helper = clone_into(0, cgroup, NULL);
	by_systemd = helper < 0 && is_out_of_reach(plan);
	if (by_systemd)
		helper = clone_into(0, -1, NULL);
	if (helper == 0) {
		(void)close(ends[0]);
		helper_run(plan, ends[1], by_systemd, run, arg);
	}
	(void)close(ends[1]);
	if (helper < 0) {
		(void)close(ends[0]);
		return fail(errno, "clone into the container's cgroup");
	}
	if (by_systemd)
		r = scope_attach(plan->unit, plan->cgroup_path, helper);
	if (by_systemd && r == 0)
		r = sync_send(ends[0], SYNC_GO, 0, -1);
	if (r < 0) {
		(void)close(ends[0]);	/* which ends it */
		(void)proc_reap(helper);
		return r;
	}
	r = sync_expect(ends[0], SYNC_CLONED, "the process that joins the namespaces", &m);
	(void)close(ends[0]);
	(void)proc_reap(helper);
	if (r < 0)
		return r;
	/* It is our child, and not reaped: its number cannot be another's. */
	pidfd = pidfd_open((pid_t)m.value, 0);
	if (pidfd < 0)
		return fail(errno, "open the container's first process");
	*ret_pid = (pid_t)m.value;
	*ret_pidfd = pidfd;
	return 0;
}

int namespaces_clone(struct ns_plan *plan, int cgroup, void (*run)(void *arg, const struct ns_plan *plan),
		     void *arg, pid_t *ret_pid, int *ret_pidfd)
{
	int pidfd = -1;
	pid_t pid;

	if (plan->helper)
		return clone_by_helper(plan, cgroup, run, arg, ret_pid, ret_pidfd);
	pid = clone_into(plan->flags, cgroup, &pidfd);
	if (pid < 0 && is_out_of_reach(plan))
		return clone_by_helper(plan, cgroup, run, arg, ret_pid, ret_pidfd);
	if (pid < 0)
		return clone_failed(plan->flags);
	if (pid == 0) {
		run(arg, plan);
		_exit(STATUS_OURS);
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
