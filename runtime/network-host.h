/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-host - the host made to be what the book says
 *
 * Bridges, the table of rules and the host's settings are a function of networks and leases; nothing else is remembered.
 * So whoever was killed half-way, the next who comes makes it right.
 */

struct network;
struct network_book;
struct str_list;

/*
 * network_host_apply() - bring bridges, rules and settings to what the book says; what is right is left alone
 *
 * Settings are recorded in the book before they are changed. The leases are written at the end: those that were added are
 * written before by the caller, those that were removed are not, so that whoever is killed on the way can be followed. Return: 0 or a recorded failure.
 */
int network_host_apply(struct network_book *book);

/*
 * network_host_faults() - names of the networks that are in use and that somebody has broken: their bridge, the rules, forwarding
 * @ret: added to; network_host_apply() mends them
 *
 * Return: 0 or a recorded failure.
 */
int network_host_faults(const struct network_book *book, struct str_list *ret);

/*
 * network_leases_purge() - drop leases of containers that have no record, with their devices; not yet written
 *
 * Return: how many, or a recorded failure.
 */
int network_leases_purge(struct network_book *book);
