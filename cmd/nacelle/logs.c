/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `logs`: what a detached container said, from its keeper's files; each stream to the same of ours. Following waits for
 * inotify(7) to say that something in the log's folder has changed, and for the keeper's end: a restart is no end.
 */
#include "cmd/nacelle/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/logs-files.h"
#include "cmd/nacelle/stack.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/log.h"
#include "runtime/base/moment.h"
#include "runtime/spec-service.h"

struct logs_options {
	bool follow, timestamps;
	const char *tail, *since, *until;
};

#define LOGS(member) offsetof(struct logs_options, member)

const struct option_row logs_options[] = {
	{ "follow", 'f', OPTION_FLAG, LOGS(follow), NULL, "go on until the container ends for good" },
	{ "tail", 'n', OPTION_STRING, LOGS(tail), "NUMBER", "only the last lines, or all" },
	{ "since", 0, OPTION_STRING, LOGS(since), "TIME", "only later lines; a time, or how long ago: 10m" },
	{ "until", 0, OPTION_STRING, LOGS(until), "TIME", "only earlier lines" },
	{ "timestamps", 't', OPTION_FLAG, LOGS(timestamps), NULL, "the time in front of each line" },
	{ .name = NULL },
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

void entry_print(struct reader *reader, const struct entry *e)
{
	FILE *to = str_eq(e->stream, "stderr") ? stderr : stdout;

	if (*reader->until && strcmp(e->time, reader->until) > 0)
		reader->done = true;
	if (reader->done || strcmp(e->time, reader->since) < 0)
		return;
	if (reader->timestamps)
		(void)fprintf(to, "%s ", e->time);
	(void)fputs(e->log, to);
}

/* Print the whole lines that are there; one that is not finished is left for later. Return: 0 or a recorded failure. */
static int lines_print(struct reader *reader)
{
	off_t start = ftello(reader->file);
	ssize_t n;

	while (!reader->done && (n = getline(&reader->line, &reader->room, reader->file)) > 0) {
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

/* A log of one file alone is emptied when it is full. */
static void emptied_notice(struct reader *reader)
{
	struct stat st;

	if (fstat(fileno(reader->file), &st) == 0 && st.st_size < ftello(reader->file))
		rewind(reader->file);
}

/* One after the other; the last stays open. @r: a failure that came before them. Return: @r, 0 or a recorded failure. */
static int files_print(struct reader *reader, struct log_files *files, int r)
{
	for (size_t i = 0; r == 0 && i < files->count; i++) {
		if (reader->file)
			(void)fclose(reader->file);
		reader->file = files->items[i];
		files->items[i] = NULL;
		r = lines_print(reader);
	}
	log_files_close(files);
	return r;
}

/* Read on in the files that have come since; usually there are none. Return: 0 or a recorded failure. */
static int newer_print(struct reader *reader)
{
	struct log_files files = { .items = NULL };
	struct stat st = { .st_ino = 0 };
	int r;

	if (reader->file && fstat(fileno(reader->file), &st) < 0)
		return fail(errno, "read the log");
	r = log_files_open(reader->folder, st.st_ino, &files);
	/* What it got last, before it was put aside. */
	if (r == 0 && files.count > 0 && reader->file)
		r = lines_print(reader);
	return files_print(reader, &files, r);
}

static int all_print(struct reader *reader)
{
	int r = 0;

	if (reader->file) {
		emptied_notice(reader);
		r = lines_print(reader);
	}
	return r < 0 ? r : newer_print(reader);
}

int reader_time_left(const struct reader *reader)
{
	struct timespec now;
	int64_t ms;

	if (!*reader->until)
		return -1;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ms = (int64_t)(reader->end.tv_sec - now.tv_sec) * 1000 + (reader->end.tv_nsec - now.tv_nsec) / 1000000;
	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Until the keeper has ended; what it wrote last is there by then. */
static int follow(struct reader *reader, const char *folder, const struct container_info *info)
{
	cleanup_fd int keeper = info->keeper_pid > 0 && !info->exit_known ? pidfd_open(info->keeper_pid, 0) : -1;
	cleanup_fd int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd wait[] = { { .fd = keeper, .events = POLLIN }, { .fd = changes, .events = POLLIN } };
	char events[4096];
	int r = 0;

	if (keeper < 0)
		return all_print(reader);
	if (changes < 0 || inotify_add_watch(changes, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return fail(errno, "watch the log's folder '%s'", folder);
	while (r == 0 && !wait[0].revents && !reader->done) {
		r = all_print(reader);
		if (r == 0 && poll(wait, ARRAY_SIZE(wait), reader_time_left(reader)) < 0 && errno != EINTR)
			r = fail(errno, "wait for the log");
		if (wait[1].revents)
			(void)!read(changes, events, sizeof(events));
		if (reader_time_left(reader) == 0)
			break;
	}
	return r < 0 ? r : all_print(reader);
}

/* The files that are there, from the place that --tail wants. */
static int begin_print(struct reader *reader, uint64_t tail)
{
	struct log_files files = { .items = NULL };
	int r = log_files_open(reader->folder, 0, &files);

	if (r == 0 && tail != UINT64_MAX)
		r = log_files_tail(&files, tail);
	return files_print(reader, &files, r);
}

static int log_print(struct reader *reader, bool follows, uint64_t tail, const struct container_info *info)
{
	cleanup_free char *folder = strndup(info->log, (size_t)(strrchr(info->log, '/') - info->log));
	int r;

	if (!folder)
		return fail(ENOMEM, "read the log");
	reader->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Of one whose terminal was not left to a keeper there is none yet. */
	if (reader->folder < 0)
		return errno == ENOENT ? 0 : fail(errno, "open the log's folder '%s'", folder);
	r = begin_print(reader, tail);
	if (r == 0 && follows && !reader->done)
		r = follow(reader, folder, info);
	if (reader->file)
		(void)fclose(reader->file);
	free(reader->line);
	(void)close(reader->folder);
	return r;
}

static int bound_read(const struct globals *globals, const char *name, const char *text, char bound[MOMENT_SIZE], struct timespec *ret)
{
	struct timespec now, moment;

	bound[0] = '\0';
	if (!text)
		return 0;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (moment_read(text, &now, &moment) < 0)
		return usage_fail(globals->command, "--%s: '%s' is neither a time, as 2026-01-31T12:00:00Z is, nor how long ago, as 10m is",
				  name, text);
	moment_text(&moment, bound);
	*ret = moment;
	return 0;
}

static int log_check(const char *id, const struct container_info *info, enum service_log_driver *ret_driver)
{
	struct service service;
	int r = service_read(&info->annotations, &service);

	if (r == 0 && !info->log)
		r = fail_plain(EINVAL, "container '%s' has no log: it was not started by 'run --detach'", id);
	else if (r == 0 && service.log_driver == LOG_DRIVER_NONE)
		r = fail_plain(EINVAL, "container '%s' has no log: it was started with the log driver 'none'", id);
	*ret_driver = service.log_driver;
	service_done(&service);
	return r;
}

/* What is for each container of a stack. */
static int of_stack(const struct globals *globals, const struct operands *operands, const struct logs_options *o)
{
	struct str_list flags = { .items = NULL };
	int r = str_list_addf(&flags, "--tail=%s", o->tail);

	if (r == 0 && o->since)
		r = str_list_addf(&flags, "--since=%s", o->since);
	if (r == 0 && o->until)
		r = str_list_addf(&flags, "--until=%s", o->until);
	if (r == 0)
		r = stack_logs(globals, operands, &flags, o->follow, o->timestamps);
	str_list_done(&flags);
	return r;
}

int cmd_logs(const struct globals *globals, int argc, char **argv)
{
	struct logs_options o = { .tail = "all" };
	struct reader reader = { .folder = -1 };
	enum service_log_driver driver;
	struct container_info info;
	struct operands operands;
	struct timespec since;
	uint64_t tail = UINT64_MAX;
	int r = options_parse(globals->command, argc, argv, 1, SIZE_MAX, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!str_eq(o.tail, "all") && str_to_u64(o.tail, UINT32_MAX, &tail) < 0)
		return usage_fail(globals->command, "--tail: '%s' is neither a number nor 'all'", o.tail);
	reader.timestamps = o.timestamps;
	r = bound_read(globals, "since", o.since, reader.since, &since);
	if (r == 0)
		r = bound_read(globals, "until", o.until, reader.until, &reader.end);
	if (r == 0 && stack_is_meant(globals, operands.items[0]))
		return of_stack(globals, &operands, &o);
	if (r == 0 && operands.count > 1)
		r = usage_fail(globals->command, "'%s' is a container: nothing goes behind it", operands.items[0]);
	if (r == 0)
		r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	r = log_check(operands.items[0], &info, &driver);
	if (r == 0)
		r = (driver == LOG_DRIVER_JOURNALD ? journal_print : log_print)(&reader, o.follow, tail, &info);
	container_info_done(&info);
	return r;
}
