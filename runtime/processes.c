/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Read from /proc, or asked of the agent, whose /proc it is then. What a guest says is judged by a table like any file, and
 * is no more to be trusted than what a process calls itself.
 */
#include "runtime/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/kept.h"
#include "runtime/machine.h"

#define ROW(member) offsetof(struct process_row, member)

static const struct json_range not_negative = { 0, INT64_MAX };
static const struct json_range ids = { 0, UINT32_MAX };

static const struct json_field row_fields[] = {
	{ "pid", json_get_int, ROW(pid), JSON_REQUIRED, &not_negative, NULL },
	{ "parent", json_get_int, ROW(parent), JSON_REQUIRED, &not_negative, NULL },
	{ "uid", json_get_int, ROW(uid), JSON_REQUIRED, &ids, NULL },
	{ "seconds", json_get_int, ROW(seconds), JSON_REQUIRED, &not_negative, NULL },
	{ "state", json_get_string, ROW(state), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, NULL },
	{ "command", json_get_string, ROW(command), JSON_REQUIRED, NULL, NULL },
	{ .name = NULL },
};

static const struct json_items row_items = { .size = sizeof(struct process_row), .fields = row_fields };

static const struct json_field list_fields[] = {
	{ "processes", json_get_array, offsetof(struct processes, rows), JSON_REQUIRED, &row_items, NULL },
	{ .name = NULL },
};

static int stat_read(char *text, struct process_row *row)
{
	struct proc_stat stat;
	int r;

	if (proc_stat_parse(text, &stat) < 0)
		return fail_plain(EINVAL, "cannot make sense of /proc/%d/stat", (int)row->pid);
	row->parent = stat.parent;
	row->seconds = (int64_t)((stat.user_ticks + stat.system_ticks) / (uint64_t)sysconf(_SC_CLK_TCK));
	r = str_format(&row->state, "%c", stat.state);
	return r < 0 ? r : str_format(&row->command, "[%s]", stat.name);
}

/* The arguments with blanks between them; a kernel thread or a zombie has none, and is shown by its name. */
static int command_read(int proc, char **name)
{
	cleanup_fd int fd = fd_open_beneath(proc, "cmdline", O_RDONLY, 0);
	cleanup_free char *text = NULL;
	size_t size = 0;

	if (fd < 0 || fd_read_all(fd, 1024 * 1024, &text, &size) < 0 || size == 0)
		return 0;
	for (size_t i = 0; i + 1 < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return str_copy(name, text);
}

static void row_done(struct process_row *row)
{
	free(row->state);
	free(row->command);
}

/* Return: 1 when there is a row, 0 when the process has ended meanwhile, or a recorded failure. */
static int row_read(pid_t pid, struct process_row *row)
{
	char path[32];
	cleanup_free char *text = NULL;
	cleanup_fd int proc = -1;
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fstat(proc, &st) < 0 || fd_read_file(proc, "stat", &text) < 0)
		return 0;
	row->pid = pid;
	row->uid = st.st_uid;
	r = stat_read(text, row);
	if (r == 0)
		r = command_read(proc, &row->command);
	return r < 0 ? r : 1;
}

static int rows_read(const struct container_place *place, const char *id, struct processes *list)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = container_pids(place, id, &pids, &count);

	if (r < 0)
		return r;
	list->rows = calloc(count + 1, sizeof(*list->rows));
	if (!list->rows)
		return fail(ENOMEM, "list the processes");
	for (size_t i = 0; i < count; i++) {
		struct process_row row = { .pid = 0 };

		r = row_read(pids[i], &row);
		if (r <= 0)
			row_done(&row);
		if (r < 0)
			return r;
		if (r > 0)
			list->rows[list->count++] = row;
	}
	return 0;
}

static int rows_ask(const struct state_dir *dir, struct processes *list)
{
	cleanup_json json_t *question = json_pack("{s:b}", "processes", 1), *answer = NULL;
	int r = question ? machine_ask(dir, question, &answer) : fail(ENOMEM, "make a question");

	if (r == 0)
		r = processes_from_json(answer, list);
	list->guest = true;
	return r;
}

/* Return: 1 when the container is a machine that runs, with @ret_dir; 0 when it is none; or a recorded failure. */
static int machine_find(const struct container_place *place, const char *id, struct state_dir *ret_dir)
{
	cleanup_json json_t *v = NULL;
	struct state state = { .pid = 0 };
	enum container_status status;
	int r = kept_open(place, id, false, ret_dir, &state);

	if (r != 0)
		return r < 0 ? r : container_no_such(id);
	r = kept_json(ret_dir, &v);
	if (r == 0 && json_object_get(v, "vm")) {
		r = kept_status(&state, &status);
		if (r == 0)
			r = status == CONTAINER_RUNNING ? 1 :
				fail_plain(EINVAL, "container '%s' has no processes to be asked for: its virtual machine is %s",
					   id, container_status_name(status));
	}
	state_done(&state);
	return r;
}

int processes_list(const struct container_place *place, const char *id, struct processes *ret)
{
	struct state_dir dir = STATE_DIR_NONE;
	int r;

	*ret = (struct processes){ .rows = NULL };
	r = machine_find(place, id, &dir);
	if (r == 1)
		r = rows_ask(&dir, ret);
	else if (r == 0)
		r = rows_read(place, id, ret);
	state_close(&dir);
	if (r < 0)
		processes_done(ret);
	return r;
}

void processes_done(struct processes *list)
{
	for (size_t i = 0; i < list->count; i++)
		row_done(&list->rows[i]);
	free(list->rows);
	*list = (struct processes){ .rows = NULL };
}

/* Bytes that are no UTF-8 are no JSON either. */
static json_t *text_json(const char *text)
{
	json_t *v = json_string(text);
	char shown[4096];

	return v ? v : json_string(str_printable(shown, sizeof(shown), text));
}

json_t *processes_to_json(const struct processes *list)
{
	cleanup_json json_t *rows = json_array();

	for (size_t i = 0; rows && i < list->count; i++) {
		const struct process_row *row = &list->rows[i];

		if (json_array_append_new(rows, json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "pid", (json_int_t)row->pid, "parent",
							  (json_int_t)row->parent, "uid", (json_int_t)row->uid, "seconds",
							  (json_int_t)row->seconds, "state", text_json(row->state), "command",
							  text_json(row->command))) < 0)
			return NULL;
	}
	return rows ? json_pack("{s:O}", "processes", rows) : NULL;
}

int processes_from_json(json_t *v, struct processes *ret)
{
	struct processes list = { .rows = NULL };
	int r = json_object_read(&JSON_ROOT, v, list_fields, 0, &list);

	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (strlen(list.rows[i].state) != 1)
			r = fail_plain(EPROTO, "a process's state is one letter");
	if (r < 0) {
		processes_done(&list);
		return fail_in(r, "the virtual machine's answer");
	}
	*ret = list;
	return 0;
}
