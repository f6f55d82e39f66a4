/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * route - routes of one device, read in one place to be made in another
 *
 * Both work on a socket of nl_open(NETLINK_ROUTE), as device.h's do. Source: rtnetlink(7).
 */

#include "runtime/net/address.h"

struct net_route {
	struct net_prefix to;		/* of length 0: all that is nowhere else */
	struct net_address gateway;	/* unset: on the device's own link */
};

/*
 * net_routes_of() - call @found with what somebody has set up in the main table for the device
 *
 * What the kernel makes by itself, with an address, and what a router announces is left out. Return: 0, or a recorded failure,
 * which @found's ends it with, too.
 */
int net_routes_of(int sock, unsigned int index, int (*found)(const struct net_route *route, void *data), void *data);

/* net_route_add() - Return: 0 or a recorded failure. */
int net_route_add(int sock, unsigned int index, const struct net_route *route);
