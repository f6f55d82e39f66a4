/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * rules - what the host's packet filter does for our networks: the table `inet nacelle`, and no other
 *
 * The table is a function of what is recorded, and is replaced as a whole, in one transaction.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/net/address.h"
#include "runtime/net/nl.h"
#include "runtime/net/port.h"

/* All our bridges are called so, with a number behind it. */
#define NET_BRIDGE "nacelle"
#define NET_TABLE "nacelle"

struct net_rules_network {
	const char *bridge;
	struct net_prefix subnets[2];	/* IPv4, IPv6; unset: none */
	bool internal;			/* nothing leaves it, nothing enters */
};

struct net_rules_port {
	struct net_port port;
	struct net_address inside[2];	/* the container's IPv4, IPv6; unset: none */
};

struct net_rules {
	const struct net_rules_network *networks;
	size_t network_count;
	const struct net_rules_port *ports;
	size_t port_count;
};

/* net_rules_apply() - put them in force, instead of those before. Without networks the table goes. Return: 0 or a recorded failure. */
int net_rules_apply(const struct net_rules *rules);

/* net_rules_are_there() - Return: 1 or 0: somebody has taken the table away; or a recorded failure. */
int net_rules_are_there(void);

/* net_rules_message() - the batch that net_rules_apply() sends. */
void net_rules_message(const struct net_rules *rules, struct nl_message *m);
