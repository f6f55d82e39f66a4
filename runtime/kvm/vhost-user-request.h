/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vhost-user-request - what the other side asks for, and what is done about it
 *
 * vhost-user.c has the connection, and comes here with each message when it is whole.
 */

#include <stdint.h>

#include "runtime/kvm/vhost-user.h"

/* In front of each message, in its own bytes as they are in memory. */
struct vhost_user_head {
	uint32_t request, flags, size; /* bytes behind it */
};

enum {
	VHOST_USER_VERSION = 1,
	VHOST_USER_VERSION_MASK = 3,
	VHOST_USER_REPLY = 1 << 2,
	VHOST_USER_NEED_REPLY = 1 << 3,
};

/*
 * vhost_user_serve() - do what @user->message asks for, and answer
 *
 * Descriptors that came with it are in @user->fds; what is taken of them is -1 there afterwards.
 * Return: 0 or a recorded failure, which ends the connection.
 */
int vhost_user_serve(struct vhost_user *user);

/* vhost_user_memory_forget() - nothing of the guest's memory is mapped any more. */
void vhost_user_memory_forget(struct vhost_user *user);

/* vhost_user_fd_drop() - close it, if it is one. */
void vhost_user_fd_drop(int *fd);
