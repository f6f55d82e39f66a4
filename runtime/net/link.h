/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * link - a network device of the host, moved into another network namespace, and what it has
 */

#include "runtime/net/address.h"

/*
 * net_link_move() - move a device, with its permanent global addresses, and set it up there
 * @name: in the caller's namespace
 * @netns: fd of the other one
 * @new_name: its name there, which may be the same
 *
 * The calling thread enters the other namespace for a moment. *Needs* CAP_NET_ADMIN over both, and CAP_SYS_ADMIN
 * over the other. What the kernel drops beside the addresses (routes) stays dropped.
 * Return: 0 or a recorded failure that names the device.
 */
int net_link_move(const char *name, int netns, const char *new_name);

/*
 * net_addresses_of() - call @found with the permanent global addresses of a device
 * @sock: of nl_open(NETLINK_ROUTE)
 *
 * Return: 0, or a recorded failure, which @found's ends it with, too.
 */
int net_addresses_of(int sock, unsigned int index, int (*found)(const struct net_address *address, unsigned int length, void *data),
		     void *data);
