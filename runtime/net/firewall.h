/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * firewall - whether rules of the host's own keep packets from being forwarded
 */

/* Who has made the rules, as far as their names tell. */
enum net_firewall_owner {
	NET_FIREWALL_UNKNOWN,
	NET_FIREWALL_FIREWALLD,
	NET_FIREWALL_UFW,
	NET_FIREWALL_DOCKER,
};

struct net_firewall {
	char *chain; /* malloc'ed: "ip filter FORWARD" */
	enum net_firewall_owner owner;
};

/*
 * net_firewall_find() - a chain of somebody else's that forwarded packets meet, and that drops what it does not know
 * @bridges: what names of our bridges begin with: a table that names them is taken to let them through
 *
 * Accepting in our own table does not help: each table decides for itself. Tables of the older iptables are not seen.
 * Return: 0, NET_FIREWALL_DROPS with @ret, or a recorded failure.
 */
enum { NET_FIREWALL_DROPS = 1 };
int net_firewall_find(const char *bridges, struct net_firewall *ret);
