/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One message with one descriptor, as runc and crun send it. */
#include "runtime/hand.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd-message.h"

int hand_connect(const char *what, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(errno, "make a unix socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(ENAMETOOLONG, "%s '%s'", what, path);
	(void)strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail(errno, "connect to the %s '%s'", what, path);
	return steal_fd(&fd);
}

int hand_over(int sock, int fd, const char *name)
{
	union fd_message room;
	char text[64];
	struct iovec io = { .iov_base = text, .iov_len = strnlen(name, sizeof(text)) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

	memcpy(text, name, io.iov_len);
	fd_message_put(&m, &room, &fd, 1);
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? fail(errno, "send '%s' over the socket", name) : 0;
}
