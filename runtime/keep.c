/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting needs no daemon and no polling: a process is named by its pid and start time, which the record
 * has, and waited for by a pidfd; when the keeper is gone, what it wrote is there or will never be.
 */
#include "runtime/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/bundle.h"
#include "runtime/kept.h"
#include "runtime/spec.h"

static int keeper_record(const struct state_dir *dir, struct state *state, pid_t keeper, int *ret_exit)
{
	cleanup_fd int fd = openat(dir->fd, "exit", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return fail(errno, "make the file 'exit'");
	r = proc_start_time(keeper, &state->keeper_start);
	if (r != 0)
		return r < 0 ? r : fail_plain(ESRCH, "process %d is no keeper: it has ended", (int)keeper);
	state->keeper_pid = keeper;
	r = state_write(dir, state);
	if (r == 0)
		*ret_exit = steal_fd(&fd);
	return r;
}

int container_keep(const struct container_place *place, const char *id, pid_t keeper, int *ret_exit)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, true, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = keeper_record(&dir, &state, keeper, ret_exit);
	state_done(&state);
	state_close(&dir);
	return r < 0 ? fail_in(r, "record the keeper of container '%s'", id) : 0;
}

int container_keep_talk(const struct container_place *place, const char *id, int *ret_note, int *ret_socket)
{
	struct state_dir dir = STATE_DIR_NONE;
	cleanup_fd int note = -1;
	int r = state_open(place->root, id, false, &dir);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	note = openat(dir.fd, "note", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (note < 0)
		r = fail(errno, "make the file 'note'");
	else if (ret_socket)
		r = keeper_listen(&dir);
	state_close(&dir);
	if (r < 0)
		return fail_in(r, "container '%s'", id);
	if (ret_socket)
		*ret_socket = r;
	*ret_note = steal_fd(&note);
	return 0;
}

int container_tell(const struct container_place *place, const char *id, enum keeper_word word, const int fds[2], int timeout_ms,
		   int *ret_sock, int *ret_fd)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = keeper_tell(&dir, &state, word, fds, timeout_ms, ret_sock, ret_fd);
	state_done(&state);
	state_close(&dir);
	return r;
}

int container_bundle(const struct container_place *place, const char *id, struct bundle *ret)
{
	struct bundle bundle = { .folder = NULL };
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	bundle.folder = steal_ptr(&state.bundle);
	r = str_format(&bundle.file, "the record of container '%s'", id);
	if (r == 0)
		r = kept_spec(&dir, &bundle.spec);
	state_done(&state);
	state_close(&dir);
	if (r < 0) {
		bundle_done(&bundle);
		return fail_in(r, "container '%s'", id);
	}
	*ret = bundle;
	return 0;
}

int container_spec_text(const struct container_place *place, const char *id, char **ret_text, char **ret_folder)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	json_t *v = NULL;
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_json(&dir, &v);
	if (r == 0)
		*ret_text = json_text(v);
	if (r == 0 && !*ret_text)
		r = fail(ENOMEM, "read the spec of container '%s'", id);
	if (r == 0)
		r = str_copy(ret_folder, state.bundle ? state.bundle : "/");
	json_decref(v);
	state_done(&state);
	state_close(&dir);
	return r;
}

int container_health_write(const struct container_place *place, const char *id, json_t *v)
{
	cleanup_free char *text = json_text(v);
	struct state_dir dir = STATE_DIR_NONE;
	int r = text ? state_open(place->root, id, false, &dir) : fail(ENOMEM, "keep what a health check said");

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = fd_replace_file(dir.fd, "health.json", text, strlen(text), 0600);
	state_close(&dir);
	return r;
}

json_t *container_health(const struct container_place *place, const char *id)
{
	struct state_dir dir = STATE_DIR_NONE;
	json_t *v = NULL;

	if (state_open(place->root, id, false, &dir) != 0)
		return NULL;
	if (json_read_at(dir.fd, "health.json", NULL, &v) < 0)
		v = NULL;
	state_close(&dir);
	return v;
}

/* Wait for the process, when it still is the one meant. Return: 0 when it has ended, PROC_TIMEOUT, or a recorded failure. */
static int process_wait(pid_t pid, uint64_t start, int timeout_ms)
{
	cleanup_fd int pidfd = -1;
	int r = pid > 0 ? proc_open(pid, start, &pidfd) : PROC_GONE;

	if (r == PROC_GONE)
		return 0;
	return r < 0 ? r : proc_wait_exit(pidfd, timeout_ms);
}

/* Return: 1 with the status, 0 when nothing is written there, or a recorded failure. */
static int exit_read(int fd, int *ret_status)
{
	cleanup_free char *text = NULL;
	cleanup_json json_t *v = NULL;
	json_t *status;
	size_t size = 0;
	int r;

	if (fd < 0)
		return 0;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "read the file 'exit'");
	r = fd_read_all(fd, 4096, &text, &size);
	if (r < 0)
		return fail(-r, "read the file 'exit'");
	if (size == 0)
		return 0;
	r = json_parse("exit", text, size, &v);
	if (r < 0)
		return r;
	status = json_object_get(v, "status");
	if (!json_is_integer(status) || json_integer_value(status) < 0 || json_integer_value(status) > 255)
		return fail_plain(EINVAL, "the file 'exit' holds no exit status");
	*ret_status = (int)json_integer_value(status);
	return 1;
}

static int wait_open(const struct state_dir *dir, const struct state *state, const char *id, int *ret_status)
{
	cleanup_fd int fd = openat(dir->fd, "exit", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = exit_read(fd, ret_status);

	if (r != 0 || state_is_stale(state))
		return r < 0 ? r : r > 0 ? 0 :
		       fail_plain(EINVAL, "container '%s' ended with the last boot, its exit status is not known", id);
	if (state->keeper_pid) {
		r = process_wait(state->keeper_pid, state->keeper_start, -1);
		if (r == 0)
			r = exit_read(fd, ret_status);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = process_wait(state->pid, state->pid_start, -1);
	if (r < 0)
		return r;
	return state->keeper_pid ?
		fail_plain(EINVAL, "the exit status of container '%s' is not known: its keeper was killed", id) :
		fail_plain(EINVAL, "the exit status of container '%s' is known only to the parent of its process "
			   "(it was not started by 'run -d')", id);
}

int container_wait(const struct container_place *place, const char *id, int *ret_status)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : CONTAINER_NOT_FOUND;
	r = wait_open(&dir, &state, id, ret_status);
	state_done(&state);
	state_close(&dir);
	return r;
}

static int wait_stopped(const struct container_place *place, const char *id, int timeout_ms, bool recorded)
{
	struct state_dir dir = STATE_DIR_NONE;
	struct state state = { .pid = 0 };
	int r = kept_open(place, id, false, &dir, &state);

	if (r != 0)
		return r < 0 ? r : CONTAINER_NOT_FOUND;
	state_close(&dir);
	if (!state_is_stale(&state)) {
		r = process_wait(state.pid, state.pid_start, timeout_ms);
		if (r == 0 && recorded)
			r = process_wait(state.keeper_pid, state.keeper_start, timeout_ms);
	}
	state_done(&state);
	return r == PROC_TIMEOUT ? CONTAINER_TIMEOUT : r;
}

int container_wait_stopped(const struct container_place *place, const char *id, int timeout_ms)
{
	return wait_stopped(place, id, timeout_ms, false);
}

int container_wait_process(const struct container_info *info, int timeout_ms)
{
	int r = process_wait(info->pid, info->pid_start, timeout_ms);

	return r == PROC_TIMEOUT ? CONTAINER_TIMEOUT : r;
}

int container_wait_recorded(const struct container_place *place, const char *id, int timeout_ms)
{
	return wait_stopped(place, id, timeout_ms, true);
}
