/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/fd-message.h"

#include <string.h>
#include <unistd.h>

void fd_message_put(struct msghdr *m, union fd_message *room, const int *fds, size_t count)
{
	if (count == 0)
		return;
	memset(room, 0, sizeof(*room));
	room->align.cmsg_level = SOL_SOCKET;
	room->align.cmsg_type = SCM_RIGHTS;
	room->align.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&room->align), fds, count * sizeof(int));
	m->msg_control = room;
	m->msg_controllen = CMSG_SPACE(count * sizeof(int));
}

void fd_message_room(struct msghdr *m, union fd_message *room)
{
	m->msg_control = room;
	m->msg_controllen = sizeof(*room);
}

size_t fd_message_take(struct msghdr *m, int *ret_fds, size_t count)
{
	size_t came = 0;

	for (size_t i = 0; i < count; i++)
		ret_fds[i] = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t here;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++, came++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (came < count)
				ret_fds[came] = fd;
			else
				(void)close(fd);
		}
	}
	return came;
}
