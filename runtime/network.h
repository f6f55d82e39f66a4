/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network - networks of containers: made, listed, removed
 *
 * A network is a record; its bridge is made when the first container comes, and goes with the last. There is one that needs
 * no making, NETWORK_DEFAULT: it is recorded when it is first used.
 */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "runtime/base/str.h"
#include "runtime/net/address.h"

struct container_place;
struct network;
struct network_book;

#define NETWORK_DEFAULT "nacelle"

enum {
	NETWORK_NAME_MAX = 63,
	NETWORK_DEVICE_MAX = 15,	/* letters of a device's name */
	NETWORK_MTU_MIN = 68, NETWORK_MTU_MAX = 65535,
};

/* network_name_check() - letters, digits, '_', '.' and '-'; not a word that means something else. Return: 0 or a recorded failure. */
int network_name_check(const char *name);

/* What a new network is to be like. */
struct network_options {
	const char *name;
	struct str_list subnets, gateways;	/* of each at most one for each family; borrowed */
	bool ipv6;				/* a subnet of it too, when none is given */
	bool internal;
	unsigned int mtu;			/* 0: the kernel's choice */
	struct str_list labels;			/* "KEY=VALUE" or "KEY" */
};

/* network_create() - record a network. Return: 0 or a recorded failure. */
int network_create(const struct container_place *place, const struct network_options *options);

/*
 * network_default() - the default network of an open book, recorded when it is not yet there
 *
 * Return: 0 or a recorded failure.
 */
int network_default(struct network_book *book);

/* network_remove() - Return: 0, NETWORK_NOT_FOUND, or a recorded failure: a network that is used stays. */
enum { NETWORK_NOT_FOUND = 1 };
int network_remove(const struct container_place *place, const char *name);

/*
 * network_prune() - remove what no container uses: records of networks but for the default one, and what killed processes left
 * @ret_names: of the networks that were removed
 */
int network_prune(const struct container_place *place, struct str_list *ret_names);

/*
 * network_list_json() - all networks, or those named, with their containers
 * @names: NULL: all. One that is unknown is a failure.
 * @ret: new reference: an array of objects
 */
int network_list_json(const struct container_place *place, const struct str_list *names, json_t **ret);

/*
 * network_broken() - names of networks in use that somebody has broken: their bridge was removed or is down, or all networks' rules
 * network_mend() - make all of them what they should be; who is in them is put back
 * @ret: added to
 *
 * Return: 0 or a recorded failure.
 */
int network_broken(const struct container_place *place, struct str_list *ret);
int network_mend(const struct container_place *place);

/* network_ports() - ports that a container has published, as net_port_text() writes them. @ret: str_list_done() it, after a failure too. */
int network_ports(const struct container_place *place, const char *id, struct str_list *ret);
