/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * device - bridges, pairs of virtual devices, their addresses and routes, by rtnetlink
 *
 * All work on a socket of nl_open(NETLINK_ROUTE), and so in the network namespace that it was made in.
 * Return, where nothing else is said: 0 or a recorded failure. Source: rtnetlink(7).
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/net/address.h"

struct net_device {
	unsigned int index, master;	/* master: index of the bridge that it is a port of; 0: of none */
	bool up;
	char kind[16];		/* "bridge", "veth", …; "": the kernel does not say */
};

/* net_device_find() - Return: 0, NET_DEVICE_NONE, or a recorded failure. */
enum { NET_DEVICE_NONE = 1 };
int net_device_find(int sock, const char *name, struct net_device *ret);

/* net_bridge_make() - a bridge that is not up yet. @mtu: 0: the kernel's choice. One that is there already is no failure. */
int net_bridge_make(int sock, const char *name, unsigned int mtu);

/* Both ends of a pair. */
struct net_pair {
	const char *name;	/* here */
	unsigned int bridge;	/* index of the bridge that it becomes a port of */
	const char *inside;	/* name of the other end */
	int netns;		/* where that one is, from its birth on */
	struct net_mac mac;	/* of the other end */
	unsigned int mtu;	/* of both; 0: the kernel's choice */
};
/* net_pair_make() - make them, in one request: whatever kills us, there are both or none. */
int net_pair_make(int sock, const struct net_pair *pair);

/* net_port_join() - make an existing device a port of the bridge. @index: the device's. */
int net_port_join(int sock, unsigned int index, unsigned int bridge);

/*
 * net_port_reflect() - let a port of a bridge send back where it came from
 *
 * Where bridged packets meet the rules (br_netfilter), what a container sends to its own published port never leaves the
 * bridge, which otherwise drops it.
 */
int net_port_reflect(int sock, const char *name);

/* net_device_remove() - and, of a pair, the other end with it. One that is not there is no failure. */
int net_device_remove(int sock, const char *name);
int net_device_up(int sock, unsigned int index);

/* net_device_address() - give it @address. One that it has already is no failure. */
int net_device_address(int sock, unsigned int index, const struct net_address *address, unsigned int length);
/* net_route_default() - all that is nowhere else goes by @gateway. @metric: the lower wins; 0: the kernel's choice. */
int net_route_default(int sock, unsigned int index, const struct net_address *gateway, uint32_t metric);

/* net_routes() - call @found with every prefix that this namespace has a route or an address in, but for the default routes. */
int net_routes(int sock, int (*found)(const struct net_prefix *prefix, void *data), void *data);
