/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-book - what is recorded of networks, under one lock: <data>/networks/
 *
 *	NAME.json	a network; replaced as a whole, written before anything is made for it
 *	.leases.json	who is in which network, by which addresses, with which published ports, and what was changed in
 *			the host's settings; written before, and stamped with the boot: what is of another is not believed
 *	.lock		flock(2)
 *
 * Bridges, rules and settings of the host are a function of this: see network-host.h.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"
#include "runtime/net/address.h"
#include "runtime/net/port.h"

enum { V4, V6, FAMILIES };	/* index of what there is one of each family */

struct network {
	char *name, *bridge, *created;
	struct net_prefix subnets[FAMILIES];	/* unset: none; at least one is set */
	struct net_address gateways[FAMILIES];	/* the bridge's own address, set where the subnet is */
	bool internal;
	unsigned int mtu;			/* 0: the kernel's choice */
	struct str_list labels;			/* "key=value" */
};

/* A container in a network. */
struct network_lease {
	char *network;
	char *id, *root;			/* which container: an id is unique in its folder of state alone */
	char *device, *pair;			/* its device inside, and the other end on the host */
	struct net_address addresses[FAMILIES];
	struct net_mac mac;
	struct str_list names;			/* by which the others of the network know it; the first is its own */
	struct net_port *ports;			/* of the first of its networks */
	size_t port_count;
};

/* A setting below /proc/sys that we have changed. */
struct network_setting {
	char *path, *old, *set;
};

struct network_book {
	int dir, lock;
	struct network *networks;
	size_t network_count;
	struct network_lease *leases;
	size_t lease_count;
	struct network_setting *settings;
	size_t setting_count;
};
#define NETWORK_BOOK_NONE { .dir = -1, .lock = -1 }

/*
 * network_book_open() - lock and read it
 * @make: the folder is made when it is missing
 *
 * Return: 0 with @ret the caller's for network_book_close(), NETWORK_NO_BOOK, or a recorded failure.
 */
enum { NETWORK_NO_BOOK = 1 };
int network_book_open(const char *data, bool make, struct network_book *ret);
void network_book_close(struct network_book *book);

/* network_find() - NULL: there is none. The pointer holds until a network is added or removed. */
struct network *network_find(const struct network_book *book, const char *name);
/* network_users() - how many leases a network has. */
size_t network_users(const struct network_book *book, const char *name);

/* network_add() - record a network; @network's parts become the book's. Return: 0 or a recorded failure. */
int network_add(struct network_book *book, struct network *network);
/* network_forget() - remove its record. */
int network_forget(struct network_book *book, const char *name);
void network_done(struct network *network);

/* network_leases_write() - replace the record of leases and settings. */
int network_leases_write(const struct network_book *book);
/* network_lease_add(), network_setting_add() - put in at the end, not yet written. The parts become the book's. */
int network_lease_add(struct network_book *book, struct network_lease *lease);
int network_setting_add(struct network_book *book, const char *path, const char *old, const char *set);
/* network_lease_remove(), network_setting_remove() - not yet written; the order of the others stays. */
void network_lease_remove(struct network_book *book, size_t index);
void network_setting_remove(struct network_book *book, size_t index);
void network_lease_done(struct network_lease *lease);
