/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The side that speaks. A keeper that is about to become another program drops the connections it has taken, so a
 * connection that ends without an answer is made again, as long as there is a keeper and time.
 */
#include "runtime/keeper-talk.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/fd-message.h"
#include "runtime/base/fd.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/state.h"

enum { BACKLOG = 16, PAUSE_MS = 10 };

/* sun_path is short, a state root need not be. */
static struct sockaddr_un address_of(const struct state_dir *dir)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" KEEPER_SOCKET, dir->fd);
	return address;
}

int keeper_listen(const struct state_dir *dir)
{
	struct sockaddr_un address = address_of(dir);
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return fail(errno, "make a unix socket");
	/* One may be there of a keeper that was killed. */
	(void)unlinkat(dir->fd, KEEPER_SOCKET, 0);
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(errno, "bind '" KEEPER_SOCKET "'");
	if (listen(sock, BACKLOG) < 0)
		return fail(errno, "listen on '" KEEPER_SOCKET "'");
	return steal_fd(&sock);
}

static int request_send(int sock, enum keeper_word word, const int fds[2])
{
	struct keeper_request request = { .version = KEEPER_VERSION, .word = word };
	union fd_message room;
	struct iovec part = { .iov_base = &request, .iov_len = sizeof(request) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t count = !fds || fds[0] < 0 ? 0 : fds[1] < 0 ? 1 : 2;

	fd_message_put(&message, &room, fds, count);
	return sendmsg(sock, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Return: bytes of the answer, 0 when there is none, or -errno. */
static int answer_receive(int sock, struct keeper_answer *ret, int *ret_fd)
{
	union fd_message room;
	struct iovec part = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	*ret = (struct keeper_answer){ .version = 0 };
	fd_message_room(&message, &room);
	n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	(void)fd_message_take(&message, ret_fd, 1);
	return (int)n;
}

/* Once. Return: bytes of the answer, 0: try again, -EAGAIN: no time is left, or another -errno. */
static int ask(const struct state_dir *dir, enum keeper_word word, const int fds[2], int64_t end, struct keeper_answer *answer,
	       int *ret_sock, int *ret_fd)
{
	struct sockaddr_un address = address_of(dir);
	cleanup_fd int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	int64_t left = end - clock_ms();
	int r;

	if (sock < 0)
		return -errno;
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = request_send(sock, word, fds);
	if (r < 0)
		return r == -EPIPE || r == -ECONNRESET ? 0 : r;
	r = poll(&wait, 1, left < 0 ? 0 : (int)left);
	if (r <= 0)
		return r == 0 ? -EAGAIN : errno == EINTR ? 0 : -errno;
	r = answer_receive(sock, answer, ret_fd);
	if (r > 0)
		*ret_sock = steal_fd(&sock);
	return r == -ECONNRESET ? 0 : r;
}

static bool keeper_lives(const struct state *state)
{
	cleanup_fd int pidfd = -1;

	return state->keeper_pid > 0 && !state_is_stale(state) &&
	       proc_open(state->keeper_pid, state->keeper_start, &pidfd) == 0;
}

int keeper_tell(const struct state_dir *dir, const struct state *state, enum keeper_word word, const int fds[2], int timeout_ms,
		int *ret_sock, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
	int64_t end = clock_ms() + timeout_ms;
	struct keeper_answer answer;
	cleanup_fd int sock = -1, fd = -1;
	int r = 0;

	while (r == 0) {
		if (!keeper_lives(state))
			return KEEPER_GONE;
		r = ask(dir, word, fds, end, &answer, &sock, &fd);
		if (r == 0 && clock_ms() >= end)
			r = -EAGAIN;
		if (r == 0)
			(void)nanosleep(&pause, NULL);
	}
	/* Of a keeper that is older than the socket, or of one that has just ended. */
	if (r == -ENOENT || r == -ECONNREFUSED)
		return KEEPER_GONE;
	if (r == -EAGAIN)
		return KEEPER_SILENT;
	if (r < 0)
		return fail(-r, "speak to the keeper of container '%s'", state->id);
	if (answer.result != KEEPER_DONE)
		return fail_plain(ENOTSUP, answer.result == KEEPER_UNKNOWN ?
				  "the keeper of container '%s' is of an older nacelle, which cannot do that: 'nacelle restart' replaces it" :
				  "the keeper of container '%s' refuses: too many are attached", state->id);
	if (ret_sock)
		*ret_sock = steal_fd(&sock);
	if (ret_fd)
		*ret_fd = steal_fd(&fd);
	return 0;
}
