/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record itself, as JSON: one table of fields reads it, one json_pack writes it. The folder belongs to
 * us alone, but a record is judged like any other input: a corrupt one is a failure, never a guess.
 */
#include "runtime/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/moment.h"

static const struct json_name phase_names[] = {
	{ "creating", PHASE_CREATING },
	{ "created", PHASE_CREATED },
	{ "running", PHASE_RUNNING },
	{ NULL, 0 },
};

/* As read: numbers in JSON's width, the boot id of any length. */
struct record {
	int64_t version, pid, keeper_pid;
	int64_t pid_start, keeper_start;
	int phase;
	char *boot_id;
	struct state state;
};

#define AT(member) offsetof(struct record, member)

static const struct json_range pid_range = { 0, INT32_MAX };
static const struct json_range time_range = { 0, INT64_MAX };
static const struct json_range version_range = { 1, INT32_MAX };

static const struct json_field record_fields[] = {
	{ "version", json_get_int, AT(version), JSON_REQUIRED, &version_range, NULL },
	{ "id", json_get_string, AT(state.id), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "ociVersion", json_get_string, AT(state.oci_version), JSON_REQUIRED, NULL, NULL },
	{ "phase", json_get_enum, AT(phase), JSON_REQUIRED, phase_names, NULL },
	{ "bootId", json_get_string, AT(boot_id), JSON_REQUIRED, NULL, NULL },
	{ "pid", json_get_int, AT(pid), JSON_OPTIONAL, &pid_range, NULL },
	{ "pidStart", json_get_int, AT(pid_start), JSON_OPTIONAL, &time_range, NULL },
	{ "keeperPid", json_get_int, AT(keeper_pid), JSON_OPTIONAL, &pid_range, NULL },
	{ "keeperStart", json_get_int, AT(keeper_start), JSON_OPTIONAL, &time_range, NULL },
	{ "bundle", json_get_string, AT(state.bundle), JSON_REQUIRED, NULL, NULL },
	{ "rootfs", json_get_string, AT(state.rootfs), JSON_OPTIONAL, NULL, NULL },
	{ "cgroupPath", json_get_string, AT(state.cgroup_path), JSON_ABSOLUTE, NULL, NULL },
	{ "cgroupUnit", json_get_string, AT(state.cgroup_unit), JSON_NOT_EMPTY, NULL, NULL },
	{ "cgroupMade", json_get_bool, AT(state.cgroup_made), JSON_OPTIONAL, NULL, NULL },
	{ "removeAtExit", json_get_bool, AT(state.remove_at_exit), JSON_OPTIONAL, NULL, NULL },
	{ "openStdin", json_get_bool, AT(state.open_stdin), JSON_OPTIONAL, NULL, NULL },
	{ "poststopOwed", json_get_bool, AT(state.poststop_owed), JSON_OPTIONAL, NULL, NULL },
	{ "resctrlOwed", json_get_bool, AT(state.resctrl_owed), JSON_OPTIONAL, NULL, NULL },
	{ "created", json_get_string, AT(state.created), JSON_REQUIRED, NULL, NULL },
	{ "imageStore", json_get_string, AT(state.image_store), JSON_ABSOLUTE, NULL, NULL },
	{ "volumes", json_get_strings, AT(state.volumes), JSON_NOT_EMPTY, NULL, NULL },
	{ "volumesGo", json_get_bool, AT(state.volumes_go), JSON_OPTIONAL, NULL, NULL },
	{ "log", json_get_string, AT(state.log), JSON_ABSOLUTE, NULL, NULL },
	{ "annotations", json_get_map, AT(state.annotations), JSON_OPTIONAL, NULL, NULL },
	{ .name = NULL },
};

/* NULL: none, which most have. */
static json_t *volumes_json(const struct str_list *list)
{
	json_t *v = list->count ? json_array() : NULL;

	for (size_t i = 0; v && i < list->count; i++)
		(void)json_array_append_new(v, json_string(list->items[i]));
	return v;
}

int state_write(const struct state_dir *dir, const struct state *state)
{
	cleanup_json json_t *v = json_pack(
		"{si ss ss ss ss si sI si sI ss ss* ss* ss* sb sb sb sb sb ss ss* ss* so* sb so}", "version", STATE_VERSION, "id",
		state->id, "ociVersion", state->oci_version, "phase", phase_names[state->phase].name,
		"bootId", state->boot_id, "pid", (int)state->pid, "pidStart", (json_int_t)state->pid_start,
		"keeperPid", (int)state->keeper_pid, "keeperStart", (json_int_t)state->keeper_start,
		"bundle", state->bundle, "rootfs", state->rootfs, "cgroupPath", state->cgroup_path,
		"cgroupUnit", state->cgroup_unit,
		"cgroupMade", state->cgroup_made, "removeAtExit", state->remove_at_exit, "openStdin", state->open_stdin, "poststopOwed",
		state->poststop_owed, "resctrlOwed", state->resctrl_owed, "created", state->created, "log", state->log,
		"imageStore", state->image_store, "volumes", volumes_json(&state->volumes), "volumesGo", state->volumes_go,
		"annotations",
		json_of_map(&state->annotations));
	cleanup_free char *text = v ? json_text(v) : NULL;

	if (!text)
		return fail(ENOMEM, "write the record of '%s'", state->id);
	return fd_replace_file(dir->fd, "state.json", text, strlen(text), 0600);
}

static int record_take(struct record *record)
{
	if (record->version > STATE_VERSION)
		return fail_plain(EINVAL, "version %lld is newer than this nacelle knows (%d)",
				  (long long)record->version, STATE_VERSION);
	if (strlen(record->boot_id) >= sizeof(record->state.boot_id))
		return fail_plain(EINVAL, "bootId: is too long");
	(void)strcpy(record->state.boot_id, record->boot_id);
	record->state.phase = (enum state_phase)record->phase;
	record->state.pid = (pid_t)record->pid;
	record->state.pid_start = (uint64_t)record->pid_start;
	record->state.keeper_pid = (pid_t)record->keeper_pid;
	record->state.keeper_start = (uint64_t)record->keeper_start;
	return 0;
}

int state_read(const struct state_dir *dir, struct state *ret_state)
{
	struct record record = { .phase = PHASE_CREATING };
	cleanup_json json_t *v = NULL;
	int r;

	if (faccessat(dir->fd, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return STATE_NOT_FOUND;
	r = json_read_at(dir->fd, "state.json", NULL, &v);
	if (r < 0)
		return r;
	r = json_object_read(&JSON_ROOT, v, record_fields, 0, &record);
	if (r == 0)
		r = record_take(&record);
	free(record.boot_id);
	if (r < 0) {
		r = fail_in(r, "state.json");
		state_done(&record.state);
		return r;
	}
	*ret_state = record.state;
	return 0;
}

int state_mark_take(const struct state_dir *dir, struct state_mark *ret)
{
	struct stat st;

	if (fstatat(dir->fd, "state.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(errno, "look at the container's record");
	*ret = (struct state_mark){ .inode = st.st_ino, .changed = st.st_ctim };
	return 0;
}

bool state_mark_is(const struct state_dir *dir, const struct state_mark *mark)
{
	struct stat st;

	/* The number may be another file's by now, but not with the same moment. */
	return fstatat(dir->fd, "state.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == mark->inode &&
	       st.st_ctim.tv_sec == mark->changed.tv_sec && st.st_ctim.tv_nsec == mark->changed.tv_nsec;
}

bool state_is_readable(const struct state_dir *dir)
{
	cleanup_fd int fd = openat(dir->fd, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char piece[4096];
	struct stat st = { .st_mode = 0 };
	ssize_t n;

	/* A link, a folder, a pipe: certainly not what we wrote. */
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO;
	if (fstat(fd, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode))
		return true;
	do
		n = read(fd, piece, sizeof(piece));
	while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

void state_done(struct state *state)
{
	free(state->id);
	free(state->bundle);
	free(state->rootfs);
	free(state->oci_version);
	free(state->cgroup_path);
	free(state->cgroup_unit);
	free(state->created);
	free(state->log);
	free(state->image_store);
	str_list_done(&state->annotations);
	str_list_done(&state->volumes);
	*state = (struct state){ .pid = 0 };
}

static json_t *oci_json(const struct state *state, const char *status, pid_t pid)
{
	return json_pack("{ss ss ss si ss so}", "ociVersion", state->oci_version, "id", state->id, "status", status,
			 "pid", (int)pid, "bundle", state->bundle, "annotations", json_of_map(&state->annotations));
}

char *state_oci_text(const struct state *state, const char *status, pid_t pid)
{
	cleanup_json json_t *v = oci_json(state, status, pid);

	return v ? json_text(v) : NULL;
}

char *state_process_text(const struct state *state, pid_t pid, const char *metadata)
{
	bool first = state->pid == 0 || state->pid == pid;
	cleanup_json json_t *v = json_pack("{ss s[s] si ss* so}", "ociVersion", state->oci_version, "fds", "seccompFd",
					   "pid", (int)pid, "metadata", metadata, "state",
					   oci_json(state, first ? "creating" : "running", first ? pid : state->pid));

	return v ? json_text(v) : NULL;
}

bool state_is_stale(const struct state *state)
{
	char now[PROC_BOOT_ID_SIZE];

	return proc_boot_id(now) == 0 && !str_eq(now, state->boot_id);
}

char *state_now(void)
{
	char *copy = NULL, text[MOMENT_SIZE];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	moment_text(&now, text);
	return str_copy(&copy, text) < 0 ? NULL : copy;
}
