/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending containers. Deletion goes by the record, in the reverse of the order in
 * which things were made, and may be done again by another process if it is itself killed: the record goes last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "runtime/base/log.h"
#include "runtime/hooks.h"
#include "runtime/image-root.h"
#include "runtime/keeper-talk.h"
#include "runtime/kept.h"
#include "runtime/machine.h"
#include "runtime/network-attach.h"
#include "runtime/resctrl.h"
#include "runtime/scope.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/upper.h"
#include "runtime/volume-use.h"

enum {
	KEEPER_MS = 2000,
	TELL_MS = 500,	/* a keeper that is busy waits for the lock that we hold */
	DIE_MS = 10000,	/* after SIGKILL; longer only in an uninterruptible sleep */
};

/* A keeper that would start the container again. With --rm, and while it does that, the keeper has become us. */
static bool keeper_restarts(const struct state *state)
{
	struct service service;
	bool restarts;

	if (!state->keeper_pid || state->keeper_pid == getpid())
		return false;
	restarts = service_read(&state->annotations, &service) == 0 && service.restart != RESTART_NO;
	service_done(&service);
	return restarts;
}

/* Before the payload ends: one that does not answer is just starting it again, and waits for us; that end may be forced. */
static void keeper_stop(const struct state_dir *dir, const struct state *state)
{
	cleanup_fd int pidfd = -1;
	int r;

	if (!keeper_restarts(state))
		return;
	r = keeper_tell(dir, state, KEEPER_STOP, NULL, TELL_MS, NULL, NULL);
	if (r != 0 && r != KEEPER_GONE && proc_open(state->keeper_pid, state->keeper_start, &pidfd) == 0) {
		(void)proc_signal(pidfd, SIGKILL);
		(void)proc_wait_exit(pidfd, KEEPER_MS);
	}
}

/* The keeper has its child to reap: whoever looks when we are done shall find neither. */
static void keeper_await(const struct state *state)
{
	cleanup_fd int pidfd = -1;

	if (!state->keeper_pid || state->keeper_pid == getpid())
		return;
	if (proc_open(state->keeper_pid, state->keeper_start, &pidfd) != 0)
		return;
	if (proc_wait_exit(pidfd, KEEPER_MS) != 0 && keeper_restarts(state))
		(void)proc_signal(pidfd, SIGKILL);
}

static bool keeper_lives(const struct state *state)
{
	cleanup_fd int pidfd = -1;

	return state->keeper_pid && proc_open(state->keeper_pid, state->keeper_start, &pidfd) == 0;
}

/* A security module may keep our signals from it; the cgroup's own kill asks none. */
static int init_kill(const struct state *state, int pidfd)
{
	struct cgroup cg = CGROUP_NONE;
	int r = proc_signal(pidfd, SIGKILL);

	if (r == 0 || !state->cgroup_made)
		return r;
	r = kept_cgroup(state, &cg);
	if (r == 0)
		r = cgroup_kill(&cg);
	cgroup_close(&cg);
	return r;
}

/* As kept_cgroup(), of a container whose maker has it open still. */
static int child_cgroup(const struct state *state, const struct container_child *child, struct cgroup *ret_cg)
{
	struct cgroup cg = { .made = state->cgroup_made };
	int r;

	if (!child || child->cgroup < 0 || !state->cgroup_path)
		return kept_cgroup(state, ret_cg);
	r = str_copy(&cg.path, state->cgroup_path);
	if (r < 0)
		return r;
	cg.fd = fcntl(child->cgroup, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	*ret_cg = cg;
	return cg.fd < 0 ? fail(errno, "duplicate a descriptor") : 0;
}

/*
 * The init first by its pidfd, then all that is in the cgroup; each wait has an end.
 * @child: its maker's, who has reaped it; or NULL
 */
static int processes_end(const struct state *state, const char *id, const struct container_child *child)
{
	struct cgroup cg = CGROUP_NONE;
	cleanup_fd int pidfd = -1;
	int r = state->pid && !child ? proc_open(state->pid, state->pid_start, &pidfd) : PROC_GONE;

	if (r == 0) {
		r = init_kill(state, pidfd);
		/* A frozen process dies too, but only cgroup v2's freezer lets it. */
		if (r == 0)
			r = proc_wait_exit(pidfd, DIE_MS);
		if (r == PROC_TIMEOUT)
			r = fail_plain(EBUSY, "container '%s': process %d does not die (it sleeps "
				       "uninterruptibly in the kernel)", id, (int)state->pid);
	}
	if (r < 0)
		return r;
	r = child_cgroup(state, child, &cg);
	if (r == 0)
		r = cgroup_remove(&cg, DIE_MS);
	cgroup_close(&cg);
	if (r < 0)
		return r;
	scope_stop(state->cgroup_unit);
	return 0;
}

/* What else the spec asked to be done at its end. */
static int poststop(const struct state_dir *dir, const struct state *state)
{
	struct spec *spec __attribute__((cleanup(spec_free_p))) = NULL;
	cleanup_free char *text = NULL;

	if (!state->poststop_owed && !state->resctrl_owed)
		return 0;
	if (kept_spec(dir, &spec) < 0) {
		log_warn("poststop hooks: %s, ignoring", fail_text());
		return 0;
	}
	if (state->resctrl_owed)
		resctrl_forget(spec, state->id);
	if (!state->poststop_owed)
		return 0;
	text = state_oci_text(state, "stopped", 0);
	return text ? hooks_run(spec, HOOK_POSTSTOP, text, false) : fail(ENOMEM, "state for the hooks");
}

/* Those that were put aside: "log.1" and so on. A name that is missing among them is none that ends them. */
static int logs_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(errno, "read the log's folder '%s'", folder);
	while (r == 0 && (entry = readdir(dir)))
		if (str_starts(entry->d_name, "log.") && unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			r = fail(errno, "remove the log '%s/%s'", folder, entry->d_name);
	(void)closedir(dir);
	return r;
}

/* The log's folder is the container's own, and goes with it. */
static int log_remove(const struct state *state)
{
	cleanup_free char *folder = NULL;
	char *slash;
	int r = str_copy(&folder, state->log);

	if (r < 0 || !folder)
		return r;
	/* As long as it is there the record must be, which alone knows of it. */
	if (unlink(state->log) < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail(errno, "remove the log '%s'", state->log);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	r = logs_remove(folder);
	if (r < 0)
		return r;
	if (rmdir(folder) < 0 && errno != ENOENT && errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST)
		return fail(errno, "remove the log's folder '%s'", folder);
	return 0;
}

/*
 * With --force a failure is a warning: the record goes, and the next command about networks drops the lease of a container
 * without one.
 */
static int networks_leave(const struct container_place *place, const struct state *state, const char *id, bool force)
{
	int r = 0;

	if (!state || str_env_find(&state->annotations, SHORT_ANNOTATION NETWORK_ANNOTATION) ||
	    str_env_find(&state->annotations, SHORT_ANNOTATION PORTS_ANNOTATION) ||
	    str_env_find(&state->annotations, SHORT_ANNOTATION DNS_ANNOTATION))
		r = network_release(place, id);
	if (r < 0 && force) {
		log_warn("%s, ignoring", fail_text());
		return 0;
	}
	return r;
}

static int delete_recorded(const struct container_place *place, struct state_dir *dir, struct state *state, const char *id, bool force,
			   const struct container_child *child)
{
	enum container_status status = CONTAINER_STOPPED;
	int r = force ? 0 : kept_status(state, &status);

	if (r < 0)
		return r;
	if (!force && status != CONTAINER_STOPPED)
		return fail_plain(EBUSY, "container '%s' is %s: stop it first, or use --force", id,
				  container_status_name(status));
	if (!force && !state_is_stale(state) && keeper_restarts(state) && keeper_lives(state))
		return fail_plain(EBUSY, "container '%s' is about to be started again: stop it first, or use --force", id);
	if (!state_is_stale(state))
		keeper_stop(dir, state);
	r = state_is_stale(state) ? 0 : processes_end(state, id, child);
	if (r == 0 && !state_is_stale(state))
		keeper_await(state);
	if (r == 0)
		r = poststop(dir, state);
	if (r < 0)
		return r;
	r = log_remove(state);
	if (r == 0)
		r = networks_leave(place, state, id, force);
	if (r == 0)
		r = upper_remove(place, dir, state->boot_id, id);
	if (r == 0)
		r = volumes_release(place, dir, state, id, state->volumes_go);
	if (r == 0)
		r = image_root_release(&state->annotations, state->image_store, place->root, id);
	return r < 0 ? r : state_remove(dir, id, state->phase == PHASE_RUNNING && !state->keeper_pid);
}

int kept_end(const struct container_place *place, const char *id, struct state_dir *ret_dir, struct state *ret_state)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, true, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	if (!state_is_stale(&state))
		r = processes_end(&state, id, NULL);
	if (r == 0)
		r = poststop(&dir, &state);
	if (r == 0)
		r = networks_leave(place, &state, id, false);
	if (r < 0) {
		state_done(&state);
		state_close(&dir);
		return fail_in(r, "end container '%s'", id);
	}
	/* What is made again under the same names; a machine's socket is bound. */
	(void)unlinkat(dir.fd, "vm.sock", 0);
	(void)unlinkat(dir.fd, MACHINE_COUNTS, 0);
	(void)unlinkat(dir.fd, "start.sock", 0);
	(void)unlinkat(dir.fd, "health.json", 0);
	state.poststop_owed = state.resctrl_owed = false;
	*ret_dir = dir;
	*ret_state = state;
	return 0;
}

int container_end(const struct container_place *place, const char *id)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_end(place, id, &dir, &state);

	if (r < 0)
		return r;
	state_done(&state);
	state_close(&dir);
	return 0;
}

/*
 * Where the spec wanted the cgroup, when that is told by the id: it was made for this container then, as engines do.
 * Any other was perhaps not, and is not for us to kill.
 */
static char *cgroup_of_spec(const struct state_dir *dir, const char *id)
{
	struct spec *spec __attribute__((cleanup(spec_free_p))) = NULL;
	char *path = NULL;
	const char *name;

	if (kept_spec(dir, &spec) < 0 || !spec->linux_.cgroups_path ||
	    cgroup_path_resolve(spec->linux_.cgroups_path, id, &path) < 0)
		return NULL;
	name = strrchr(path, '/') + 1;
	if (str_eq(name, id) || (str_ends(name, id) && name[strlen(name) - strlen(id) - 1] == '-'))
		return path;
	free(path);
	return NULL;
}

/* No record that makes sense: all that is known is the id, and where a cgroup of ours would be. */
static int delete_unrecorded(const struct container_place *place, struct state_dir *dir, const char *id)
{
	struct state state = { .pid = 0, .cgroup_made = true, .cgroup_path = cgroup_of_spec(dir, id) };
	int r = state.cgroup_path ? 0 : cgroup_path_resolve(NULL, id, &state.cgroup_path);

	if (r == 0)
		r = processes_end(&state, id, NULL);
	if (r == 0)
		r = str_format(&state.log, "%s/containers/%s/log", place->data, id);
	if (r == 0)
		log_remove(&state);
	if (r == 0)
		r = networks_leave(place, NULL, id, true);
	if (r == 0)
		r = upper_remove(place, dir, NULL, id);
	if (r == 0)
		r = volumes_release(place, dir, NULL, id, false);
	if (r == 0)
		r = image_root_release(NULL, NULL, place->root, id);
	state_done(&state);
	return r < 0 ? r : state_remove(dir, id, false);
}

/* What the record says now. @dir is locked; @child: as processes_end(). */
static int delete_locked(const struct container_place *place, struct state_dir *dir, const char *id, bool force, bool whole,
			 const struct container_child *child)
{
	struct state state = { .pid = 0 };
	int r = state_read(dir, &state);

	state.volumes_go = state.volumes_go || whole;
	if (r == 0)
		r = delete_recorded(place, dir, &state, id, force, child);
	else if (r == STATE_NOT_FOUND || (force && state_is_readable(dir)))
		r = delete_unrecorded(place, dir, id);
	else
		r = fail_in(r, "container '%s' ('delete --force' removes it all the same)", id);
	state_done(&state);
	return r;
}

static int delete_any(const struct container_place *place, const char *id, bool force, bool whole)
{
	struct state_dir dir = STATE_DIR_NONE;
	int r = state_open(place->root, id, true, &dir);

	if (r == STATE_NOT_FOUND)
		return force ? 0 : CONTAINER_NOT_FOUND;
	if (r < 0)
		return r;
	r = delete_locked(place, &dir, id, force, whole, NULL);
	state_close(&dir);
	return r;
}

int container_delete(const struct container_place *place, const char *id, bool force)
{
	return delete_any(place, id, force, false);
}

int container_delete_whole(const struct container_place *place, const char *id, bool force)
{
	return delete_any(place, id, force, true);
}

int container_delete_child(const struct container_place *place, const char *id, const struct container_child *child)
{
	struct container_known *known = child->known;
	int r;

	if (!known)
		return container_delete(place, id, true);
	r = state_lock(&known->dir, id);
	/* Somebody has removed it. If there is one of that name by now, it is another. */
	if (r != 0)
		return r < 0 ? r : 0;
	if (state_mark_is(&known->dir, &known->mark))
		return delete_recorded(place, &known->dir, &known->state, id, true, child);
	return delete_locked(place, &known->dir, id, true, false, child);
}
