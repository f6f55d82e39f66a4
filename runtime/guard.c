/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The freezer holds every process of the container, whatever it is doing; PTRACE_O_TRACEEXEC tells the moment at which the
 * child's old memory and fds are gone. Should we be killed in between, the child goes with us and the container
 * stays frozen, which shows as paused and ends with `nacelle resume`.
 */
#include "runtime/guard.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "runtime/base/log.h"
#include "runtime/base/str.h"
#include "runtime/spec.h"
#include "runtime/state.h"

enum { FREEZE_MS = 10000 };

bool guard_needed(const struct spec *spec)
{
	const struct spec_capabilities *caps = &spec->process.capabilities;

	if (spec->linux_.namespaces[NS_USER].wanted)
		return false;
	return (caps->bounding | caps->permitted | caps->effective) >> CAP_SYS_PTRACE & 1;
}

int guard_begin(const struct state *state, bool created, struct guard *guard)
{
	int r;

	if (created)
		return fail_plain(EINVAL, "container '%s' may trace what it sees (CAP_SYS_PTRACE) and is not started yet: "
				  "start it first", state->id);
	if (!state->cgroup_path || !state->cgroup_made)
		return fail_plain(EINVAL, "container '%s' may trace what it sees (CAP_SYS_PTRACE) and has no cgroup of its "
				  "own to be held by meanwhile", state->id);
	r = str_copy(&guard->cgroup.path, state->cgroup_path);
	if (r == 0)
		r = cgroup_open(&guard->cgroup);
	if (r == CGROUP_NOT_FOUND)
		return fail_plain(ENOENT, "the container's cgroup '%s' is gone", state->cgroup_path);
	if (r == 0)
		r = cgroup_freeze(&guard->cgroup, true, FREEZE_MS);
	guard->frozen = r == 0;
	return r;
}

int guard_follow(pid_t pid)
{
	/* ptrace(2) takes the options where others take an address. */
	if (ptrace(PTRACE_SEIZE, pid, NULL, (uintptr_t)(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0)
		return fail(errno, "follow the process until it is the container's");
	return 0;
}

/* Return: 1 when the child has become the launcher, 0 when it has ended, or a recorded failure. */
static int exec_await(pid_t pid)
{
	for (;;) {
		siginfo_t about = { .si_pid = 0 };
		int status;

		if (waitid(P_PID, (id_t)pid, &about, WEXITED | WSTOPPED | WNOWAIT) < 0) {
			if (errno == EINTR)
				continue;
			return fail(errno, "wait for the process to become the container's");
		}
		if (about.si_code != CLD_TRAPPED)
			return 0;
		if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			return fail(ECHILD, "wait for the process to become the container's");
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			return 1;
		/* Something else: a signal, which it gets. */
		if (ptrace(PTRACE_CONT, pid, NULL, (uintptr_t)(status >> 16 ? 0 : WSTOPSIG(status))) < 0 && errno != ESRCH)
			return fail(errno, "let the process go on");
	}
}

int guard_finish(struct guard *guard, pid_t pid, const struct cgroup *cgroup)
{
	int r = exec_await(pid);

	if (r <= 0)
		return r;
	r = cgroup_attach(cgroup, pid);
	if (r < 0)
		return r;
	r = cgroup_freeze(&guard->cgroup, false, FREEZE_MS);
	if (r < 0)
		return r;
	guard->frozen = false;
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 && errno != ESRCH)
		return fail(errno, "let the process go");
	return 0;
}

void guard_done(struct guard *guard)
{
	cleanup_free char *text = strdup(fail_text());
	int status = fail_status();

	if (guard->frozen && cgroup_freeze(&guard->cgroup, false, FREEZE_MS) < 0) {
		log_warn("%s, ignoring: 'nacelle resume' thaws it", fail_text());
		/* What brought us here is the failure to be told. */
		(void)fail_exit(fail_plain(EINVAL, "%s", text ? text : "out of memory"), status);
	}
	guard->frozen = false;
	cgroup_close(&guard->cgroup);
}
