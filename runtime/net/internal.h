/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * internal - a request of link.c whose answer is read, so that it can be tried on any socket
 */

#include <linux/if_addr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_ADDRESSES_MAX = 256 };

/* An address as the kernel gave it: the parts that are given back to it. */
struct link_address {
	struct ifaddrmsg about;
	uint32_t flags, metric;
	bool has_local, has_broadcast;
	unsigned char address[16], local[16], broadcast[16];
};

struct link_addresses {
	unsigned int device; /* whose */
	struct link_address items[LINK_ADDRESSES_MAX];
	size_t count;
};

/* link_addresses_list() - the lasting addresses of all->device. Return: 0 or a recorded failure. */
int link_addresses_list(int sock, struct link_addresses *all);
