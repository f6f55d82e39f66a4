/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to a container that lives: signals and freezing, by its first process or by its cgroup.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "cgroups/cgroup.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/proc.h"
#include "runtime/kept.h"

enum { FREEZE_MS = 10000 };

/* containerd takes a process for ended when it reads these three words, and anything else for a failure of its own. */
static int fail_gone(const char *id, enum container_status status)
{
	return fail_plain(ESRCH, "container not running: '%s' is %s", id, container_status_name(status));
}

static int signal_all(const struct state *state, const char *id, int signal)
{
	struct cgroup cg = CGROUP_NONE;
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = kept_cgroup(state, &cg);

	if (r == CGROUP_NOT_FOUND || (r == 0 && !cg.made)) {
		enum container_status status = CONTAINER_RUNNING;

		cgroup_close(&cg);
		r = kept_status(state, &status);
		/* systemd takes a scope away with the last process in it */
		if (r < 0 || status == CONTAINER_STOPPED)
			return r < 0 ? r : fail_gone(id, status);
		return fail_plain(EINVAL, "--all needs a cgroup of the container's own, and it has none");
	}
	if (r == 0 && signal == SIGKILL)
		r = cgroup_kill(&cg);
	else if (r == 0)
		r = cgroup_procs(&cg, &pids, &count);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (kill(pids[i], signal) < 0 && errno != ESRCH)
			r = fail(errno, "send signal %d to process %d", signal, (int)pids[i]);
	cgroup_close(&cg);
	return r;
}

static int signal_init(const struct state *state, const char *id, int signal)
{
	cleanup_fd int pidfd = -1;
	int r = proc_open(state->pid, state->pid_start, &pidfd);

	if (r == 0)
		r = proc_signal(pidfd, signal);
	return r == PROC_GONE ? fail_gone(id, CONTAINER_STOPPED) : r;
}

/* What `kill` and `pause` need: a container that was created or runs. */
static int live_open(const struct container_place *place, const char *id, struct state *ret_state)
{
	struct state_dir dir = STATE_DIR_NONE;
	enum container_status status;
	int r = kept_open(place, id, false, &dir, ret_state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	state_close(&dir);
	r = kept_status(ret_state, &status);
	if (r == 0 && (status == CONTAINER_STOPPED || status == CONTAINER_CREATING))
		r = fail_gone(id, status);
	if (r < 0)
		state_done(ret_state);
	return r;
}

int container_signal(const struct container_place *place, const char *id, int signal, bool all)
{
	struct state state = { .pid = 0 };
	int r;

	/* Engines send --all to what has stopped, for processes that outlived init; those live in its cgroup. */
	if (all) {
		struct state_dir dir = STATE_DIR_NONE;

		r = kept_open(place, id, false, &dir, &state);
		if (r != 0)
			return r < 0 ? r : container_no_such(id);
		state_close(&dir);
		r = state_is_stale(&state) ? fail_gone(id, CONTAINER_STOPPED) : signal_all(&state, id, signal);
	} else {
		r = live_open(place, id, &state);
		if (r < 0)
			return r;
		r = signal_init(&state, id, signal);
	}
	state_done(&state);
	return r;
}

/* The cgroup of a container that lives. @own: to freeze it, it must have been made for the container. Return: 0 or a recorded failure. */
static int live_cgroup(const struct container_place *place, const char *id, bool own, struct cgroup *ret_cg)
{
	struct state state = { .pid = 0 };
	int r = live_open(place, id, &state);

	if (r < 0)
		return r;
	r = kept_cgroup(&state, ret_cg);
	if (r == CGROUP_NOT_FOUND || (r == 0 && own && !ret_cg->made))
		r = own ? fail_plain(EINVAL, "container '%s' has no cgroup of its own to be paused by", id) :
			  fail_plain(EINVAL, "container '%s' has no cgroup to tell its processes by", id);
	state_done(&state);
	return r;
}

int container_pause(const struct container_place *place, const char *id, bool paused)
{
	struct cgroup cg = CGROUP_NONE;
	int r = live_cgroup(place, id, true, &cg);

	if (r == 0)
		r = cgroup_freeze(&cg, paused, FREEZE_MS);
	cgroup_close(&cg);
	return r;
}

int container_pids(const struct container_place *place, const char *id, pid_t **ret_pids, size_t *ret_count)
{
	struct cgroup cg = CGROUP_NONE;
	int r = live_cgroup(place, id, false, &cg);

	if (r == 0)
		r = cgroup_procs(&cg, ret_pids, ret_count);
	cgroup_close(&cg);
	return r;
}
