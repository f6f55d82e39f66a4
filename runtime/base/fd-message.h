/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fd-message - descriptors that go with a message over a UNIX socket (unix(7), SCM_RIGHTS)
 */

#include <stddef.h>
#include <sys/socket.h>

/* More in one message than this are not taken: the kernel closes them and says MSG_CTRUNC. */
enum { FD_MESSAGE_MAX = 8 };

/* union fd_message - room for them; must last as long as the message */
union fd_message {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FD_MESSAGE_MAX * sizeof(int))];
};

/* fd_message_put() - let @fds go with @m; @count may be 0, and is at most FD_MESSAGE_MAX. They stay the caller's. */
void fd_message_put(struct msghdr *m, union fd_message *room, const int *fds, size_t count);

/* fd_message_room() - before recvmsg(2), to which the caller gives MSG_CMSG_CLOEXEC */
void fd_message_room(struct msghdr *m, union fd_message *room);

/*
 * fd_message_take() - after recvmsg(2): what came, for the caller to close
 * @ret_fds: @count of them, -1 where fewer came; those for which there is no place are closed
 *
 * Return: how many came.
 */
size_t fd_message_take(struct msghdr *m, int *ret_fds, size_t count);
