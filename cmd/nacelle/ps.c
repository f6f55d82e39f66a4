/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `ps`: the processes of a container as the host sees them, read from /proc. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"

struct ps_options {
	const char *format;
};

const struct option_row ps_options[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct ps_options, format), "FORMAT", "table or json" },
	{ .name = NULL },
};

enum { COLUMNS = 6 };

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

static int row_add(struct str_list *cells, pid_t pid, const struct proc_stat *p, const char *name, uid_t uid)
{
	uint64_t seconds = (p->user_ticks + p->system_ticks) / (uint64_t)sysconf(_SC_CLK_TCK);
	cleanup_free char *user = NULL;
	int r = user_name(uid, &user);

	if (r == 0)
		r = str_list_addf(cells, "%d", (int)pid);
	if (r == 0)
		r = str_list_addf(cells, "%d", (int)p->parent);
	if (r == 0)
		r = user ? str_list_add(cells, user) : str_list_addf(cells, "%u", uid);
	if (r == 0)
		r = str_list_addf(cells, "%c", p->state);
	if (r == 0)
		r = str_list_addf(cells, "%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600, seconds / 60 % 60,
				  seconds % 60);
	return r < 0 ? r : str_list_add(cells, name);
}

/* A process that has ended meanwhile is none. */
static int process_add(struct str_list *cells, pid_t pid)
{
	char path[32];
	cleanup_free char *text = NULL, *name = NULL;
	struct proc_stat p;
	cleanup_fd int proc = -1;
	struct stat st;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fstat(proc, &st) < 0 || fd_read_file(proc, "stat", &text) < 0)
		return 0;
	if (proc_stat_parse(text, &p) < 0)
		return fail_plain(EINVAL, "cannot make sense of /proc/%d/stat", (int)pid);
	r = str_format(&name, "[%s]", p.name);
	if (r == 0)
		r = command_read(proc, &name);
	return r < 0 ? r : row_add(cells, pid, &p, name, st.st_uid);
}

static int print_table(const pid_t *pids, size_t count)
{
	static const char *const headings[COLUMNS] = { "PID", "PPID", "USER", "STAT", "TIME", "COMMAND" };
	struct str_list cells = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < COLUMNS; i++)
		r = str_list_add(&cells, headings[i]);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = process_add(&cells, pids[i]);
	if (r == 0)
		output_table(&cells, COLUMNS);
	str_list_done(&cells);
	return r;
}

static int print_json(const pid_t *pids, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++)
		if (json_array_append_new(list, json_integer(pids[i])) < 0) {
			json_decref(list);
			list = NULL;
		}
	return output_json(list);
}

int cmd_ps(const struct globals *globals, int argc, char **argv)
{
	struct ps_options o = { .format = "table" };
	struct operands operands;
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = format_check(globals->command, o.format);
	if (r == 0)
		r = container_pids(&globals->place, operands.items[0], &pids, &count);
	if (r < 0)
		return r;
	return str_eq(o.format, "json") ? print_json(pids, count) : print_table(pids, count);
}
