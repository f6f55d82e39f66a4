/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection: a message is gathered byte by byte, with the descriptors that come along, and served when it is whole. A side
 * that breaks a rule ends the machine; one that is gone only ends the connection.
 */
#include "runtime/kvm/vhost-user.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/kvm/vhost-user-request.h"

static void fds_drop(struct vhost_user *user)
{
	for (unsigned int i = 0; i < user->fd_count; i++)
		vhost_user_fd_drop(&user->fds[i]);
	user->fd_count = 0;
}

static int fds_take(struct vhost_user *user, struct msghdr *message)
{
	unsigned int places = VHOST_USER_FDS - user->fd_count;
	size_t came = fd_message_take(message, user->fds + user->fd_count, places);

	user->fd_count += came < places ? (unsigned int)came : places;
	return message->msg_flags & MSG_CTRUNC ? fail_plain(EPROTO, "too many descriptors") : 0;
}

enum { NOT_YET = 0, COMPLETE = 1, GONE = 2 };

/* Up to @until bytes of the message. Return: one of the above, or a recorded failure. */
static int message_read(struct vhost_user *user, size_t until)
{
	while (user->have < until) {
		union fd_message room;
		struct iovec part = { .iov_base = user->message + user->have, .iov_len = until - user->have };
		struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n;
		int r;

		fd_message_room(&message, &room);
		n = recvmsg(user->source.fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return NOT_YET;
		if (n < 0 && errno != ECONNRESET)
			return fail(errno, "receive a request");
		if (n <= 0)
			return GONE;
		r = fds_take(user, &message);
		if (r < 0)
			return r;
		user->have += (size_t)n;
	}
	return COMPLETE;
}

static int message_next(struct vhost_user *user)
{
	struct vhost_user_head head;
	int r = message_read(user, sizeof(head));

	if (r != COMPLETE)
		return r;
	memcpy(&head, user->message, sizeof(head));
	if ((head.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION || head.size > sizeof(user->message) - sizeof(head))
		return fail_plain(EPROTO, "a message of another kind");
	r = message_read(user, sizeof(head) + head.size);
	if (r != COMPLETE)
		return r;
	r = vhost_user_serve(user);
	fds_drop(user);
	user->have = 0;
	return r;
}

static void connection_ready(struct loop_source *source, uint32_t events)
{
	struct vhost_user *user = container_of(source, struct vhost_user, source);

	int r = message_next(user);

	(void)events;
	if (r >= 0 && r != GONE)
		return;
	loop_remove(user->loop, source);
	if (r == GONE)
		return;
	log_warn("the hypervisor, of device %u: %s", user->device.virtio->slot, fail_text());
	vm_end(user->machine, VM_END_MONITOR);
}

int vhost_user_init(struct vhost_user *user, struct loop *loop, int fd, struct vm *machine)
{
	struct virtio *v = user->device.virtio;

	user->loop = loop;
	user->machine = machine;
	/* QEMU's virtio-mmio offers this for every queue, whatever the device wants. */
	for (unsigned int i = 0; i < v->queue_count; i++)
		v->queues[i].q.size_max = VIRTQ_RING_MAX;
	user->source = (struct loop_source){ .fd = fd, .ready = connection_ready };
	return loop_add(loop, &user->source, EPOLLIN);
}

void vhost_user_done(struct vhost_user *user)
{
	fds_drop(user);
	if (user->device.self) {
		struct virtio *v = user->device.virtio;

		for (unsigned int i = 0; i < v->queue_count; i++)
			vhost_user_fd_drop(&v->queues[i].call_fd);
		user->device.free(user->device.self); /* and the descriptors of its kicks */
		user->device.self = NULL;
	}
	vhost_user_memory_forget(user);
	vhost_user_fd_drop(&user->source.fd);
}
