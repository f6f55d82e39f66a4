/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `healthcheck`: run a container's check once, as one more process in it. The keeper does that with --record, and takes
 * the exit status for its result.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "runtime/base/clock.h"
#include "runtime/base/json.h"
#include "runtime/base/proc.h"
#include "runtime/service/keeper.h"
#include "runtime/spec-service.h"
#include "runtime/spec.h"

/* As docker has them; "not now" is for the keeper: it is paused, or has just ended. */
enum { HEALTHY = 0, UNHEALTHY = 1, NOT_NOW = 3, OUTPUT_MAX = 4096 };

struct health_options {
	bool record;
};

const struct option_row healthcheck_options[] = {
	{ "record", 0, OPTION_FLAG, offsetof(struct health_options, record), NULL, "keep the output for 'state' rather than print it" },
	{ .name = NULL },
};

struct outcome {
	int status;		/* exit status of the check, or of why it could not run */
	bool timed_out;
	char start[KEEPER_TIME_SIZE];
	char output[OUTPUT_MAX + 1];
	size_t size;
};

static int process_make(const struct globals *globals, const char *id, const struct service_health *h, json_t **ret_json,
			struct spec_process *ret)
{
	cleanup_json json_t *v = NULL, *args = json_array();
	int r = args ? container_process_json(&globals->place, id, &v) : fail(ENOMEM, "make the process");

	for (size_t i = 0; r == 0 && i < h->args.count; i++)
		if (json_array_append_new(args, json_string(h->args.items[i])) < 0)
			r = fail(ENOMEM, "make the process");
	if (r == 0 && (json_object_set(v, "args", args) < 0 || json_object_set_new(v, "terminal", json_false()) < 0))
		r = fail(ENOMEM, "make the process");
	if (r == 0)
		r = spec_process_read(v, ret);
	if (r == 0)
		*ret_json = steal_ptr(&v);
	return r;
}

/* What does not fit is read, and dropped. Return: whether there may be more. */
static bool output_read(int fd, struct outcome *o)
{
	char rest[1024];
	size_t room = OUTPUT_MAX - o->size;
	ssize_t n = read(fd, room ? o->output + o->size : rest, room ? room : sizeof(rest));

	if (n > 0 && room)
		o->size += (size_t)n;
	return n > 0 || (n < 0 && errno == EINTR);
}

/* The check and what it started, as far as that did not make a group of its own. It is our child: its number is its own. */
static void check_kill(const struct container_child *child)
{
	(void)kill(-child->pid, SIGKILL);
	(void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
}

static int check_await(const struct container_child *child, int output, int64_t timeout, struct outcome *o)
{
	int64_t end = clock_ms() + timeout;
	struct pollfd wait[] = { { .fd = child->pidfd, .events = POLLIN }, { .fd = output, .events = POLLIN } };

	while (!wait[0].revents) {
		int64_t left = end - clock_ms();

		if (left <= 0 && !o->timed_out) {
			o->timed_out = true;
			check_kill(child);
		}
		if (poll(wait, ARRAY_SIZE(wait), o->timed_out ? -1 : left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
			return fail(errno, "wait for the health check");
		if (wait[1].revents && !output_read(output, o))
			wait[1].fd = -1;
	}
	(void)fcntl(output, F_SETFL, O_NONBLOCK);
	while (output_read(output, o))
		;
	return proc_reap(child->pid);
}

/* A program that is not there, say, is an outcome too. */
static void outcome_failed(struct outcome *o)
{
	int n = snprintf(o->output, sizeof(o->output), "%s", fail_text());

	o->status = fail_status();
	o->size = n < 0 ? 0 : (size_t)n < sizeof(o->output) ? (size_t)n : sizeof(o->output) - 1;
}

static int check_run(const struct globals *globals, const char *id, const struct service_health *h, struct outcome *o)
{
	struct spec_process process = { .terminal = false };
	struct container_child child = CONTAINER_CHILD_NONE;
	cleanup_json json_t *json = NULL;
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY), output = -1, theirs = -1;
	int ends[2], r = process_make(globals, id, h, &json, &process);

	if (r == 0 && (null < 0 || pipe2(ends, O_CLOEXEC) < 0))
		r = fail(errno, "make the streams of a health check");
	if (r < 0) {
		spec_process_done(&process);
		return r;
	}
	output = ends[0];
	theirs = ends[1];
	r = container_exec(&globals->place, id, &process,
			   &(struct exec_options){ .stdio = { null, theirs, theirs }, .json = json }, &child);
	(void)close(theirs);
	theirs = -1;
	if (r == 0)
		r = check_await(&child, output, h->timeout, o);
	if (r < 0)
		outcome_failed(o);
	else
		o->status = r;
	container_child_done(&child);
	spec_process_done(&process);
	return 0;
}

/* Bytes that are no text are for nobody's JSON. */
static json_t *outcome_text(const struct outcome *o)
{
	cleanup_free char *shown = malloc(4 * OUTPUT_MAX + 16);
	json_t *v = json_stringn(o->output, o->size);

	return v || !shown ? v : json_string(str_printable(shown, 4 * OUTPUT_MAX + 16, o->output));
}

static int outcome_record(const struct globals *globals, const char *id, const struct outcome *o)
{
	char end[KEEPER_TIME_SIZE];
	cleanup_json json_t *v = NULL;

	keeper_time(end);
	v = json_pack("{s:i, s:b, s:s, s:s, s:o}", "exitStatus", o->status, "timedOut", o->timed_out, "start", o->start,
		      "end", end, "output", outcome_text(o));
	return v ? container_health_write(&globals->place, id, v) : fail(ENOMEM, "keep what a health check said");
}

static int check(const struct globals *globals, const char *id, const struct container_info *info, bool record)
{
	struct service service;
	struct outcome o = { .status = 0 };
	int r = service_read(&info->annotations, &service);

	if (r == 0 && !service.health.set)
		r = fail_plain(EINVAL, "container '%s' has no health check", id);
	if (r == 0 && info->status != CONTAINER_RUNNING && record)
		r = NOT_NOW;
	if (r == 0 && info->status != CONTAINER_RUNNING)
		r = fail_plain(EINVAL, "container '%s' is not running: it is %s", id, container_status_name(info->status));
	if (r != 0) {
		service_done(&service);
		return r;
	}
	keeper_time(o.start);
	r = check_run(globals, id, &service.health, &o);
	service_done(&service);
	if (r < 0)
		return r;
	r = record ? outcome_record(globals, id, &o) : 0;
	if (!record)
		(void)fwrite(o.output, 1, o.size, stdout);
	return r < 0 ? r : o.status == 0 && !o.timed_out ? HEALTHY : UNHEALTHY;
}

int cmd_healthcheck(const struct globals *globals, int argc, char **argv)
{
	struct health_options o = { .record = false };
	struct operands operands;
	struct container_info info;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	r = look(globals, operands.items[0], &info);
	if (r < 0)
		return r;
	r = check(globals, operands.items[0], &info, o.record);
	container_info_done(&info);
	return r;
}
