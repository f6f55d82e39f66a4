/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * redirect - all that a device of a network namespace receives goes to a virtual machine, and comes from it
 *
 * Whoever made the namespace keeps its device as it is, address and all: packets are taken from it before its own network
 * stack sees them. Source: tc(8), tc-mirred(8).
 */

#include <net/if.h>
#include <stdbool.h>

#include "runtime/net/address.h"

struct net_link {
	char name[IFNAMSIZ];
	unsigned int index, mtu;
	struct net_mac mac;
	bool up, loopback;
};

/* net_links() - call @found with every device. @sock: of nl_open_in(). Return: 0, or a recorded failure, which @found's ends it with, too. */
int net_links(int sock, int (*found)(const struct net_link *link, void *data), void *data);

/*
 * net_tap_redirect() - a device with a descriptor, in @netns, that stands for @link
 * @sock: of nl_open_in(@netns, NETLINK_ROUTE)
 * @name: of the new device; one that is in use there is a machine's already
 *
 * It goes with its last descriptor; a redirection that another one left is replaced. *Needs* CAP_NET_ADMIN over the namespace, and
 * the kernel's modules sch_ingress, cls_matchall, act_mirred, which it loads by itself.
 * Return: the descriptor (see runtime/net/tap.h), or a recorded failure.
 */
int net_tap_redirect(int netns, int sock, const char *name, const struct net_link *link);
