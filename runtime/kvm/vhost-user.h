/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vhost-user - a device of ours behind somebody else's register page
 *
 * Another hypervisor has the registers and tells us over a socket what a driver did to them: where its
 * memory is, where the queues are in it, which eventfds are notification and interrupt. The device is the
 * same that virtio-mmio.c serves, and knows nothing of it. Source: QEMU's docs/interop/vhost-user.rst.
 *
 * What comes over the socket is judged as a guest's doing would be: whoever broke out of the guest and
 * into the hypervisor must find nothing here that the guest could not have had.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/fd-message.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/loop.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

enum {
	VHOST_USER_REGIONS = 8,
	VHOST_USER_FDS = FD_MESSAGE_MAX, /* that come with one message at most */
	VHOST_USER_MESSAGE = 512, /* bytes; the longest is a table of memory or a device's configuration */
};

struct vhost_user_region {
	uint64_t gpa, size, address; /* the last: as the hypervisor names it in its own memory */
};

/*
 * struct vhost_user - one device, and the connection that serves it
 *
 * @vm: the machine's memory as this connection was told of it; no descriptors of KVM's
 * @machine: ended when the other side breaks a rule; that it is gone, its process tells
 */
struct vhost_user {
	struct loop_source source; /* the connection */
	struct loop *loop;
	struct vm vm;
	struct device device;
	struct vhost_user_region regions[VHOST_USER_REGIONS];
	unsigned int region_count;
	bool rings_off; /* a ring waits for SET_VRING_ENABLE: agreed by VHOST_USER_F_PROTOCOL_FEATURES */
	struct {
		uint64_t desc, used, avail; /* addresses of the hypervisor's */
		uint16_t base;
		bool wanted;
	} rings[VIRTIO_QUEUES_MAX];
	uint8_t message[VHOST_USER_MESSAGE]; /* what has come of one */
	size_t have;
	int fds[VHOST_USER_FDS];
	unsigned int fd_count;
	struct vm *machine;
};

/*
 * vhost_user_init() - serve @user->device on a connection
 * @user: all zero but for @vm's statistics and @device, which was put into its place with @vm, no bus, and @loop
 * @fd: a stream socket, non-blocking; vhost_user_done() closes it
 *
 * Return: 0 or a recorded failure.
 */
int vhost_user_init(struct vhost_user *user, struct loop *loop, int fd, struct vm *machine);

/* vhost_user_done() - forget the connection and the memory; the device goes as well. All zero with the fd -1 is a no-op. */
void vhost_user_done(struct vhost_user *user);
