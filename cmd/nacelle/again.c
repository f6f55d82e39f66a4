/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting a detached container once more, for `start`, `restart`, and for its keeper, which executes the command "again" and
 * so becomes us and then, with the new container as its child, a keeper once more. What is made is a new container: of
 * the old one the record, the log and the hold on the image stay, and the folder of an upper that the spec names.
 */
#include "cmd/nacelle/again.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/common.h"
#include "cmd/nacelle/keeping.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/bundle.h"
#include "runtime/keep.h"
#include "runtime/spec-service.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

enum { AWAIT_MS = 60000, PAUSE_MS = 10 };

struct again_options {
	uint64_t socket, restarts, delay, lost, last;
};

#define AGAIN(member) offsetof(struct again_options, member)

const struct option_row again_options[] = {
	{ "socket", 0, OPTION_NUMBER, AGAIN(socket), "FD", "the keeper's" },
	{ "restarts", 0, OPTION_NUMBER, AGAIN(restarts), "N", "how often it was done" },
	{ "delay", 0, OPTION_NUMBER, AGAIN(delay), "MS", "what was waited for it" },
	{ "last", 0, OPTION_NUMBER, AGAIN(last), "N", "how it ended" },
	{ "lost", 0, OPTION_NUMBER, AGAIN(lost), "N", "lines that could not be logged" },
	{ .name = NULL },
};

/* Whom a user in the container is outside. */
static uint32_t host_id(uint32_t id, const struct spec_id_map *maps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
			return maps[i].host_id + (id - maps[i].container_id);
	return id;
}

int keeping_choose(struct keeping *k, const struct spec *spec, struct service *service)
{
	const struct spec_linux *l = &spec->linux_;
	int r = service_read(&spec->annotations, service);

	k->service = service;
	k->uid = host_id(spec->process.user.uid, l->uid_mappings, l->uid_mapping_count);
	k->gid = host_id(spec->process.user.gid, l->gid_mappings, l->gid_mapping_count);
	k->stop_signal = stop_signal_read(spec_annotation(spec, SHORT_ANNOTATION "stop_signal"));
	k->stop_time = stop_time_read(spec_annotation(spec, SHORT_ANNOTATION "stop_timeout"));
	return r;
}

struct again {
	struct bundle bundle;
	struct container_info info;
	struct service service;
	struct keeping k;
};

static int create(struct keeping *k, const int stdio[3], struct container_child *ret_child)
{
	const struct again *a = k->mine;
	struct container_options options = CONTAINER_OPTIONS(k->id);

	options.keep_terminal = a->bundle.spec->process.terminal;
	options.remove_at_exit = a->info.remove_at_exit;
	options.open_stdin = a->info.open_stdin;
	options.log = a->info.log;
	options.kept = options.again = true;
	for (int i = 0; i < 3; i++)
		options.stdio[i] = stdio[i];
	return container_create(k->place, &a->bundle, &options, ret_child);
}

static int go(struct keeping *k, struct container_child *child)
{
	return container_go(k->place, k->id, child);
}

static void undo(struct keeping *k, struct container_child *child)
{
	(void)child;
	if (container_end(k->place, k->id) < 0)
		log_warn("%s, ignoring", fail_text());
}

static int prepare(struct again *a, const struct globals *globals, const char *id)
{
	int r = look(globals, id, &a->info);

	if (r < 0)
		return r;
	r = again_is_kept(&a->info);
	if (r == 0)
		r = container_bundle(&globals->place, id, &a->bundle);
	if (r < 0)
		return r;
	a->k = (struct keeping){
		.place = &globals->place, .id = id, .program = keeping_program(), .recorded = true,
		.log = a->info.log, .remove = a->info.remove_at_exit, .open_stdin = a->info.open_stdin,
		.create = create, .go = go, .undo = undo, .again = true, .socket = -1, .mine = a,
	};
	return a->k.program < 0 ? a->k.program : keeping_choose(&a->k, a->bundle.spec, &a->service);
}

static void done(struct again *a)
{
	if (a->k.program > 0)
		(void)close(a->k.program);
	service_done(&a->service);
	bundle_done(&a->bundle);
	container_info_done(&a->info);
}

int again_is_kept(const struct container_info *info)
{
	return info->kept || (info->keeper_pid > 0 && info->log) ? 0 :
		fail_plain(EINVAL, "container '%s' cannot be started again: it was not started by 'run --detach'", info->id);
}

int again_detached(const struct globals *globals, const char *id)
{
	struct again a = { .k = { .program = -1 } };
	int r = prepare(&a, globals, id);

	if (r == 0)
		r = keeping_detached(&a.k);
	done(&a);
	return r;
}

/*
 * The pipe behind one of its streams, by the process itself: what it has put in its place meanwhile is looked at before it
 * is opened. Return: an fd, or -1: it is no pipe.
 */
static int pipe_find(pid_t pid, int stream)
{
	char path[sizeof("/proc/-2147483648/fd/-2147483648")];
	cleanup_fd int link = -1;
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, stream);
	link = open(path, O_PATH | O_CLOEXEC);
	if (link < 0 || fstat(link, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -1;
	fd = fd_reopen(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -1 : fd;
}

int again_adopt(const struct globals *globals, const char *id)
{
	struct again a = { .k = { .program = -1 } };
	struct adoption adoption = { .pidfd = -1, .out = -1, .err = -1 };
	const int *const fds[] = { &adoption.pidfd, &adoption.out, &adoption.err };
	int r = prepare(&a, globals, id);

	if (r == 0)
		r = proc_open(a.info.pid, a.info.pid_start, &adoption.pidfd);
	if (r == PROC_GONE)
		r = fail_plain(ESRCH, "container '%s' has just ended", id);
	if (r == 0) {
		adoption.pid = a.info.pid;
		adoption.out = pipe_find(adoption.pid, STDOUT_FILENO);
		adoption.err = pipe_find(adoption.pid, STDERR_FILENO);
		a.k.adopted = &adoption;
		r = keeping_detached(&a.k);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
	done(&a);
	return r;
}

bool again_is_another(const struct container_info *before, const struct container_info *now)
{
	return now->created && (!before->created || !str_eq(now->created, before->created));
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/*
 * It was made anew and ran, be it that it has ended again meanwhile; or its keeper has given up, or says since @before that it
 * waits once more: the start has failed. Return: 1: wait on, 0, or a recorded failure.
 */
static int again_look(const struct globals *globals, const char *id, const struct container_info *before)
{
	struct container_info info;
	int r = look(globals, id, &info);

	if (r < 0)
		return r;
	if (info.ran && again_is_another(before, &info))
		r = 0;
	else if (info.exit_known || info.keeper_lost ||
		 (info.tended.restarting && info.tended.restarts > 0 && later(&info.tended.written, &before->tended.written)))
		r = fail_plain(ECHILD, "container '%s' could not be started again (see 'nacelle logs %s')", id, id);
	else
		r = 1;
	container_info_done(&info);
	return r;
}

int again_await(const struct globals *globals, const char *id, const struct container_info *info)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
	int r = 1;

	for (int waited = 0; r > 0 && waited < AWAIT_MS; waited += PAUSE_MS) {
		r = again_look(globals, id, info);
		if (r > 0)
			(void)nanosleep(&pause, NULL);
	}
	return r > 0 ? fail_plain(ETIMEDOUT, "container '%s' was not started again within a minute", id) : r;
}

/* Only for its keeper, who has become us. */
int cmd_again(const struct globals *globals, int argc, char **argv)
{
	struct again_options o = { .socket = 0 };
	struct again a = { .k = { .program = -1 } };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 1, 1, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o.socket && fcntl((int)o.socket, F_SETFD, FD_CLOEXEC) < 0)
		return fail(errno, "take over the keeper's socket");
	r = prepare(&a, globals, operands.items[0]);
	if (r == 0) {
		a.k.socket = o.socket ? (int)o.socket : -1;
		a.k.restarts = (int64_t)o.restarts;
		a.k.delay = (int64_t)o.delay;
		a.k.lost = (int64_t)o.lost;
		a.k.last = (int64_t)o.last;
		r = keeping_here(&a.k);
	}
	done(&a);
	return r;
}
