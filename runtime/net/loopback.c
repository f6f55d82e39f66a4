/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one interface that every new network namespace has. An ioctl does it in three system calls; netlink
 * would take a socket, a bind, a request, an acknowledgement, and a library on the way of every start.
 */
#include "runtime/net/loopback.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

int net_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	cleanup_fd int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sock < 0)
		return fail(errno, "make a socket");
	if (ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		return fail(errno, "set 'lo' up");
	return 0;
}
