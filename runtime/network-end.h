/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-end - a device of a network, as it is set up where its user is: in a container's namespace, or in a guest
 */

#include "runtime/net/address.h"
#include "runtime/network-book.h"

struct network_end {
	const char *device;			/* its name there. Borrowed */
	struct net_mac mac;
	unsigned int mtu;			/* 0: not said */
	struct net_address addresses[FAMILIES];	/* unset: none */
	unsigned int lengths[FAMILIES];		/* of their prefixes */
	struct net_address gateways[FAMILIES];	/* unset: no way out by this device */
};

/*
 * network_end_settle() - addresses and routes for a device that is there, and up with it
 * @sock: of nl_open_in(…, NETLINK_ROUTE)
 *
 * Return: 0 or a recorded failure.
 */
int network_end_settle(int sock, const struct network_end *end);
