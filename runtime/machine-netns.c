/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network namespace that others made, by its path: engines do so. The machine takes the place of each device in it that is up
 * and has an address: what the device receives goes to the guest, whose own one has the same hardware address, addresses and routes.
 * The agent is told in the list "networks" (machine-network.c):
 *
 *	[{ "device": "eth0", "mac": "aa:…", "addresses": [{ "address": "10.88.0.2", "length": 16 }],
 *	   "routes": [{ "to": "0.0.0.0/0", "gateway": "10.88.0.1" }] }]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/machine.h"
#include "runtime/net/link.h"
#include "runtime/net/nl.h"
#include "runtime/net/redirect.h"
#include "runtime/net/route.h"

enum { LINKS_MAX = 8 };

struct links {
	struct net_link items[LINKS_MAX];
	size_t count;
};

static int link_found(const struct net_link *link, void *data)
{
	struct links *links = data;

	if (!link->up || link->loopback)
		return 0;
	if (links->count == LINKS_MAX)
		return fail_plain(E2BIG, "more than %d network devices are in it", LINKS_MAX);
	links->items[links->count++] = *link;
	return 0;
}

static int address_found(const struct net_address *address, unsigned int length, void *data)
{
	char text[NET_ADDRESS_SIZE];
	json_t *one = json_pack("{s:s, s:i}", "address", net_address_text(text, address), "length", (int)length);

	return json_array_append_new(data, one) < 0 ? fail(ENOMEM, "tell the guest of its addresses") : 0;
}

static int route_found(const struct net_route *route, void *data)
{
	char to[NET_PREFIX_SIZE], gateway[NET_ADDRESS_SIZE];
	bool far = net_address_is_set(&route->gateway);
	json_t *one = json_pack("{s:s, s:s*}", "to", net_prefix_text(to, &route->to), "gateway",
				far ? net_address_text(gateway, &route->gateway) : NULL);

	/* By a gateway last: the kernel takes it when there is a way to that one. */
	return (far ? json_array_append_new(data, one) : json_array_insert_new(data, 0, one)) < 0 ?
		fail(ENOMEM, "tell the guest of its routes") : 0;
}

static int link_take(struct machine *m, int netns, int sock, const struct net_link *link, json_t *list)
{
	cleanup_json json_t *addresses = json_array(), *routes = json_array();
	char name[IFNAMSIZ], mac[NET_MAC_SIZE];
	int tap, r = addresses && routes ? net_addresses_of(sock, link->index, address_found, addresses) : fail(ENOMEM, "tell the guest");

	if (r < 0 || json_array_size(addresses) == 0)
		return r;
	r = net_routes_of(sock, link->index, route_found, routes);
	if (r < 0)
		return r;
	(void)snprintf(name, sizeof(name), "nacelle-vm%zu", json_array_size(list));
	tap = net_tap_redirect(netns, sock, name, link);
	r = tap < 0 ? tap : machine_network_device(m, tap, &link->mac, link->mtu);
	if (r < 0)
		return r;
	return json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:O}", "device", link->name, "mac",
						     net_mac_text(mac, &link->mac), "addresses", addresses, "routes", routes)) < 0 ?
		fail(ENOMEM, "tell the guest of its networks") : 0;
}

/* Its devices are the host's: who may have them is not for a container to say. */
static bool is_own(int netns)
{
	struct stat own, other;

	return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(netns, &other) == 0 && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

int machine_netns(struct machine *m, const char *path, json_t *list)
{
	cleanup_fd int netns = open(path, O_RDONLY | O_CLOEXEC), sock = -1;
	struct links links = { .count = 0 };
	int r;

	if (netns < 0)
		return fail(errno, "linux.namespaces: open the network namespace '%s'", path);
	if (is_own(netns))
		return fail_plain(ENOTSUP, "linux.namespaces: '%s': not supported with 'vm': the host's network cannot be shared", path);
	sock = nl_open_in(netns, NETLINK_ROUTE);
	r = sock < 0 ? sock : net_links(sock, link_found, &links);
	for (size_t i = 0; r == 0 && i < links.count; i++)
		r = link_take(m, netns, sock, &links.items[i], list);
	return r < 0 ? fail_in(r, "linux.namespaces: network namespace '%s'", path) : 0;
}
