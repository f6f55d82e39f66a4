/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One listener for the host alone. Streams of a process come one by one and wait in a small table until
 * the control stream completes them; then a child serves that process, and we listen again. Its exit
 * status says whether it was the container: the machine ends with that.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/in-vm.h"
#include "runtime/kvm/vsock.h"

enum { WAITING_MAX = 16, BACKLOG = 16, JOIN_SECONDS = 30, SESSIONS_MAX = 64, SESSION_RUN = 1 };

/* The streams of a process that has no control stream yet. */
struct waiting {
	bool used;
	uint32_t number;
	int streams[CHANNEL_STREAMS];
};

struct agent {
	int listener, signals;
	struct waiting waiting[WAITING_MAX];
	pid_t sessions[SESSIONS_MAX]; /* 0: free */
};

/* Another hypervisor's machine has no other bell. It is refused, and heard all the same: see runtime/kvm/vsock.h. */
static void doorbell_ring(void)
{
	const struct sockaddr_vm bell = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = VSOCK_DOORBELL,
	};
	cleanup_fd int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)connect(fd, (const struct sockaddr *)&bell, sizeof(bell));
}

static int listener_make(void)
{
	const struct sockaddr_vm address = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = CHANNEL_PORT,
	};
	cleanup_fd int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(errno, "make a socket for the host");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return fail(errno, "listen for the host");
	return steal_fd(&fd);
}

/* The table's place for @number, a new one for a number that was not seen. NULL: too many wait. */
static struct waiting *waiting_find(struct agent *agent, uint32_t number)
{
	struct waiting *free_one = NULL;

	for (size_t i = 0; i < WAITING_MAX; i++) {
		struct waiting *w = &agent->waiting[i];

		if (w->used && w->number == number)
			return w;
		if (!w->used && !free_one)
			free_one = w;
	}
	if (free_one) {
		*free_one = (struct waiting){ .used = true, .number = number };
		for (int i = 0; i < CHANNEL_STREAMS; i++)
			free_one->streams[i] = -1;
	}
	return free_one;
}

static void waiting_drop(struct waiting *w)
{
	for (int i = 0; i < CHANNEL_STREAMS; i++)
		if (w->streams[i] >= 0)
			(void)close(w->streams[i]);
	w->used = false;
}

/* In the child: nothing of the other sessions' stays open in it. */
static _Noreturn void session_run(struct agent *agent, struct waiting *mine, bool question)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)close(agent->listener);
	(void)close(agent->signals);
	for (size_t i = 0; i < WAITING_MAX; i++)
		if (agent->waiting[i].used && &agent->waiting[i] != mine)
			waiting_drop(&agent->waiting[i]);
	if (question) {
		in_vm_answer(mine->streams[CHANNEL_CONTROL]);
		_exit(0);
	}
	_exit(in_vm_session(mine->streams) == CHANNEL_RUN ? SESSION_RUN : 0);
}

/* All four are there, or control alone: a child takes them. */
static int session_start(struct agent *agent, struct waiting *w)
{
	size_t place = 0;
	unsigned int others = 0;
	pid_t pid;

	for (int i = 0; i < CHANNEL_CONTROL; i++)
		others += w->streams[i] >= 0;
	if (others && others != CHANNEL_CONTROL)
		return fail_plain(EPROTO, "a process without all of its streams");
	while (place < SESSIONS_MAX && agent->sessions[place])
		place++;
	if (place == SESSIONS_MAX)
		return fail_plain(EBUSY, "too many processes");
	pid = fork();
	if (pid == 0)
		session_run(agent, w, !others);
	if (pid < 0)
		return fail(errno, "make a process");
	agent->sessions[place] = pid;
	return 0;
}

/* Return: whether @pid was a session. */
static bool session_forget(struct agent *agent, pid_t pid)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (agent->sessions[i] == pid) {
			agent->sessions[i] = 0;
			return true;
		}
	return false;
}

/* One stream: its first frame says of which process it is. It is taken over. */
static int stream_join(struct agent *agent, int fd)
{
	const struct timeval limit = { .tv_sec = JOIN_SECONDS }, no_limit = { .tv_sec = 0 };
	cleanup_fd int stream = fd;
	struct channel_message m;
	struct waiting *w;
	int r;

	(void)setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	r = channel_receive(stream, &m);
	(void)setsockopt(stream, SOL_SOCKET, SO_RCVTIMEO, &no_limit, sizeof(no_limit));
	if (r < 0)
		return r;
	free(m.text);
	if (m.word != CHANNEL_JOIN)
		return fail_plain(EPROTO, "a stream that joins nothing");
	w = waiting_find(agent, m.value);
	if (!w)
		return fail_plain(EBUSY, "too many streams wait");
	if (w->streams[m.detail] >= 0)
		return fail_plain(EPROTO, "a stream that is there already");
	w->streams[m.detail] = steal_fd(&stream);
	if (m.detail != CHANNEL_CONTROL)
		return 0;
	r = session_start(agent, w);
	waiting_drop(w);
	return r;
}

/* Only from the host: a payload could connect to this port too, over a loopback of vsock's. */
static void stream_accept(struct agent *agent)
{
	struct sockaddr_vm peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(agent->listener, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (peer.svm_cid != VMADDR_CID_HOST) {
		(void)close(fd);
		return;
	}
	if (stream_join(agent, fd) < 0)
		log_warn("%s", fail_text());
}

/* We are the parent of sessions, whose status is 0 for an exec, and of all who have lost theirs. */
static bool children_reap(struct agent *agent)
{
	struct signalfd_siginfo info;
	bool ended = false;
	int status;
	pid_t pid;

	(void)!read(agent->signals, &info, sizeof(info));
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended = ended || (session_forget(agent, pid) && status != 0);
	return ended;
}

static int signals_make(void)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(errno, "take signals") : fd;
}

int in_vm_serve(void)
{
	struct agent agent = { .listener = listener_make() };
	struct in_vm_slots slots;
	bool ended = false;
	int r;

	if (agent.listener < 0)
		return agent.listener;
	agent.signals = signals_make();
	if (agent.signals < 0)
		return agent.signals;
	r = in_vm_born(&slots);
	if (r < 0)
		return r;
	r = in_vm_slots_bind(&slots);
	if (r == 0)
		r = in_vm_disks_make(&slots);
	if (r < 0)
		return r;
	if (!in_vm_ring())
		doorbell_ring();
	while (!ended) {
		struct pollfd wait[] = {
			{ .fd = agent.listener, .events = POLLIN },
			{ .fd = agent.signals, .events = POLLIN },
		};

		if (poll(wait, ARRAY_SIZE(wait), -1) < 0 && errno != EINTR)
			return fail(errno, "wait for the host");
		if (wait[1].revents)
			ended = children_reap(&agent);
		if (wait[0].revents)
			stream_accept(&agent);
	}
	return 0;
}
