/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, names and ports of a container, chosen or judged against what the book says that others have. */
#include "runtime/network-lease.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "runtime/base/error.h"
#include "runtime/container.h"
#include "runtime/net/address.h"
#include "runtime/net/port.h"
#include "runtime/network-book.h"
#include "runtime/network-files.h"
#include "runtime/network-host.h"
#include "runtime/network-wish.h"
#include "runtime/network.h"
#include "runtime/pasta.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"
#include "runtime/state.h"

static int address_judge(const struct network_book *book, const struct network *n, int family, const struct net_address *a)
{
	char text[NET_ADDRESS_SIZE], subnet[NET_PREFIX_SIZE];

	(void)net_address_text(text, a);
	if (!net_address_is_set(&n->subnets[family].address))
		return fail_plain(EINVAL, "address %s: network '%s' has no subnet of its family", text, n->name);
	if (!net_prefix_is_host(&n->subnets[family], a))
		return fail_plain(EINVAL, "address %s is outside of network '%s', which is %s", text, n->name,
				  net_prefix_text(subnet, &n->subnets[family]));
	if (net_address_equal(a, &n->gateways[family]))
		return fail_plain(EADDRINUSE, "address %s is the gateway of network '%s'", text, n->name);
	for (size_t i = 0; i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, n->name) && net_address_equal(a, &book->leases[i].addresses[family]))
			return fail_plain(EADDRINUSE, "address %s of network '%s' is taken by container '%s'", text, n->name,
					  book->leases[i].id);
	return 0;
}

static int address_choose(const struct network_book *book, const struct network *n, int family, struct net_address *ret)
{
	cleanup_free struct net_address *taken = calloc(book->lease_count + 1, sizeof(*taken));
	char subnet[NET_PREFIX_SIZE];
	size_t count = 0;

	if (!taken)
		return fail(ENOMEM, "choose an address");
	taken[count++] = n->gateways[family];
	for (size_t i = 0; i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, n->name))
			taken[count++] = book->leases[i].addresses[family];
	if (net_address_choose(&n->subnets[family], taken, count, ret))
		return 0;
	return fail_plain(ENOSPC, "network '%s' has no address left in %s", n->name, net_prefix_text(subnet, &n->subnets[family]));
}

static int addresses_take(const struct network_book *book, const struct network *n, const struct network_join *join,
			  struct network_lease *lease)
{
	int r = 0;

	for (int f = 0; r == 0 && f < FAMILIES; f++) {
		lease->addresses[f] = join->addresses[f];
		if (net_address_is_set(&join->addresses[f]))
			r = address_judge(book, n, f, &join->addresses[f]);
		else if (net_address_is_set(&n->subnets[f].address))
			r = address_choose(book, n, f, &lease->addresses[f]);
	}
	return r;
}

static int mac_take(const struct network_book *book, const struct network_join *join, struct network_lease *lease)
{
	char text[NET_MAC_SIZE];

	lease->mac = net_mac_is_set(&join->mac) ? join->mac : net_mac_of(&lease->addresses[lease->addresses[V4].family ? V4 : V6]);
	for (size_t i = 0; i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, lease->network) &&
		    memcmp(&book->leases[i].mac, &lease->mac, sizeof(lease->mac)) == 0)
			return fail_plain(EADDRINUSE, "device address %s is taken by container '%s'", net_mac_text(text, &lease->mac),
					  book->leases[i].id);
	return 0;
}

/* Not one of our bridges' names, and nobody's who names devices by their place. */
static int pair_choose(const struct network_book *book, char **ret)
{
	for (;;) {
		unsigned int number;
		bool taken = false;
		int r;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return fail(errno, "make up a name");
		r = str_format(ret, "ncl%08x", number);
		if (r < 0)
			return r;
		for (size_t i = 0; i < book->lease_count; i++)
			taken |= str_eq(book->leases[i].pair, *ret);
		if (!taken)
			return 0;
		free(*ret);
		*ret = NULL;
	}
}

static int names_take(const struct spec *spec, const char *id, const struct network_join *join, struct network_lease *lease)
{
	const char *name = spec_annotation(spec, SHORT_ANNOTATION "name");
	int r = str_list_add(&lease->names, id);

	if (r == 0 && name && !str_eq(name, id) && network_alias_check(name) == 0)
		r = str_list_add(&lease->names, name);
	for (size_t i = 0; r == 0 && i < join->aliases.count; i++)
		if (!str_list_has(&lease->names, join->aliases.items[i]))
			r = str_list_add(&lease->names, join->aliases.items[i]);
	return r;
}

static int lease_fill(const struct network_book *book, const struct network *n, const struct network_join *join, size_t number,
		      struct network_lease *lease)
{
	int r = str_copy(&lease->network, n->name);

	if (r == 0)
		r = str_format(&lease->device, "eth%zu", number);
	if (r == 0)
		r = addresses_take(book, n, join, lease);
	if (r == 0)
		r = mac_take(book, join, lease);
	return r < 0 ? r : pair_choose(book, &lease->pair);
}

static int port_judge(const struct network_book *book, const struct network *n, const struct net_port *port)
{
	char text[NET_PORT_SIZE];

	if (port->host.family == AF_INET6 && !net_address_is_set(&n->subnets[V6].address))
		return fail_plain(EINVAL, "'%s': network '%s' has no IPv6 (create it with --ipv6)", net_port_text(text, port), n->name);
	if (port->host.family == AF_INET && !net_address_is_set(&n->subnets[V4].address))
		return fail_plain(EINVAL, "'%s': network '%s' has no IPv4", net_port_text(text, port), n->name);
	for (size_t i = 0; i < book->lease_count; i++)
		for (size_t k = 0; k < book->leases[i].port_count; k++) {
			uint16_t clash = net_port_clash(port, &book->leases[i].ports[k]);

			if (clash)
				return fail_plain(EADDRINUSE, "port %u/%s of the host is published by container '%s' already", clash,
						  net_protocol_name(port->protocol), book->leases[i].id);
		}
	return net_port_check(port);
}

/* Beyond those that the kernel gives to the host's own connections. Source: ip_local_port_range's default, ip-sysctl.rst. */
enum { CHOSEN_FIRST = 61000, CHOSEN_COUNT = 65536 - CHOSEN_FIRST };

/* What another port of the same container has taken already is not in the book yet. */
static bool port_is_free(const struct network_book *book, const struct network *n, const struct network_lease *lease,
			 const struct net_port *port)
{
	for (size_t i = 0; i < lease->port_count; i++)
		if (net_port_clash(port, &lease->ports[i]))
			return false;
	return port_judge(book, n, port) == 0;
}

/* A port for whom any is right. Where the search begins is the container's own, so that it tends to have the same each time. */
static int port_choose(const struct network_book *book, const struct network *n, const char *id, const struct network_lease *lease,
		       struct net_port *port)
{
	uint32_t start = (uint32_t)(str_hash(str_hash(STR_HASH_START, id, strlen(id)), &port->inside_port,
					     sizeof(port->inside_port)) % CHOSEN_COUNT);

	for (uint32_t i = 0; i < CHOSEN_COUNT; i++) {
		uint32_t first = CHOSEN_FIRST + (start + i) % CHOSEN_COUNT;

		if (first + port->count > UINT16_MAX + 1U)
			continue;
		port->host_port = (uint16_t)first;
		if (port_is_free(book, n, lease, port))
			return 0;
	}
	return fail_plain(EADDRINUSE, "none of the host's ports from %d on is free for port %u", CHOSEN_FIRST, port->inside_port);
}

/* They lead to the first network that the world can reach. */
static int ports_take(const struct network_book *book, const struct network *n, const char *id, const struct network_wish *wish,
		      struct network_lease *lease)
{
	int r = 0;

	if (!wish->port_count)
		return 0;
	if (n->internal)
		return fail_plain(EINVAL, "network '%s' is internal: nothing outside reaches a port of it", n->name);
	lease->ports = calloc(wish->port_count, sizeof(*lease->ports));
	if (!lease->ports)
		return fail(ENOMEM, "publish ports");
	for (size_t i = 0; r == 0 && i < wish->port_count; i++) {
		struct net_port port = wish->ports[i];

		r = port.host_port ? port_judge(book, n, &port) : port_choose(book, n, id, lease, &port);
		lease->ports[lease->port_count++] = port;
	}
	return r < 0 ? fail_in(r, PORTS_ANNOTATION) : 0;
}

static const struct network *network_wanted(struct network_book *book, const char *name)
{
	const struct network *n = network_find(book, name);

	if (!n && str_eq(name, NETWORK_DEFAULT) && network_default(book) == 0)
		n = network_find(book, name);
	else if (!n && str_eq(name, PASTA_NETWORK))
		(void)fail_plain(EINVAL, "network '" PASTA_NETWORK "' is for users without root: leave it out, the default network does the same");
	else if (!n && !str_eq(name, NETWORK_DEFAULT))
		(void)fail_plain(ENOENT, "network '%s' is unknown: 'nacelle network create %s' makes one", name, name);
	return n;
}

static int lease_make(struct network_book *book, const struct container_place *place, const struct spec *spec, const char *id,
		      const struct network_wish *wish, size_t number)
{
	const struct network *n = network_wanted(book, wish->joins[number].network);
	struct network_lease lease = { .network = NULL };
	int r = n ? lease_fill(book, n, &wish->joins[number], number, &lease) : -ENOENT;

	if (r == 0)
		r = str_copy(&lease.id, id);
	if (r == 0)
		r = str_copy(&lease.root, place->root);
	if (r == 0)
		r = names_take(spec, id, &wish->joins[number], &lease);
	if (r == 0 && number == 0)
		r = ports_take(book, n, id, wish, &lease);
	if (r == 0)
		r = network_lease_add(book, &lease);
	network_lease_done(&lease);
	return r;
}

int network_leases_make(struct network_book *book, const struct container_place *place, const struct spec *spec, const char *id,
			const struct state_dir *dir, const struct network_wish *wish)
{
	int r = network_leases_purge(book);

	if (r > 0)
		r = 0;
	for (size_t i = 0; r == 0 && i < wish->join_count; i++)
		r = lease_make(book, place, spec, id, wish, i);
	if (r == 0)
		r = network_leases_write(book);
	return r < 0 ? r : network_files_write(book, dir->fd, place->root, id, spec->hostname, &wish->dns);
}
