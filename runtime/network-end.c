/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes come last: the kernel takes none by a device that is down, or by a gateway that no address of it can reach.
 */
#include "runtime/network-end.h"

#include <errno.h>

#include "runtime/base/error.h"
#include "runtime/net/device.h"

int network_end_settle(int sock, const struct network_end *end)
{
	struct net_device device;
	int r = net_device_find(sock, end->device, &device);

	if (r == NET_DEVICE_NONE)
		return fail_plain(ENODEV, "its end is not in the container");
	for (int f = 0; r == 0 && f < FAMILIES; f++)
		if (net_address_is_set(&end->addresses[f]))
			r = net_device_address(sock, device.index, &end->addresses[f], end->lengths[f]);
	if (r == 0)
		r = net_device_up(sock, device.index);
	for (int f = 0; r == 0 && f < FAMILIES; f++)
		if (net_address_is_set(&end->gateways[f]))
			r = net_route_default(sock, device.index, &end->gateways[f], 0);
	return r;
}
