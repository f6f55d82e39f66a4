/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking at containers. The record says what was last done; whether the container lives is asked of the
 * kernel each time, by pid and start time, so that a pid that was used again is never taken for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cgroups/cgroup.h"
#include "cgroups/stats.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/kept.h"
#include "runtime/spec.h"

const char *container_status_name(enum container_status status)
{
	static const char *const names[] = { "creating", "created", "running", "paused", "stopped" };

	return names[status];
}

/* "does not exist" is what containerd looks for, as after a checkpoint, which has deleted the container. */
int container_no_such(const char *id)
{
	return fail_plain(ENOENT, "no container '%s': it does not exist (see 'nacelle list')", id);
}

int kept_open(const struct container_place *place, const char *id, bool lock, struct state_dir *ret_dir,
	      struct state *ret_state)
{
	struct state_dir dir = STATE_DIR_NONE;
	int r = state_open(place->root, id, lock, &dir);

	if (r != 0)
		return r;
	r = state_read(&dir, ret_state);
	if (r != 0) {
		state_close(&dir);
		return r < 0 ? fail_in(r, "container '%s'", id) : r;
	}
	*ret_dir = dir;
	return 0;
}

int kept_json(const struct state_dir *dir, json_t **ret_v)
{
	return json_read_at(dir->fd, "config.json", "the container's config.json", ret_v);
}

int kept_spec(const struct state_dir *dir, struct spec **ret_spec)
{
	cleanup_json json_t *v = NULL;
	int r = kept_json(dir, &v);

	return r < 0 ? r : spec_read(v, ret_spec);
}

int kept_cgroup(const struct state *state, struct cgroup *ret_cg)
{
	struct cgroup cg = CGROUP_NONE;
	int r;

	if (!state->cgroup_path)
		return CGROUP_NOT_FOUND;
	r = str_copy(&cg.path, state->cgroup_path);
	if (r == 0)
		r = cgroup_open(&cg);
	if (r != 0) {
		cgroup_close(&cg);
		return r;
	}
	cg.made = state->cgroup_made;
	*ret_cg = cg;
	return 0;
}

static int is_frozen(const struct state *state)
{
	struct cgroup cg = CGROUP_NONE;
	int r = kept_cgroup(state, &cg);

	r = r == CGROUP_NOT_FOUND ? 0 : r < 0 ? r : cgroup_is_frozen(&cg);
	cgroup_close(&cg);
	return r;
}

int kept_status(const struct state *state, enum container_status *ret_status)
{
	uint64_t start;
	int r;

	if (state_is_stale(state)) {
		*ret_status = CONTAINER_STOPPED;
		return 0;
	}
	if (state->pid == 0) {
		*ret_status = CONTAINER_CREATING;
		return 0;
	}
	r = proc_start_time(state->pid, &start);
	if (r < 0)
		return r;
	if (r == PROC_GONE || start != state->pid_start) {
		*ret_status = CONTAINER_STOPPED;
		return 0;
	}
	*ret_status = state->phase == PHASE_RUNNING ? CONTAINER_RUNNING :
		      state->phase == PHASE_CREATED ? CONTAINER_CREATED : CONTAINER_CREATING;
	r = is_frozen(state);
	if (r > 0)
		*ret_status = CONTAINER_PAUSED;
	return r < 0 ? r : 0;
}

struct ending {
	int64_t status;
	char *time;
	bool oom_killed;
};

/* The line that a keeper writes when the payload has ended; an empty file: not yet. */
static int ending_read(const struct state_dir *dir, struct container_info *info)
{
	static const struct json_field fields[] = {
		{ "status", json_get_int, offsetof(struct ending, status), JSON_REQUIRED, NULL, NULL },
		{ "time", json_get_string, offsetof(struct ending, time), JSON_REQUIRED, NULL, NULL },
		{ "oomKilled", json_get_bool, offsetof(struct ending, oom_killed), JSON_OPTIONAL, NULL, NULL },
		{ .name = NULL },
	};
	struct ending ending = { .status = 0 };
	cleanup_fd int fd = openat(dir->fd, "exit", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *text = NULL;
	cleanup_json json_t *v = NULL;
	size_t size = 0;
	int r;

	if (fd < 0 || fd_read_all(fd, 4096, &text, &size) < 0 || size == 0)
		return 0;
	r = json_parse("exit", text, size, &v);
	if (r == 0)
		r = json_object_read(&JSON_ROOT, v, fields, 0, &ending);
	if (r < 0) {
		free(ending.time);
		return r;
	}
	info->exit_known = true;
	info->exit_status = (int)ending.status;
	info->exit_time = ending.time;
	info->oom_killed = ending.oom_killed;
	return 0;
}

/* As the file "note" has it. */
struct note {
	int64_t restarts, status, failing, lost;
	struct timespec written;
	bool waiting, oom_killed, unhealthy;
	char *health;
};

#define NOTE(member) offsetof(struct note, member)

/* It is written in place: whoever reads between two halves reads again. Return: 1 with @ret, 0: there is none. */
static int note_read(const struct state_dir *dir, struct note *ret)
{
	static const struct json_field fields[] = {
		{ "restarts", json_get_int, NOTE(restarts), JSON_OPTIONAL, NULL, NULL },
		{ "waiting", json_get_bool, NOTE(waiting), JSON_OPTIONAL, NULL, NULL },
		{ "status", json_get_int, NOTE(status), JSON_OPTIONAL, NULL, NULL },
		{ "oomKilled", json_get_bool, NOTE(oom_killed), JSON_OPTIONAL, NULL, NULL },
		{ "unhealthy", json_get_bool, NOTE(unhealthy), JSON_OPTIONAL, NULL, NULL },
		{ "health", json_get_string, NOTE(health), JSON_OPTIONAL, NULL, NULL },
		{ "failing", json_get_int, NOTE(failing), JSON_OPTIONAL, NULL, NULL },
		{ "lost", json_get_int, NOTE(lost), JSON_OPTIONAL, NULL, NULL },
		{ .name = NULL },
	};
	enum { TRIES = 5 };

	for (int i = 0; i < TRIES; i++) {
		cleanup_fd int fd = openat(dir->fd, "note", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		cleanup_free char *text = NULL;
		cleanup_json json_t *v = NULL;
		struct note note = { .status = -1 };
		size_t size = 0;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || fd_read_all(fd, 4096, &text, &size) < 0 || size == 0)
			return 0;
		note.written = st.st_mtim;
		if (json_parse("note", text, size, &v) == 0 && json_object_read(&JSON_ROOT, v, fields, 0, &note) == 0) {
			*ret = note;
			return 1;
		}
		free(note.health);
	}
	return 0;
}

static void tended_look(const struct state_dir *dir, const struct state *state, struct container_info *info)
{
	cleanup_fd int keeper = -1;
	struct note note = { .status = -1 };
	bool lives;

	if (!state->keeper_pid)
		return;
	lives = !info->stale && proc_open(state->keeper_pid, state->keeper_start, &keeper) == 0;
	info->keeper_lives = lives;
	info->keeper_lost = !lives && !info->stale && info->status != CONTAINER_STOPPED;
	if (note_read(dir, &note) <= 0)
		return;
	info->kept = true;
	info->tended = (struct container_tended){
		.restarts = note.restarts, .last_status = note.status, .last_oom_killed = note.oom_killed,
		.last_unhealthy = note.unhealthy, .health = note.health, .failing = note.failing, .lost = note.lost,
		.written = note.written,
		.restarting = note.waiting && lives &&
			      (info->status == CONTAINER_STOPPED || info->status == CONTAINER_CREATING),
	};
	/* Nobody asks any more. */
	if ((!lives || info->status == CONTAINER_STOPPED) && note.health)
		note.health[0] = '\0';
}

static void oom_look(struct container_info *info)
{
	struct cgroup cg = CGROUP_NONE;

	if (!info->cgroup_path || info->oom_killed || str_copy(&cg.path, info->cgroup_path) < 0)
		return;
	if (cgroup_open(&cg) == 0)
		info->oom_killed = cgroup_oom_kills(cg.fd) > 0;
	cgroup_close(&cg);
}

/* The record's strings change hands. */
static void info_take(struct container_info *info, struct state *state)
{
	info->id = steal_ptr(&state->id);
	info->bundle = steal_ptr(&state->bundle);
	info->rootfs = steal_ptr(&state->rootfs);
	info->created = steal_ptr(&state->created);
	info->oci_version = steal_ptr(&state->oci_version);
	info->log = steal_ptr(&state->log);
	info->cgroup_path = steal_ptr(&state->cgroup_path);
	info->annotations = state->annotations;
	state->annotations = (struct str_list){ .items = NULL };
	info->keeper_pid = state->keeper_pid;
	info->remove_at_exit = state->remove_at_exit;
	info->open_stdin = state->open_stdin;
	info->ran = state->phase == PHASE_RUNNING;
	if (info->status != CONTAINER_STOPPED)
		info->pid = state->pid;
	info->pid_start = state->pid_start;
}

/* A folder without a record: somebody has just begun, or was killed in the first moment. */
static int look_at_nothing(const char *id, struct container_info *info)
{
	info->status = CONTAINER_CREATING;
	return str_copy(&info->id, id);
}

static int look_once(const struct container_place *place, const char *id, struct container_info *ret_info)
{
	struct container_info info = { .status = CONTAINER_STOPPED };
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = state_open(place->root, id, false, &dir);

	if (r != 0)
		return r < 0 ? r : CONTAINER_NOT_FOUND;
	r = state_read(&dir, &state);
	if (r == STATE_NOT_FOUND) {
		r = look_at_nothing(id, &info);
	} else if (r == 0) {
		info.stale = state_is_stale(&state);
		r = kept_status(&state, &info.status);
		if (r == 0)
			r = ending_read(&dir, &info);
		if (r == 0)
			tended_look(&dir, &state, &info);
		info_take(&info, &state);
		if (r == 0 && !info.stale)
			oom_look(&info);
	}
	state_done(&state);
	state_close(&dir);
	if (r < 0) {
		container_info_done(&info);
		return fail_in(r, "container '%s'", id);
	}
	*ret_info = info;
	return 0;
}

/*
 * The process is gone and its keeper still reads what it has said last, so that neither the exit status nor
 * that it is to run again is written yet: nobody should have to look twice for that.
 */
static bool is_ending(const struct container_info *info)
{
	return info->status == CONTAINER_STOPPED && info->keeper_lives && info->keeper_pid != getpid() &&
	       !info->exit_known && !info->tended.restarting;
}

int container_look(const struct container_place *place, const char *id, struct container_info *ret_info)
{
	/* A keeper that has been stopped must not hold up who looks. */
	enum { TRIES = 100 };
	static const struct timespec pause = { .tv_nsec = 5000000 };
	int r = look_once(place, id, ret_info);

	for (int i = 0; r == 0 && is_ending(ret_info) && i < TRIES; i++) {
		container_info_done(ret_info);
		(void)nanosleep(&pause, NULL);
		r = look_once(place, id, ret_info);
	}
	return r;
}

void container_info_done(struct container_info *info)
{
	free(info->id);
	free(info->bundle);
	free(info->rootfs);
	free(info->created);
	free(info->oci_version);
	free(info->log);
	free(info->cgroup_path);
	free(info->exit_time);
	free(info->tended.health);
	str_list_done(&info->annotations);
	*info = (struct container_info){ .status = CONTAINER_STOPPED };
}

json_t *container_state_json(const struct container_info *info)
{
	char nothing[] = "";
	struct state state = {
		.id = info->id, .bundle = info->bundle ? info->bundle : nothing,
		.oci_version = info->oci_version ? info->oci_version : nothing, .annotations = info->annotations,
	};
	const char *status = info->status == CONTAINER_PAUSED ? "running" : container_status_name(info->status);
	cleanup_free char *text = state_oci_text(&state, status, info->pid);
	json_t *v = NULL;

	if (!text || json_parse("state", text, strlen(text), &v) < 0)
		return NULL;
	/* OCI lets a runtime add states; the other runtimes say "paused" too. */
	(void)json_object_set_new(v, "status", json_string(info->tended.restarting ? "restarting" :
							   container_status_name(info->status)));
	return v;
}
