/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process in between. Front and parent-to-be talk over a sync pair: the front hears of success (READY,
 * or CONSOLE with the terminal) or failure; later of the payload's exit status (READY again), and may say GO: keep it.
 * The end of the stream after that says that the other has become the keeper.
 */
#include "cmd/nacelle/keeping.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "cmd/nacelle/become.h"
#include "cmd/nacelle/terminal.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/base/sync.h"
#include "runtime/keep.h"
#include "runtime/service/keeper.h"

/*
 * Both ends in one: who writes keeps a reader there as well. Without that a payload would be killed by its next word when
 * its keeper was.
 */
static int write_end_hold(int ends[2])
{
	char path[FD_PATH_MAX];
	int both;

	both = open(fd_path(ends[1], path), O_RDWR | O_CLOEXEC);
	if (both < 0)
		return fail(errno, "open a pipe");
	(void)close(ends[1]);
	ends[1] = both;
	return 0;
}

/* A payload that opens /dev/stderr opens the pipe anew, and so must own it. @given: which of the two ends it gets. */
static int pipe_make(const struct keeping *k, int given, int ret_ends[2])
{
	int ends[2], r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	if (given == 1 && k->recorded)
		r = write_end_hold(ends);
	if (r == 0 && geteuid() == 0 && (k->uid || k->gid) && fchown(ends[given], k->uid, k->gid) < 0)
		r = fail(errno, "give a pipe to user %u", k->uid);
	if (r < 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return r;
	}
	ret_ends[0] = ends[0];
	ret_ends[1] = ends[1];
	return 0;
}

/* What the payload gets; the other ends are the keeper's. */
static int streams_make(const struct keeping *k, int stdio[3], struct kept_fds *fds)
{
	int ends[2], r = 0;

	if (!k->open_stdin) {
		stdio[0] = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
		r = stdio[0] < 0 ? fail(errno, "open '/dev/null'") : 0;
	} else {
		r = pipe_make(k, 0, ends);
		if (r == 0) {
			stdio[0] = ends[0];
			fds->in = ends[1];
		}
	}
	for (int i = 1; r == 0 && i < 3; i++) {
		r = pipe_make(k, 1, ends);
		if (r == 0) {
			*(i == 1 ? &fds->out : &fds->err) = ends[0];
			stdio[i] = ends[1];
		}
	}
	return r;
}

/* --- detached ---------------------------------------------------------------------------------- */

/* Up to the payload's execve. On failure @child may have been made. */
static int detached_make(struct keeping *k, struct kept_fds *fds, struct container_child *child)
{
	int stdio[3] = { -1, -1, -1 }, r = streams_make(k, stdio, fds);

	if (r == 0)
		r = k->create(k, stdio, child);
	for (int i = 0; i < 3; i++)
		if (stdio[i] >= 0)
			(void)close(stdio[i]);
	/* Behind the record, which names it; and a container that is there already keeps its log. */
	if (r == 0)
		r = become_log_make(k, fds);
	if (r == 0)
		r = become_files(k, fds);
	if (r < 0)
		return r;
	become_events(child, fds);
	if (child->terminal >= 0) {
		for (int *fd = (int[]){ fds->out, fds->err, fds->in, -2 }; *fd != -2; fd++)
			if (*fd >= 0)
				(void)close(*fd);
		fds->out = child->terminal;
		fds->err = fds->in = -1;
	}
	return k->go ? k->go(k, child) : 0;
}

/* Take all back without losing what went wrong first. */
static int undone(struct keeping *k, struct container_child *child, int r)
{
	cleanup_free char *text = strdup(fail_text());
	int status = fail_status();

	if (child->pid > 0) {
		(void)pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0);
		(void)proc_reap(child->pid);
		k->undo(k, child);
	}
	return text ? fail_exit(fail_plain(-r, "%s", text), status) : r;
}

/* A start that nobody looks at tells the log why it failed. */
static void failure_log(int fd, const char *text)
{
	struct keeper_log log = { .fd = fd, .end = lseek(fd, 0, SEEK_END), .folder = -1 };
	cleanup_free char *line = NULL;

	if (log.end >= 0 && str_format(&line, "nacelle: %s\n", text) == 0)
		(void)keeper_log_line(&log, "stderr", line, strlen(line));
}

/* Return: only a recorded failure. */
static int adopted_keep(struct keeping *k, int sock)
{
	struct kept_fds fds = KEPT_FDS_NONE;
	int r = become_log_make(k, &fds);

	if (r == 0)
		r = become_files(k, &fds);
	if (r == 0)
		r = sync_send(sock, SYNC_READY, 0, -1);
	if (r < 0)
		return r;
	fds.pidfd = k->adopted->pidfd;
	fds.out = k->adopted->out;
	fds.err = k->adopted->err;
	return become_keeper(k, k->adopted->pid, 0, &fds);
}

static _Noreturn void detached_parent(struct keeping *k, int sock)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	struct kept_fds fds = KEPT_FDS_NONE;
	int r;

	(void)setsid();
	if (k->adopted) {
		sync_send_failure(sock, adopted_keep(k, sock));
		_exit(fail_status());
	}
	r = detached_make(k, &fds, &child);
	if (r == 0)
		r = sync_send(sock, SYNC_READY, 0, -1);
	if (r == 0)
		r = become_keeper(k, child.pid, 0, &fds);
	r = undone(k, &child, r);
	/* Only ours: that of a container which had the name before us stays. */
	if (fds.log >= 0 && !k->again)
		become_log_unmake(k->log);
	sync_send_failure(sock, r);
	_exit(fail_status());
}

int keeping_here(struct keeping *k)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	struct kept_fds fds = KEPT_FDS_NONE;
	cleanup_free char *text = NULL;
	int status, r = detached_make(k, &fds, &child);

	if (r == 0)
		r = become_keeper(k, child.pid, 0, &fds);
	r = undone(k, &child, r);
	status = fail_status();
	text = strdup(fail_text());
	/* What there is of the container is its record, and a keeper that tries again. */
	fds.out = fds.err = fds.in = fds.events = -1;
	if ((fds.log < 0 && fds.journal < 0 && become_log_make(k, &fds) < 0) || (fds.exit < 0 && become_files(k, &fds) < 0))
		return r;
	if (fds.log >= 0)
		failure_log(fds.log, text ? text : "out of memory");
	return become_keeper(k, 0, status, &fds);
}

/* Return: 0 in the front, or a recorded failure; the other process never returns from here. */
static int split(struct keeping *k, void (*other)(struct keeping *k, int sock), int *ret_sock)
{
	int ends[2], r = sync_pair(ends);
	pid_t pid;

	if (r < 0)
		return r;
	(void)fflush(stdout);
	pid = fork();
	if (pid < 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return fail(errno, "fork");
	}
	if (pid == 0) {
		(void)close(ends[0]);
		other(k, ends[1]);
		_exit(STATUS_OURS);
	}
	(void)close(ends[1]);
	*ret_sock = ends[0];
	return 0;
}

/* The stream ends without a word when the other process has become the keeper. */
static int keeper_await(int sock)
{
	struct sync_message m;
	int r = sync_receive(sock, &m);

	if (r < 0 || (m.word == SYNC_NONE && !m.value))
		return r;
	if (m.fd >= 0)
		(void)close(m.fd);
	if (m.word == SYNC_FAILED)
		return fail_exit(fail_plain((int)m.value, "%s", m.text), m.status);
	return fail_plain(EPROTO, m.word == SYNC_NONE ? "the container's parent was killed before it became its keeper" :
			  "the container's parent said something unexpected");
}

int keeping_detached(struct keeping *k)
{
	cleanup_fd int sock = -1;
	struct sync_message m;
	int r = split(k, detached_parent, &sock);

	if (r == 0)
		r = sync_expect(sock, SYNC_READY, "the container's parent", &m);
	return r < 0 ? r : keeper_await(sock);
}

/* --- with a terminal --------------------------------------------------------------------------- */

static int attended_make(struct keeping *k, struct container_child *child)
{
	int r = k->create(k, (int[]){ -1, -1, -1 }, child);

	if (r < 0)
		return r;
	if (child->terminal < 0)
		return fail_plain(EPROTO, "the container came without its terminal");
	terminal_size_copy(child->terminal);
	return k->go ? k->go(k, child) : 0;
}

/* The front detached. Return: only a recorded failure. */
static int attended_keep(struct keeping *k, struct container_child *child)
{
	struct kept_fds fds = KEPT_FDS_NONE;
	int r = become_log_make(k, &fds);

	if (r == 0)
		r = become_files(k, &fds);
	if (r < 0)
		return r;
	become_events(child, &fds);
	fds.out = child->terminal;
	return become_keeper(k, child->pid, 0, &fds);
}

/* The front is gone: as with any terminal that is closed, the payload is told by SIGHUP. */
static _Noreturn void attended_abandoned(struct keeping *k, struct container_child *child)
{
	(void)close(child->terminal);
	child->terminal = -1;
	(void)proc_reap(child->pid);
	k->undo(k, child);
	_exit(STATUS_OURS);
}

static _Noreturn void attended_wait(struct keeping *k, struct container_child *child, int sock)
{
	for (;;) {
		struct pollfd wait[] = {
			{ .fd = child->pidfd, .events = POLLIN },
			{ .fd = sock, .events = POLLIN },
		};
		struct sync_message m;

		if (poll(wait, ARRAY_SIZE(wait), -1) < 0)
			continue;
		if (wait[0].revents) {
			(void)sync_send(sock, SYNC_READY, proc_reap(child->pid), -1);
			_exit(0);
		}
		if (sync_receive(sock, &m) < 0 || m.word != SYNC_GO)
			attended_abandoned(k, child);
		sync_send_failure(sock, attended_keep(k, child));
	}
}

static void attended_parent(struct keeping *k, int sock)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	int r;

	(void)setsid();
	r = attended_make(k, &child);
	if (r == 0)
		r = sync_send(sock, SYNC_CONSOLE, child.pid, child.terminal);
	if (r == 0)
		attended_wait(k, &child, sock);
	sync_send_failure(sock, undone(k, &child, r));
}

static int attended_end(int sock, int *ret_status)
{
	struct sync_message m;
	int r = sync_expect(sock, SYNC_READY, "the container's parent", &m);

	if (r < 0)
		return r;
	*ret_status = (int)m.value;
	return 0;
}

int keeping_attended(struct keeping *k, int signals, bool input, const struct detach_keys *keys, int *ret_status)
{
	static const struct detach_keys none = { .count = 0 };
	cleanup_fd int sock = -1, master = -1, pidfd = -1;
	struct sync_message m;
	int r = split(k, attended_parent, &sock);

	if (r == 0)
		r = sync_expect(sock, SYNC_CONSOLE, "the container's parent", &m);
	if (r < 0)
		return r;
	master = m.fd;
	/* Of a payload that has ended already there is none, and no signal to send. */
	pidfd = pidfd_open((pid_t)m.value, 0);
	if (master < 0)
		return fail_plain(EPROTO, "the container came without its terminal");
	r = terminal_proxy(&(struct terminal_proxy){
		.master = master, .size = master, .signals = signals, .pidfd = pidfd, .talk = sock, .input = input,
		.keys = k->program >= 0 ? keys : &none });
	if (r == TERMINAL_ENDED)
		return attended_end(sock, ret_status);
	if (r < 0)
		return r;
	r = sync_send(sock, SYNC_GO, 0, -1);
	if (r == 0)
		r = keeper_await(sock);
	return r < 0 ? r : KEEPING_DETACHED;
}
