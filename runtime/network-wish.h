/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-wish - what a spec asks for in networks: three annotations, each one text
 *
 *	io.nacelle.network	"NAME[:OPTION,…]", several with blanks between; or "container:ID"
 *				options: ip=ADDRESS (once for each family), mac=ADDRESS, alias=NAME (may be given again)
 *	io.nacelle.ports	"8080:80/tcp,…": see runtime/net/port.h; published from the first network
 *	io.nacelle.dns		"10.0.0.1,…": name servers
 *
 * The short form writes them, and an OCI document that has them behaves the same. Ports or name servers without a network
 * mean the default one.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/str.h"
#include "runtime/net/address.h"
#include "runtime/net/port.h"

struct spec;

#define NETWORK_ANNOTATION "network"
#define PORTS_ANNOTATION "ports"
#define DNS_ANNOTATION "dns"

/* A network to be joined. */
struct network_join {
	char *network;
	struct net_address addresses[2];	/* asked for, by family; unset: any */
	struct net_mac mac;			/* unset: any */
	struct str_list aliases;
};

struct network_wish {
	struct network_join *joins;
	size_t join_count;
	char *container;		/* whose network namespace is shared; NULL: of none */
	struct net_port *ports;
	size_t port_count;
	struct str_list dns;
};

/*
 * network_wish_read() - from the texts of the annotations, each of which may be NULL
 *
 * Return: 0 with @ret the caller's for network_wish_done(), or a recorded failure.
 */
int network_wish_read(const char *network, const char *ports, const char *dns, struct network_wish *ret);
/* network_wish_of() - the same of a spec's own annotations; also judges them against the rest of it. */
int network_wish_of(const struct spec *spec, struct network_wish *ret);
void network_wish_done(struct network_wish *wish);

/* network_wish_is_any() - whether there is anything in @spec that is ours to do; costs next to nothing. */
bool network_wish_is_any(const struct spec *spec);

/* network_alias_check() - a name for the others to call it by. Return: 0 or a recorded failure. */
int network_alias_check(const char *name);
