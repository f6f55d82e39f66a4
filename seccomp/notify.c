/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify - the listener's fd goes to the agent that the spec names
 *
 * One connection, one message, closed: config-linux.md, "listenerPath" and "The Container Process
 * State".
 */
#include "seccomp/notify.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd-message.h"

/*
 * A stream may take a part of the message only; the fd goes with the first byte. Return: bytes, or
 * -errno.
 */
static ssize_t send_with_fd(int sock, const char *text, size_t size, int fd)
{
	union fd_message room;
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = size };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	fd_message_put(&message, &room, &fd, 1);
	do
		sent = sendmsg(sock, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

static int connect_to(int sock, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t size = strlen(path);

	if (size >= sizeof(address.sun_path))
		return fail(ENAMETOOLONG, "seccomp: connect to listenerPath '%s'", path);
	memcpy(address.sun_path, path, size);
	if (connect(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(errno, "seccomp: connect to listenerPath '%s' (is its agent running?)",
			    path);
	return 0;
}

int seccomp_notify_send(const char *path, const char *state, int listener)
{
	cleanup_fd int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t size = strlen(state);
	ssize_t sent;
	int r;

	if (sock < 0)
		return fail(errno, "seccomp: make a socket for the listener");
	r = connect_to(sock, path);
	if (r < 0)
		return r;
	sent = send_with_fd(sock, state, size, listener);
	if (sent < 0)
		return fail((int)-sent, "seccomp: send the listener to '%s'", path);
	while ((size_t)sent < size) {
		ssize_t n = send(sock, state + sent, size - (size_t)sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "seccomp: send the container's state to '%s'", path);
		sent += n;
	}
	return 0;
}
