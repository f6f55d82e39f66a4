/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket: requests are served as they come, those who attach leave us a stream and are shown what the payload says.
 * Nobody at the other end can keep us: nothing is waited for longer than three seconds, and then once.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd-message.h"
#include "runtime/keeper-talk.h"
#include "runtime/service/keeper-internal.h"

enum { PATIENCE_MS = 3000 };

static void drop(struct client *c)
{
	int *fds[] = { &c->sock, &c->data, &c->err };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
	c->typing = false;
}

void clients_init(struct ward *w)
{
	for (int i = 0; i < CLIENTS; i++)
		w->clients[i] = (struct client){ .sock = -1, .data = -1, .err = -1 };
}

static struct pollfd *wait_of(struct ward *w, int client)
{
	return &w->wait[WAIT_CLIENTS + 2 * client];
}

/* While something typed has not found its way, nothing more is taken. */
void clients_wait(struct ward *w)
{
	w->wait[WAIT_SOCKET] = (struct pollfd){ .fd = (int)w->k->socket, .events = POLLIN };
	w->wait[WAIT_IN] = (struct pollfd){ .fd = w->typed > 0 ? w->in : -1, .events = POLLOUT };
	for (int i = 0; i < CLIENTS; i++) {
		const struct client *c = &w->clients[i];
		struct pollfd *wait = wait_of(w, i);

		wait[0] = (struct pollfd){ .fd = c->sock, .events = POLLIN };
		wait[1] = (struct pollfd){ .fd = c->typing && w->typed == 0 ? c->data : -1, .events = POLLIN };
	}
}

/* --- requests ------------------------------------------------------------------------------------ */

static void answer(const struct client *c, int result, int fd)
{
	struct keeper_answer a = { .version = KEEPER_VERSION, .result = result };
	union fd_message room;
	struct iovec part = { .iov_base = &a, .iov_len = sizeof(a) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	fd_message_put(&message, &room, &fd, fd >= 0);
	(void)sendmsg(c->sock, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Return: bytes of the request; what came with it in @fds. */
static ssize_t request_receive(int sock, struct keeper_request *ret, int fds[2])
{
	union fd_message room;
	struct iovec part = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	*ret = (struct keeper_request){ .version = 0 };
	fd_message_room(&message, &room);
	n = recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0)
		(void)fd_message_take(&message, fds, 2);
	return n;
}

static void attach(struct ward *w, struct client *c, int fds[2])
{
	bool terminal = w->in >= 0 && w->in == w->streams[OUT].fd;

	/* Nothing runs between an end and the next start. */
	if (fds[0] < 0 || w->payload < 0) {
		answer(c, KEEPER_REFUSED, -1);
		return;
	}
	c->data = fds[0];
	c->err = fds[1];
	fds[0] = fds[1] = -1;
	c->typing = true;
	for (int i = 0; i < 2; i++) {
		int fd = i == 0 ? c->data : c->err, flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

		if (flags >= 0)
			(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	}
	answer(c, KEEPER_DONE, terminal ? w->in : -1);
}

/* Also when we have not come to see it yet. */
static bool ended(const struct ward *w)
{
	struct pollfd wait = { .fd = w->payload, .events = POLLIN };

	return w->payload < 0 || poll(&wait, 1, 0) > 0;
}

static void request(struct ward *w, struct client *c)
{
	struct keeper_request r;
	int fds[2] = { -1, -1 };
	ssize_t n = request_receive(c->sock, &r, fds);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	if (r.word == KEEPER_STOP || r.word == KEEPER_RESTART) {
		w->stop = r.word == KEEPER_STOP;
		w->again = r.word == KEEPER_RESTART;
		answer(c, KEEPER_DONE, -1);
	} else if (r.word == KEEPER_START) {
		w->again = w->again || ended(w);
		answer(c, KEEPER_DONE, -1);
	} else if (r.word == KEEPER_ATTACH && c->data < 0) {
		attach(w, c, fds);
	} else {
		answer(c, KEEPER_UNKNOWN, -1);
	}
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

static void accept_one(struct ward *w)
{
	int sock = accept4((int)w->k->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (w->clients[i].sock < 0) {
			w->clients[i].sock = sock;
			return;
		}
	answer(&(struct client){ .sock = sock }, KEEPER_REFUSED, -1);
	(void)close(sock);
}

/* --- what is typed, and what is shown -------------------------------------------------------------- */

static void typed_read(struct ward *w, struct client *c)
{
	ssize_t n = read(c->data, w->typed_bytes, sizeof(w->typed_bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Its input has ended; that of the payload has not. */
	if (n <= 0) {
		c->typing = false;
		return;
	}
	w->typed_at = 0;
	w->typed = w->in >= 0 ? (size_t)n : 0;
}

static void typed_write(struct ward *w)
{
	ssize_t n = write(w->in, w->typed_bytes + w->typed_at, w->typed);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		w->typed = 0;
		return;
	}
	w->typed_at += (size_t)n;
	w->typed -= (size_t)n;
}

void clients_serve(struct ward *w)
{
	if (w->wait[WAIT_IN].revents && w->in >= 0)
		typed_write(w);
	for (int i = 0; i < CLIENTS; i++) {
		const struct pollfd *wait = wait_of(w, i);

		if (w->clients[i].sock >= 0 && wait[0].revents)
			request(w, &w->clients[i]);
		if (w->clients[i].data >= 0 && wait[1].revents && w->typed == 0)
			typed_read(w, &w->clients[i]);
	}
	if (w->wait[WAIT_SOCKET].revents)
		accept_one(w);
}

static bool show(int fd, const char *bytes, size_t size)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	while (size > 0) {
		ssize_t n = write(fd, bytes, size);

		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return false;
		} else if (poll(&wait, 1, PATIENCE_MS) == 0) {
			return false;
		}
	}
	return true;
}

void clients_show(struct ward *w, int stream, const char *bytes, size_t size)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = &w->clients[i];

		if (c->data >= 0 && !show(stream == ERR && c->err >= 0 ? c->err : c->data, bytes, size))
			drop(c);
	}
}

void clients_ended(struct ward *w, int status)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (w->clients[i].data < 0)
			continue;
		answer(&w->clients[i], status, -1);
		drop(&w->clients[i]);
	}
}
