/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * firewall - whether rules of the host's own keep packets from being forwarded
 */

/*
 * net_firewall_find() - a chain of somebody else's that forwarded packets meet, and that drops what it does not know
 * @bridges: what names of our bridges begin with: a table that names them is taken to let them through
 * @ret_chain: malloc'ed: "ip filter FORWARD"
 *
 * Accepting in our own table does not help: each table decides for itself. Tables of the older iptables are not seen.
 * Return: 0, NET_FIREWALL_DROPS with @ret_chain, or a recorded failure.
 */
enum { NET_FIREWALL_DROPS = 1 };
int net_firewall_find(const char *bridges, char **ret_chain);
