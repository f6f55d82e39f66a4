/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * internal - the requests of link.c whose answers are read, so that they can be tried on any socket
 */

#include <linux/if_addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NET_ADDRESSES_MAX = 256 };

/* An address as the kernel gave it: the parts that are given back to it. */
struct net_address {
	struct ifaddrmsg about;
	uint32_t flags, metric;
	bool has_local, has_broadcast;
	unsigned char address[16], local[16], broadcast[16];
};

struct net_addresses {
	unsigned int device; /* whose */
	struct net_address items[NET_ADDRESSES_MAX];
	size_t count;
};

/* net_addresses_list() - the lasting addresses of all->device. Return: 0 or a recorded failure. */
int net_addresses_list(int sock, struct net_addresses *all);

/* net_device_find() - the number of the device @name; unchanged when the answer does not tell. Return: 0 or a recorded failure. */
int net_device_find(int sock, const char *name, unsigned int *ret_index);
