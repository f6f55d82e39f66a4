/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal is read by journalctl(1), which knows its files; its JSON becomes our entries. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/lines.h"
#include "cmd/nacelle/logs.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/base/spawn.h"
#include "runtime/base/str.h"

/* How long journald may take with what the keeper sent last. */
enum { GRACE_MS = 500 };

/* Bytes that are no UTF-8 come as numbers. Return: malloc'ed, or NULL. */
static char *message_text(const json_t *v)
{
	char *text;
	size_t n = json_array_size(v);

	if (json_is_string(v))
		return strdup(json_string_value(v));
	text = malloc(n + 1);
	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)json_integer_value(json_array_get(v, i));
	text[n] = '\0';
	return text;
}

/* Return: 0, 1 when all that was asked for is printed, or a recorded failure. */
static int line_print(char *line, size_t size, void *data)
{
	struct reader *reader = data;
	char time[MOMENT_SIZE], out[] = "stdout", err[] = "stderr";
	cleanup_json json_t *v = NULL;
	cleanup_free char *text = NULL, *log = NULL;
	const char *priority, *stamp;
	uint64_t us;
	int r = json_parse("the journal", line, size, &v);

	if (r < 0)
		return r;
	priority = json_string_value(json_object_get(v, "PRIORITY"));
	stamp = json_string_value(json_object_get(v, "__REALTIME_TIMESTAMP"));
	if (!stamp || str_to_u64(stamp, INT64_MAX, &us) < 0)
		return fail_plain(EINVAL, "a line of the journal has no time");
	text = message_text(json_object_get(v, "MESSAGE"));
	if (!text)
		return fail(ENOMEM, "read the journal");
	r = str_format(&log, "%s%s", text, json_object_get(v, "CONTAINER_PARTIAL_MESSAGE") ? "" : "\n");
	if (r < 0)
		return r;
	moment_text(&(struct timespec){ .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 }, time);
	entry_print(reader, &(struct entry){ .log = log, .stream = priority && str_eq(priority, "3") ? err : out, .time = time });
	return reader->done;
}

/* Until journalctl has no more, or, following, until the keeper has ended and what it sent last is there. */
static int stream_print(struct reader *reader, int fd, int keeper)
{
	struct pollfd wait[] = { { .fd = fd, .events = POLLIN }, { .fd = keeper, .events = POLLIN } };
	struct lines lines = { .data = NULL };
	int r = LINES_MORE;

	while (r > 0 && !reader->done) {
		int timeout = wait[1].fd < 0 && keeper >= 0 ? GRACE_MS : reader_time_left(reader), n;

		n = poll(wait, ARRAY_SIZE(wait), timeout);
		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			r = fail(errno, "wait for the journal");
		if (n > 0 && wait[1].revents)
			wait[1].fd = -1;
		if (n > 0 && wait[0].revents)
			r = lines_read(&lines, fd, line_print, reader);
		if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
			r = fail_plain(EPIPE, "write to standard output: nobody reads it any more");
	}
	free(lines.data);
	return r < 0 ? r : 0;
}

/* Another container may have had the name before: nothing from before this one was made. */
static struct timespec bound_created(struct reader *reader, const struct container_info *info)
{
	struct timespec now = { .tv_sec = 0 }, created = { .tv_sec = 0 };
	char text[MOMENT_SIZE];

	(void)moment_read(info->created, &now, &created);
	moment_text(&created, text);
	if (strcmp(reader->since, text) < 0)
		memcpy(reader->since, text, sizeof(text));
	return created;
}

static int arguments(const struct timespec *created, const struct container_info *info, bool follows, uint64_t tail,
		     struct str_list *args)
{
	int r = str_list_add(args, "journalctl");

	/* With --since, --lines would count from there on. */
	if (r == 0 && tail == UINT64_MAX)
		r = str_list_addf(args, "--since=@%lld", (long long)created->tv_sec);
	if (r == 0)
		r = str_list_add(args, "--quiet");
	if (r == 0)
		r = str_list_add(args, "--output=json");
	/* longer messages would be null otherwise */
	if (r == 0)
		r = str_list_add(args, "--all");
	if (r == 0 && follows)
		r = str_list_add(args, "--follow");
	if (r == 0 && tail != UINT64_MAX)
		r = str_list_addf(args, "--lines=%" PRIu64, tail);
	else if (r == 0)
		r = str_list_add(args, follows ? "--no-tail" : "--no-pager");
	if (r == 0)
		r = str_list_addf(args, "CONTAINER_ID_FULL=%s", info->id);
	return r;
}

static int journalctl_start(char **args, pid_t *ret_pid, int *ret_fd)
{
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	r = spawn(args, (int[]){ SPAWN_SAME, ends[1] }, 2, ret_pid);
	(void)close(ends[1]);
	if (r < 0) {
		(void)close(ends[0]);
		return fail(-r, "run 'journalctl' (Debian's package systemd)");
	}
	*ret_fd = ends[0];
	return 0;
}

int journal_print(struct reader *reader, bool follows, uint64_t tail, const struct container_info *info)
{
	cleanup_fd int keeper = follows && info->keeper_pid > 0 && !info->exit_known ? pidfd_open(info->keeper_pid, 0) : -1;
	struct str_list args = { .items = NULL };
	cleanup_fd int fd = -1;
	pid_t pid = 0;
	struct timespec created = bound_created(reader, info);
	/* of one that has ended there is nothing to wait for */
	int r = arguments(&created, info, keeper >= 0, tail, &args), ended;

	if (r == 0)
		r = journalctl_start(args.items, &pid, &fd);
	str_list_done(&args);
	if (r < 0)
		return r;
	r = stream_print(reader, fd, keeper);
	if (keeper >= 0 || reader->done || r < 0)
		(void)kill(pid, SIGTERM);
	ended = proc_reap(pid);
	if (r == 0 && keeper < 0 && !reader->done && ended > 0)
		r = fail_plain(EINVAL, "'journalctl' ended with status %d", ended);
	return r;
}
