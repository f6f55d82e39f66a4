/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of networks. A subnet that nobody chose comes from a pool, and is one that neither another network nor a route of
 * the host has; one that was chosen must not take the place of what the host has.
 */
#include "runtime/network.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "runtime/base/json.h"
#include "runtime/config.h"
#include "runtime/container.h"
#include "runtime/net/device.h"
#include "runtime/net/rules.h"
#include "runtime/network-book.h"
#include "runtime/network-host.h"
#include "runtime/network-record.h"
#include "runtime/state.h"

/* Prefixes of networks that nobody chose, and the longest that anybody may. */
enum { POOL_V4 = 24, POOL_V6 = 64, LONGEST_V4 = 30, LONGEST_V6 = 126, SHORTEST = 8 };

int network_name_check(const char *name)
{
	static const char *const words[] = { "none", "host", "bridge", "container", "default", "private", "ns", "pasta", "slirp4netns" };
	char quoted[STR_QUOTE_SIZE];

	if (!*name || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *name) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] ||
	    strlen(name) > NETWORK_NAME_MAX)
		return fail_plain(EINVAL, "%s is not the name of a network: letters, digits, '_', '.' and '-', at most %d, and first "
				  "a letter or digit", str_quote(quoted, name), NETWORK_NAME_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(name, words[i]))
			return fail_plain(EINVAL, "'%s' is no name for a network: it means something else", name);
	return 0;
}

/* --- subnets --------------------------------------------------------------------------------------- */

struct routes {
	struct net_prefix *items;
	size_t count;
};

static int route_add(const struct net_prefix *prefix, void *data)
{
	struct routes *routes = data;
	void *more = realloc(routes->items, (routes->count + 1) * sizeof(*routes->items));

	if (!more)
		return fail(ENOMEM, "list the routes");
	routes->items = more;
	routes->items[routes->count++] = *prefix;
	return 0;
}

static int routes_read(struct routes *routes)
{
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);

	return sock < 0 ? sock : net_routes(sock, route_add, routes);
}

static const struct network *network_overlapping(const struct network_book *book, const struct net_prefix *p)
{
	for (size_t i = 0; i < book->network_count; i++)
		for (int f = 0; f < FAMILIES; f++)
			if (net_address_is_set(&book->networks[i].subnets[f].address) &&
			    net_prefix_overlaps(&book->networks[i].subnets[f], p))
				return &book->networks[i];
	return NULL;
}

static bool is_free(const struct network_book *book, const struct routes *routes, const struct net_prefix *p)
{
	if (network_overlapping(book, p))
		return false;
	for (size_t i = 0; i < routes->count; i++)
		if (net_prefix_overlaps(&routes->items[i], p))
			return false;
	return true;
}

struct pools {
	struct str_list pools;
};

static const struct json_field pools_fields[] = {
	{ "address_pools", json_get_strings, offsetof(struct pools, pools), 0, NULL, NULL },
	{ .name = NULL },
};

static int pools_read(struct str_list *ret)
{
	static const char *const usual[] = { "10.90.0.0/16", "172.30.0.0/16", "192.168.96.0/20" };
	struct pools pools = { .pools = { .items = NULL } };
	cleanup_json json_t *v = NULL;
	int r = config_load(&v);

	if (r == 0)
		r = json_object_read(&JSON_ROOT, v, pools_fields, 0, &pools);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual) && !json_object_get(v, "address_pools"); i++)
		r = str_list_add(&pools.pools, usual[i]);
	*ret = pools.pools;
	return r < 0 ? fail_in(r, "configuration") : 0;
}

static int pool_choose(const struct network_book *book, const struct routes *routes, const char *text, struct net_prefix *ret)
{
	struct net_prefix pool;
	unsigned int length;

	if (net_prefix_read(text, &pool) < 0 || pool.address.family != AF_INET || pool.length < SHORTEST || pool.length > LONGEST_V4)
		return fail_plain(EINVAL, "configuration: address_pools: '%s' is not a prefix of IPv4 addresses, as 10.90.0.0/16", text);
	length = pool.length > POOL_V4 ? pool.length : POOL_V4;
	for (uint64_t n = 0; net_prefix_part(&pool, length, n, ret); n++)
		if (is_free(book, routes, ret))
			return 1;
	return 0;
}

static int subnet_choose(const struct network_book *book, const struct routes *routes, struct net_prefix *ret)
{
	struct str_list pools = { .items = NULL };
	int r = pools_read(&pools);

	for (size_t i = 0; r == 0 && i < pools.count; i++)
		r = pool_choose(book, routes, pools.items[i], ret);
	if (r == 0)
		r = fail_plain(ENOSPC, "no subnet is left that neither a network nor a route of the host has: choose one by --subnet, "
			       "or other 'address_pools' in the configuration");
	str_list_done(&pools);
	return r < 0 ? r : 0;
}

/* A unique local one: fd, and 40 random bits. Source: RFC 4193. */
static int subnet6_choose(const struct network_book *book, const struct routes *routes, struct net_prefix *ret)
{
	struct net_prefix p = { .address = { .family = AF_INET6, .bytes = { 0xfd } }, .length = POOL_V6 };

	do {
		if (getrandom(p.address.bytes + 1, 5, 0) != 5)
			return fail(errno, "choose a subnet");
	} while (!is_free(book, routes, &p));
	*ret = p;
	return 0;
}

static int subnet_judge(const struct network_book *book, const struct routes *routes, const char *text, const struct net_prefix *p)
{
	const struct network *other = network_overlapping(book, p);
	unsigned int longest = p->address.family == AF_INET ? LONGEST_V4 : LONGEST_V6;
	char route[NET_PREFIX_SIZE];

	if (p->length < SHORTEST || p->length > longest)
		return fail_plain(EINVAL, "subnet '%s': its length is from %d to %u", text, SHORTEST, longest);
	if (other)
		return fail_plain(EEXIST, "subnet '%s' overlaps that of network '%s'", text, other->name);
	for (size_t i = 0; i < routes->count; i++)
		if (routes->items[i].length >= p->length && net_prefix_overlaps(&routes->items[i], p))
			return fail_plain(EEXIST, "subnet '%s' would take the place of the host's route to %s", text,
					  net_prefix_text(route, &routes->items[i]));
	return 0;
}

static int subnets_take(const struct network_book *book, const struct routes *routes, const struct network_options *o,
			struct network *n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->subnets.count; i++) {
		const char *text = o->subnets.items[i];
		struct net_prefix p;
		int family;

		if (net_prefix_read(text, &p) < 0)
			return fail_plain(EINVAL, "'%s' is not a subnet, as 10.90.1.0/24", text);
		family = p.address.family == AF_INET ? V4 : V6;
		if (net_address_is_set(&n->subnets[family].address))
			return fail_plain(EINVAL, "subnet '%s': a network has one of each family", text);
		r = subnet_judge(book, routes, text, &p);
		n->subnets[family] = p;
	}
	if (r == 0 && !o->subnets.count)
		r = subnet_choose(book, routes, &n->subnets[V4]);
	if (r == 0 && o->ipv6 && !net_address_is_set(&n->subnets[V6].address))
		r = subnet6_choose(book, routes, &n->subnets[V6]);
	return r;
}

static int gateways_take(const struct network_options *o, struct network *n)
{
	for (int f = 0; f < FAMILIES; f++)
		(void)net_prefix_nth(&n->subnets[f], 1, &n->gateways[f]);
	for (size_t i = 0; i < o->gateways.count; i++) {
		const char *text = o->gateways.items[i];
		struct net_address a;
		int family;

		if (net_address_read(text, &a) < 0)
			return fail_plain(EINVAL, "gateway '%s' is not an address", text);
		family = a.family == AF_INET ? V4 : V6;
		if (!net_address_is_set(&n->subnets[family].address) || !net_prefix_is_host(&n->subnets[family], &a))
			return fail_plain(EINVAL, "gateway '%s' is not an address of the network's subnet", text);
		n->gateways[family] = a;
	}
	return 0;
}

/* --- a network ------------------------------------------------------------------------------------- */

/* The first number that neither a network nor a device of the host has. The default's is 0. */
static int bridge_choose(const struct network_book *book, const char *name, char **ret)
{
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);

	if (sock < 0)
		return sock;
	if (str_eq(name, NETWORK_DEFAULT))
		return str_copy(ret, NET_BRIDGE "0");
	for (unsigned int n = 1;; n++) {
		struct net_device device;
		bool taken = false;
		int r = str_format(ret, NET_BRIDGE "%u", n);

		for (size_t i = 0; r == 0 && i < book->network_count; i++)
			taken |= str_eq(book->networks[i].bridge, *ret);
		if (r == 0 && !taken) {
			r = net_device_find(sock, *ret, &device);
			if (r == NET_DEVICE_NONE)
				return 0;
		}
		if (r < 0)
			return r;
		free(*ret);
		*ret = NULL;
	}
}

static int labels_take(const struct network_options *o, struct network *n)
{
	for (size_t i = 0; i < o->labels.count; i++) {
		const char *text = o->labels.items[i], *equals = strchr(text, '=');
		cleanup_free char *key = strndup(text, strcspn(text, "="));
		int r;

		if (!key)
			return fail(ENOMEM, "read the labels");
		if (!*key)
			return fail_plain(EINVAL, "label '%s' is not KEY=VALUE", text);
		r = str_env_set(&n->labels, key, equals ? equals + 1 : "");
		if (r < 0)
			return r;
	}
	return 0;
}

static int create(struct network_book *book, const struct network_options *o)
{
	struct routes routes = { .items = NULL };
	struct network n = { .internal = o->internal, .mtu = o->mtu };
	int r = network_name_check(o->name);

	if (r == 0 && network_find(book, o->name))
		r = fail_plain(EEXIST, "network '%s' exists already", o->name);
	if (r == 0 && o->mtu && (o->mtu < NETWORK_MTU_MIN || o->mtu > NETWORK_MTU_MAX))
		r = fail_plain(EINVAL, "mtu: must be from %d to %d", NETWORK_MTU_MIN, NETWORK_MTU_MAX);
	if (r == 0)
		r = str_copy(&n.name, o->name);
	if (r == 0)
		r = labels_take(o, &n);
	if (r == 0)
		r = routes_read(&routes);
	if (r == 0)
		r = subnets_take(book, &routes, o, &n);
	if (r == 0 && n.mtu && n.mtu < 1280 && net_address_is_set(&n.subnets[V6].address))
		r = fail_plain(EINVAL, "mtu: IPv6 needs at least 1280");
	if (r == 0)
		r = gateways_take(o, &n);
	if (r == 0)
		r = bridge_choose(book, o->name, &n.bridge);
	if (r == 0 && !(n.created = state_now()))
		r = fail(ENOMEM, "tell the time");
	if (r == 0)
		r = network_add(book, &n);
	network_done(&n);
	free(routes.items);
	return r;
}

/* Only root's can be made: without root there is no network to join. */
static int root_check(void)
{
	return geteuid() == 0 ? 0 : fail_plain(EPERM, "networks need root: use 'none' or 'host'");
}

int network_create(const struct container_place *place, const struct network_options *options)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = root_check();

	if (r == 0)
		r = network_book_open(place->data, true, &book);
	if (r == 0)
		r = create(&book, options);
	network_book_close(&book);
	return r;
}

int network_default(struct network_book *book)
{
	const struct network_options options = { .name = NETWORK_DEFAULT };

	return network_find(book, NETWORK_DEFAULT) ? 0 : create(book, &options);
}

static int fail_used(const struct network_book *book, const char *name)
{
	for (size_t i = 0; i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, name))
			return fail_plain(EBUSY, "network '%s' is used by container '%s': delete that first", name, book->leases[i].id);
	return 0;
}

static int remove_network(struct network_book *book, const char *name)
{
	int r;

	if (!network_find(book, name))
		return NETWORK_NOT_FOUND;
	r = network_leases_purge(book);
	if (r >= 0)
		r = fail_used(book, name);
	if (r == 0)
		r = network_host_apply(book);
	return r < 0 ? r : network_forget(book, name);
}

int network_remove(const struct container_place *place, const char *name)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = root_check();

	if (r == 0)
		r = network_book_open(place->data, false, &book);
	if (r == 0)
		r = remove_network(&book, name);
	network_book_close(&book);
	return r;
}

static int prune(struct network_book *book, struct str_list *ret_names)
{
	int r = network_leases_purge(book);

	if (r >= 0)
		r = network_host_apply(book);
	for (size_t i = book->network_count; r == 0 && i > 0; i--) {
		const char *name = book->networks[i - 1].name;

		if (network_users(book, name) || str_eq(name, NETWORK_DEFAULT))
			continue;
		r = str_list_add(ret_names, name);
		if (r == 0)
			r = network_forget(book, name);
	}
	return r;
}

int network_prune(const struct container_place *place, struct str_list *ret_names)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = root_check();

	if (r == 0)
		r = network_book_open(place->data, false, &book);
	if (r == 0)
		r = prune(&book, ret_names);
	network_book_close(&book);
	return r < 0 ? r : 0;
}

/* --- to look at ------------------------------------------------------------------------------------ */

static json_t *lease_shown(const struct network_lease *l)
{
	char ip[NET_ADDRESS_SIZE], ip6[NET_ADDRESS_SIZE], mac[NET_MAC_SIZE], port[NET_PORT_SIZE];
	json_t *names = json_array(), *ports = json_array();

	for (size_t i = 0; names && i < l->names.count; i++)
		(void)json_array_append_new(names, json_string(l->names.items[i]));
	for (size_t i = 0; ports && i < l->port_count; i++)
		(void)json_array_append_new(ports, json_string(net_port_text(port, &l->ports[i])));
	return json_pack("{ss ss ss ss ss so so}", "id", l->id, "device", l->device, "ip", net_address_text(ip, &l->addresses[V4]),
			 "ip6", net_address_text(ip6, &l->addresses[V6]), "mac", net_mac_text(mac, &l->mac), "names", names, "ports",
			 ports);
}

static json_t *network_shown(const struct network_book *book, const struct network *n)
{
	json_t *v = network_json(n), *containers = json_array();

	for (size_t i = 0; containers && i < book->lease_count; i++)
		if (str_eq(book->leases[i].network, n->name))
			(void)json_array_append_new(containers, lease_shown(&book->leases[i]));
	if (!v || json_object_set_new(v, "containers", containers) < 0) {
		json_decref(v);
		return NULL;
	}
	(void)json_object_del(v, "version");
	return v;
}

static int fail_unknown(const char *name)
{
	char quoted[STR_QUOTE_SIZE];

	return fail_plain(ENOENT, "no network %s (see 'nacelle network ls')", str_quote(quoted, name));
}

static int list(const struct network_book *book, const struct str_list *names, json_t *v)
{
	for (size_t i = 0; !names && i < book->network_count; i++)
		if (json_array_append_new(v, network_shown(book, &book->networks[i])) < 0)
			return fail(ENOMEM, "list the networks");
	for (size_t i = 0; names && i < names->count; i++) {
		const struct network *n = network_find(book, names->items[i]);

		if (!n)
			return fail_unknown(names->items[i]);
		if (json_array_append_new(v, network_shown(book, n)) < 0)
			return fail(ENOMEM, "list the networks");
	}
	return 0;
}

int network_list_json(const struct container_place *place, const struct str_list *names, json_t **ret)
{
	struct network_book book = NETWORK_BOOK_NONE;
	cleanup_json json_t *v = json_array();
	int r = network_book_open(place->data, false, &book);

	if (r >= 0)
		r = v ? list(&book, names, v) : fail(ENOMEM, "list the networks");
	network_book_close(&book);
	if (r == 0)
		*ret = steal_ptr(&v);
	return r;
}

int network_ports(const struct container_place *place, const char *id, struct str_list *ret)
{
	struct network_book book = NETWORK_BOOK_NONE;
	char text[NET_PORT_SIZE];
	int r = network_book_open(place->data, false, &book);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < book.lease_count; i++) {
		const struct network_lease *l = &book.leases[i];

		for (size_t k = 0; r == 0 && str_eq(l->id, id) && str_eq(l->root, place->root) && k < l->port_count; k++)
			r = str_list_add(ret, net_port_text(text, &l->ports[k]));
	}
	network_book_close(&book);
	return r;
}

int network_broken(const struct container_place *place, struct str_list *ret)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = geteuid() != 0 ? NETWORK_NO_BOOK : network_book_open(place->data, false, &book);

	if (r == 0)
		r = network_host_faults(&book, ret);
	network_book_close(&book);
	return r < 0 ? r : 0;
}

int network_mend(const struct container_place *place)
{
	struct network_book book = NETWORK_BOOK_NONE;
	int r = network_book_open(place->data, false, &book);

	if (r == 0)
		r = network_host_apply(&book);
	network_book_close(&book);
	return r < 0 ? r : 0;
}
