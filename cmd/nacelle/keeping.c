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
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle/terminal.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"
#include "runtime/base/programs.h"
#include "runtime/base/str.h"
#include "runtime/base/sync.h"
#include "runtime/keep.h"

#define KEEPER_NAME "nacelle-keeper"

/* What the keeper gets; -1: it has none. */
struct kept_fds {
	int exit, log, out, err, events;
};
#define KEPT_FDS_NONE { .exit = -1, .log = -1, .out = -1, .err = -1, .events = -1 }

int keeping_program(void)
{
	return programs_open(KEEPER_NAME, "the program that keeps detached containers");
}

/* mkdir -p; folders that are made are ours alone. */
static int folders_make(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return fail(errno, "make the folder '%s'", path);
		*p = '/';
	}
	return 0;
}

/* A new file always: another keeper may still write to the old one. */
static int log_make(const char *log)
{
	cleanup_free char *path = NULL;
	int fd, r = str_copy(&path, log);

	if (r == 0)
		r = folders_make(path);
	if (r < 0)
		return r;
	if (unlink(log) < 0 && errno != ENOENT)
		return fail(errno, "remove the old log '%s'", log);
	fd = open(log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? fail(errno, "make the log '%s'", log) : fd;
}

/* Take the log and its folder back, which the deletion did only if it came to know of them. */
static void log_unmake(const char *log)
{
	cleanup_free char *folder = log ? strdup(log) : NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!slash)
		return;
	(void)unlink(log);
	*slash = '\0';
	(void)rmdir(folder);
}

/* "--name FD", with an fd that lives on through execve. */
static int argument_fd(struct str_list *args, const char *name, int fd)
{
	int r;

	if (fd < 0)
		return 0;
	if (fcntl(fd, F_SETFD, 0) < 0)
		return fail(errno, "hand a file to the keeper");
	r = str_list_add(args, name);
	return r < 0 ? r : str_list_addf(args, "%d", fd);
}

static int argument(struct str_list *args, const char *name, const char *value)
{
	int r = str_list_add(args, name);

	return r < 0 ? r : str_list_add(args, value);
}

/* What the keeper execs in the end: ourselves, to delete the container. */
static int removal_arguments(struct str_list *args, const struct keeping *k)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	int r;

	if (!self)
		return fail(errno, "find the program that deletes");
	r = argument(args, "--", self);
	if (r == 0)
		r = argument(args, "--root", k->place->root);
	if (r == 0)
		r = argument(args, "--data", k->place->data);
	if (r == 0)
		r = argument(args, "delete", "--force");
	return r < 0 ? r : str_list_add(args, k->id);
}

static int keeper_arguments(struct str_list *args, const struct keeping *k, pid_t pid, const struct kept_fds *fds)
{
	int r = str_list_add(args, KEEPER_NAME);

	/* For people who look at the processes: whose keeper it is. */
	if (r == 0)
		r = argument(args, "--root", k->place->root);
	if (r == 0)
		r = argument(args, "--id", k->id);
	if (r == 0)
		r = str_list_add(args, "--pid");
	if (r == 0)
		r = str_list_addf(args, "%d", (int)pid);
	if (r == 0)
		r = argument_fd(args, "--exit", fds->exit);
	if (r == 0)
		r = argument_fd(args, "--log", fds->log);
	if (r == 0)
		r = argument_fd(args, "--out", fds->out);
	if (r == 0)
		r = argument_fd(args, "--err", fds->err);
	if (r == 0)
		r = argument_fd(args, "--events", fds->events);
	if (r == 0 && k->remove)
		r = removal_arguments(args, k);
	return r;
}

/* Nothing of the caller's is kept open, nor the folder it stood in. */
static int caller_let_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (null < 0)
		return fail(errno, "open '/dev/null'");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return fail(errno, "close the standard streams");
	(void)close(null);
	if (chdir("/") < 0)
		return fail(errno, "leave the working directory");
	return fd_close_on_exec_from(3);
}

/* Become the keeper of our child @pid. Return: only a recorded failure. */
static int keeper_become(const struct keeping *k, pid_t pid, const struct kept_fds *fds)
{
	static char *no_environment[] = { NULL };
	struct str_list args = { .items = NULL };
	int r = caller_let_go();

	if (r == 0)
		r = keeper_arguments(&args, k, pid, fds);
	if (r == 0) {
		/* Its memory counts for each container: an environment only where it will run us again. */
		(void)execveat(k->program, "", args.items, k->remove ? environ : no_environment, AT_EMPTY_PATH);
		r = fail(errno, "start " KEEPER_NAME);
	}
	str_list_done(&args);
	return r;
}

static int events_open(const struct container_child *child)
{
	return child->cgroup < 0 ? -1 : openat(child->cgroup, "memory.events", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* A payload that opens /dev/stderr opens the pipe anew, and so must own it. */
static int pipe_make(const struct keeping *k, int *ret_read, int *ret_write)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "make a pipe");
	if (geteuid() == 0 && (k->uid || k->gid) && fchown(ends[1], k->uid, k->gid) < 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		return fail(errno, "give a pipe to user %u", k->uid);
	}
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

/* --- detached ---------------------------------------------------------------------------------- */

/* Up to the payload's execve. On failure @child may have been made. */
static int detached_make(struct keeping *k, struct kept_fds *fds, struct container_child *child)
{
	cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY), out = -1, err = -1;
	int r;

	if (null < 0)
		return fail(errno, "open '/dev/null'");
	r = pipe_make(k, &fds->out, &out);
	if (r == 0)
		r = pipe_make(k, &fds->err, &err);
	if (r == 0)
		r = k->create(k, (int[]){ null, out, err }, child);
	/* Behind the record, which names it; and a container that is there already keeps its log. */
	if (r == 0 && k->log) {
		fds->log = log_make(k->log);
		r = fds->log < 0 ? fds->log : 0;
	}
	if (r == 0 && k->recorded)
		r = container_keep(k->place, k->id, getpid(), &fds->exit);
	if (r < 0)
		return r;
	fds->events = events_open(child);
	if (child->terminal >= 0) {
		(void)close(fds->out);
		(void)close(fds->err);
		fds->out = child->terminal;
		fds->err = -1;
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

static _Noreturn void detached_parent(struct keeping *k, int sock)
{
	struct container_child child = CONTAINER_CHILD_NONE;
	struct kept_fds fds = KEPT_FDS_NONE;
	int r;

	(void)setsid();
	r = detached_make(k, &fds, &child);
	if (r == 0)
		r = sync_send(sock, SYNC_READY, 0, -1);
	if (r == 0)
		r = keeper_become(k, child.pid, &fds);
	r = undone(k, &child, r);
	/* Only ours: that of a container which had the name before us stays. */
	if (fds.log >= 0)
		log_unmake(k->log);
	sync_send_failure(sock, r);
	_exit(fail_status());
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
	int r = 0;

	if (k->log) {
		fds.log = log_make(k->log);
		r = fds.log < 0 ? fds.log : 0;
	}
	if (r == 0 && k->recorded)
		r = container_keep(k->place, k->id, getpid(), &fds.exit);
	if (r < 0)
		return r;
	fds.events = events_open(child);
	fds.out = child->terminal;
	return keeper_become(k, child->pid, &fds);
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
		.master = master, .signals = signals, .pidfd = pidfd, .talk = sock, .input = input,
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
