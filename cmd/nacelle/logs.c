/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `logs`: what a detached container said, from its keeper's file; each stream to the same of ours. Following waits for
 * inotify(7) to say that the file grew, and for the keeper's end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"

struct logs_options {
	bool follow, timestamps;
	const char *tail;
};

const struct option_row logs_options[] = {
	{ "follow", 'f', OPTION_FLAG, offsetof(struct logs_options, follow), NULL, "go on until the container ends" },
	{ "tail", 'n', OPTION_STRING, offsetof(struct logs_options, tail), "NUMBER", "only the last lines, or all" },
	{ "timestamps", 't', OPTION_FLAG, offsetof(struct logs_options, timestamps), NULL, "the time in front of each line" },
	{ .name = NULL },
};


struct reader {
	FILE *file;
	bool timestamps;
	char *line;		/* of getline(3) */
	size_t room;
	bool said;		/* that a line makes no sense */
};

struct entry {
	char *log, *stream, *time;
};

static int entry_read(const char *line, size_t size, struct entry *ret)
{
	static const struct json_field fields[] = {
		{ "log", json_get_string, offsetof(struct entry, log), JSON_REQUIRED, NULL, NULL },
		{ "stream", json_get_string, offsetof(struct entry, stream), JSON_REQUIRED, NULL, NULL },
		{ "time", json_get_string, offsetof(struct entry, time), JSON_REQUIRED, NULL, NULL },
		{ .name = NULL },
	};
	cleanup_json json_t *v = NULL;
	int r = json_parse("the log", line, size, &v);

	return r < 0 ? r : json_object_read(&JSON_ROOT, v, fields, 0, ret);
}

static void entry_print(const struct reader *reader, const struct entry *e)
{
	FILE *to = str_eq(e->stream, "stderr") ? stderr : stdout;

	if (reader->timestamps)
		(void)fprintf(to, "%s ", e->time);
	(void)fputs(e->log, to);
}

/* Print the whole lines that are there; one that is not finished is left for later. Return: 0 or a recorded failure. */
static int lines_print(struct reader *reader)
{
	off_t start = ftello(reader->file);
	ssize_t n;

	while ((n = getline(&reader->line, &reader->room, reader->file)) > 0) {
		struct entry e = { .log = NULL };

		if (reader->line[n - 1] != '\n')
			break;
		if (entry_read(reader->line, (size_t)n, &e) == 0) {
			entry_print(reader, &e);
		} else if (!reader->said) {
			log_warn("%s, ignoring such lines", fail_text());
			reader->said = true;
		}
		free(e.log);
		free(e.stream);
		free(e.time);
		start += n;
	}
	(void)fflush(stdout);
	clearerr(reader->file);
	/* A failure to write is main()'s to report; here it ends the following. */
	if (ferror(stdout))
		return fail_plain(EPIPE, "write to standard output: nobody reads it any more");
	return fseeko(reader->file, start, SEEK_SET) < 0 ? fail(errno, "read the log") : 0;
}

/* Move to the last @count lines, a block at a time from the end. */
static int tail_seek(FILE *file, uint64_t count)
{
	char block[4096];
	off_t at;

	if (fseeko(file, 0, SEEK_END) < 0)
		return fail(errno, "read the log");
	at = ftello(file);
	/* one newline more than lines: the last ends with one */
	for (count++; at > 0; ) {
		size_t n = at < (off_t)sizeof(block) ? (size_t)at : sizeof(block);

		at -= (off_t)n;
		if (pread(fileno(file), block, n, at) != (ssize_t)n)
			return fail(errno, "read the log");
		while (n > 0)
			if (block[--n] == '\n' && --count == 0)
				return fseeko(file, at + (off_t)n + 1, SEEK_SET) < 0 ? fail(errno, "read the log") : 0;
	}
	return fseeko(file, 0, SEEK_SET) < 0 ? fail(errno, "read the log") : 0;
}

/* Until the keeper has ended; what it wrote last is there by then. */
static int follow(struct reader *reader, const char *path, const struct container_info *info)
{
	cleanup_fd int keeper = info->keeper_pid > 0 && !info->exit_known ? pidfd_open(info->keeper_pid, 0) : -1;
	cleanup_fd int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd wait[] = { { .fd = keeper, .events = POLLIN }, { .fd = changes, .events = POLLIN } };
	char events[4096];
	int r = 0;

	if (keeper < 0)
		return lines_print(reader);
	if (changes < 0 || inotify_add_watch(changes, path, IN_MODIFY) < 0)
		return fail(errno, "watch the log '%s'", path);
	while (r == 0 && !wait[0].revents) {
		r = lines_print(reader);
		if (r == 0 && poll(wait, ARRAY_SIZE(wait), -1) < 0 && errno != EINTR)
			r = fail(errno, "wait for the log");
		if (wait[1].revents)
			(void)!read(changes, events, sizeof(events));
	}
	return r < 0 ? r : lines_print(reader);
}

static int log_print(const struct logs_options *o, uint64_t tail, const struct container_info *info)
{
	struct reader reader = { .timestamps = o->timestamps };
	int fd = open(info->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), r = 0;

	/* Of one whose terminal was not left to a keeper there is none yet. */
	if (fd < 0 && errno == ENOENT)
		return 0;
	reader.file = fd < 0 ? NULL : fdopen(fd, "re");
	if (!reader.file)
		return fail(errno, "open the log '%s'", info->log);
	if (tail != UINT64_MAX)
		r = tail_seek(reader.file, tail);
	if (r == 0)
		r = o->follow ? follow(&reader, info->log, info) : lines_print(&reader);
	free(reader.line);
	(void)fclose(reader.file);
	return r;
}

int cmd_logs(const struct globals *globals, int argc, char **argv)
{
	struct logs_options o = { .tail = "all" };
	struct container_info info;
	struct operands operands;
	uint64_t tail = UINT64_MAX;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!str_eq(o.tail, "all") && str_to_u64(o.tail, UINT32_MAX, &tail) < 0)
		return usage_fail(globals->command, "--tail: '%s' is neither a number nor 'all'", o.tail);
	r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	r = info.log ? log_print(&o, tail, &info) :
		       fail_plain(EINVAL, "container '%s' has no log: it was not started by 'run --detach'",
				  operands.items[0]);
	container_info_done(&info);
	return r;
}
