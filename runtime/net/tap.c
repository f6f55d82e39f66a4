/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made through its driver's own interface, then given its place by rtnetlink, as any port.
 */
#include "runtime/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/device.h"
#include "runtime/net/nl.h"

#define DRIVER "/dev/net/tun"

int net_tap_up(int sock, const char *name, unsigned int bridge, unsigned int mtu, unsigned int *ret_index)
{
	struct ifinfomsg about = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	cleanup_nl struct nl_message m = { .size = 0 };
	struct net_device device;
	int r = net_device_find(sock, name, &device);

	if (r != 0)
		return r < 0 ? r : fail_plain(ENODEV, "network device '%s' is gone", name);
	about.ifi_index = (int)device.index;
	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK, &about, sizeof(about));
	if (bridge)
		nl_put_u32(&m, IFLA_MASTER, bridge);
	if (mtu)
		nl_put_u32(&m, IFLA_MTU, mtu);
	r = nl_call(sock, &m, bridge ? "make it a port of a bridge" : "set it up", NULL, NULL, 0);
	if (r < 0)
		return fail_in(r, "network device '%s'", name);
	*ret_index = device.index;
	return 0;
}

int net_tap_open(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	cleanup_fd int fd = open(DRIVER, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ?
			fail_plain(ENODEV, "there is no '" DRIVER "': a virtual machine's network needs the kernel's module 'tun'") :
			fail(errno, "open '" DRIVER "'");
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return fail(errno, "TUNSETIFF: make the network device '%s'", name);
	return steal_fd(&fd);
}

int net_tap_make(int sock, const char *name, unsigned int bridge, unsigned int mtu)
{
	cleanup_fd int fd = net_tap_open(name);
	unsigned int index;
	int r = fd < 0 ? fd : net_tap_up(sock, name, bridge, mtu, &index);

	return r < 0 ? r : steal_fd(&fd);
}
