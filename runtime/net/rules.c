/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table, as nft(8) shows it, for a network on the bridge B with the subnet S:
 *
 *	map at4, any4, at6, any6			published ports: with an address of the host, and on all
 *	chain guard, prerouting, raw:			iifname "nacelle*" ip daddr 127.0.0.0/8 drop
 *	chain prerouting, dstnat:			ip daddr != 127.0.0.0/8 fib daddr type local jump published, and IPv6
 *	chain output, dstnat:				fib daddr type local jump published, ip6 daddr != ::1 the same
 *	chain published:				dnat ip to meta l4proto . th dport map @any4, …
 *	chain postrouting, srcnat:			ip saddr S oifname != B masquerade	(not of an internal network)
 *							ip saddr S oifname B ct status dnat masquerade
 *							ip saddr 127.0.0.0/8 oifname B masquerade
 *	chain forward, filter:				ct state established,related accept
 *							iifname B oifname B accept
 *							iifname B drop, oifname B drop	(an internal network)
 *							ct status dnat accept
 *							oifname "nacelle*" drop
 *
 * So a container is reached from its own network, and from elsewhere by its published ports alone, and networks do not
 * reach each other. What goes to a published port by an address of the host from the port's own network, or from the
 * host's 127.0.0.1, gets the bridge's address, or the answer would not come back the same way. The second needs
 * route_localnet on the bridge, so the guard keeps whoever is behind it from the host's loopback addresses. IPv6 has no such
 * setting, and where br_netfilter is loaded an answer that is for ::1 again is dropped at the bridge: what goes to ::1 stays on
 * the host, where a client is refused at once and tries 127.0.0.1 next, rather than waiting for an answer that never comes.
 */
#include "runtime/net/rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "runtime/net/nft.h"

/* Bits of ct state, as the kernel counts them: NF_CT_STATE_BIT(). */
enum { STATE_ESTABLISHED = 1 << 1, STATE_RELATED = 1 << 2 };

enum { MAP_AT4, MAP_ANY4, MAP_AT6, MAP_ANY6, MAPS };

#define PORT_KEY ((NFT_TYPE_PROTOCOL << 6) | NFT_TYPE_SERVICE)

static const struct nft_map maps[MAPS] = {
	[MAP_AT4] = { NET_TABLE, "at4", 1, (NFT_TYPE_IPV4 << 12) | PORT_KEY, 12, (NFT_TYPE_IPV4 << 6) | NFT_TYPE_SERVICE, 8 },
	[MAP_ANY4] = { NET_TABLE, "any4", 2, PORT_KEY, 8, (NFT_TYPE_IPV4 << 6) | NFT_TYPE_SERVICE, 8 },
	[MAP_AT6] = { NET_TABLE, "at6", 3, (NFT_TYPE_IPV6 << 12) | PORT_KEY, 24, (NFT_TYPE_IPV6 << 6) | NFT_TYPE_SERVICE, 20 },
	[MAP_ANY6] = { NET_TABLE, "any6", 4, PORT_KEY, 8, (NFT_TYPE_IPV6 << 6) | NFT_TYPE_SERVICE, 20 },
};

static const uint8_t loopback[4] = { 127 };
static const uint8_t loopback6[16] = { [15] = 1 };

static size_t rule(struct nl_message *m, const char *chain)
{
	return nft_rule_begin(m, NET_TABLE, chain);
}

static void rule_guard(struct nl_message *m)
{
	size_t r = rule(m, "guard");

	nft_match_device_prefix(m, NFT_IN, NET_BRIDGE);
	nft_match_destination(m, AF_INET, loopback, 8);
	nft_drop(m);
	nft_rule_end(m, r);
}

/*
 * The kernel refuses what comes by a wire for a loopback address only after this: translated, a neighbour's packet would
 * reach a port that is published on the loopback alone.
 */
static void rules_prerouting(struct nl_message *m)
{
	size_t r = rule(m, "prerouting");

	nft_match_destination_not(m, AF_INET, loopback, 8);
	nft_match_local(m);
	nft_jump(m, "published");
	nft_rule_end(m, r);
	r = rule(m, "prerouting");
	nft_match_family(m, AF_INET6);
	nft_match_local(m);
	nft_jump(m, "published");
	nft_rule_end(m, r);
}

static void rules_output(struct nl_message *m)
{
	size_t r = rule(m, "output");

	nft_match_family(m, AF_INET);
	nft_match_local(m);
	nft_jump(m, "published");
	nft_rule_end(m, r);
	r = rule(m, "output");
	nft_match_destination_not(m, AF_INET6, loopback6, 128);
	nft_match_local(m);
	nft_jump(m, "published");
	nft_rule_end(m, r);
}

static void rule_published(struct nl_message *m, int map)
{
	size_t r = rule(m, "published");

	nft_dnat_map(m, map <= MAP_ANY4 ? AF_INET : AF_INET6, map == MAP_AT4 || map == MAP_AT6, &maps[map]);
	nft_rule_end(m, r);
}

static void rules_postrouting(struct nl_message *m, const struct net_rules_network *n)
{
	size_t r;

	for (int i = 0; i < 2; i++) {
		const struct net_prefix *s = &n->subnets[i];

		if (!net_address_is_set(&s->address))
			continue;
		if (!n->internal) {
			r = rule(m, "postrouting");
			nft_match_source(m, s->address.family, s->address.bytes, s->length);
			nft_match_device_not(m, NFT_OUT, n->bridge);
			nft_masquerade(m);
			nft_rule_end(m, r);
		}
		r = rule(m, "postrouting");
		nft_match_source(m, s->address.family, s->address.bytes, s->length);
		nft_match_device(m, NFT_OUT, n->bridge);
		nft_match_ct_status(m, IPS_DST_NAT);
		nft_masquerade(m);
		nft_rule_end(m, r);
	}
	r = rule(m, "postrouting");
	nft_match_source(m, AF_INET, loopback, 8);
	nft_match_device(m, NFT_OUT, n->bridge);
	nft_masquerade(m);
	nft_rule_end(m, r);
}

static void rules_forward_own(struct nl_message *m, const struct net_rules_network *n)
{
	size_t r = rule(m, "forward");

	nft_match_device(m, NFT_IN, n->bridge);
	nft_match_device(m, NFT_OUT, n->bridge);
	nft_accept(m);
	nft_rule_end(m, r);
	for (int i = 0; n->internal && i < 2; i++) {
		r = rule(m, "forward");
		nft_match_device(m, i ? NFT_OUT : NFT_IN, n->bridge);
		nft_drop(m);
		nft_rule_end(m, r);
	}
}

static void rules_forward(struct nl_message *m, const struct net_rules *rules)
{
	size_t r = rule(m, "forward");

	nft_match_ct_state(m, STATE_ESTABLISHED | STATE_RELATED);
	nft_accept(m);
	nft_rule_end(m, r);
	for (size_t i = 0; i < rules->network_count; i++)
		rules_forward_own(m, &rules->networks[i]);
	r = rule(m, "forward");
	nft_match_ct_status(m, IPS_DST_NAT);
	nft_accept(m);
	nft_rule_end(m, r);
	r = rule(m, "forward");
	nft_match_device_prefix(m, NFT_OUT, NET_BRIDGE);
	nft_drop(m);
	nft_rule_end(m, r);
}

/* --- published ports ------------------------------------------------------------------------------- */

/* Elements of one map, in as many messages as it takes. */
struct filling {
	struct nl_message *m;
	const struct nft_map *map;
	size_t nest, count;
};

static void filling_end(struct filling *f)
{
	if (f->count)
		nft_map_end(f->m, f->nest);
	f->count = 0;
}

static void filling_put(struct filling *f, const void *key, const void *value)
{
	if (f->count == NFT_MAP_ELEMENTS)
		filling_end(f);
	if (f->count++ == 0)
		f->nest = nft_map_begin(f->m, f->map);
	nft_map_put(f->m, f->map, key, value);
}

static bool is_zero(const struct net_address *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

/* An address of all zeros is every one of its family; none at all is every one of both. */
static bool port_belongs(const struct net_port *port, int map)
{
	bool at = map == MAP_AT4 || map == MAP_AT6;
	int family = map <= MAP_ANY4 ? AF_INET : AF_INET6;

	if (port->host.family && port->host.family != family)
		return false;
	return at == !is_zero(&port->host);
}

/* Each part of a key or value takes a multiple of four bytes. */
static size_t put_port(uint8_t *at, unsigned int number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
	at[2] = at[3] = 0;
	return 4;
}

static size_t put_address(uint8_t *at, const struct net_address *a)
{
	memcpy(at, a->bytes, net_address_size(a));
	return net_address_size(a);
}

static void port_fill(struct filling *f, const struct net_rules_port *p, bool by_address, const struct net_address *inside)
{
	for (unsigned int i = 0; i < p->port.count; i++) {
		uint8_t key[24], value[20];
		size_t n = by_address ? put_address(key, &p->port.host) : 0;

		key[n] = (uint8_t)p->port.protocol;
		key[n + 1] = key[n + 2] = key[n + 3] = 0;
		(void)put_port(key + n + 4, p->port.host_port + i);
		n = put_address(value, inside);
		(void)put_port(value + n, p->port.inside_port + i);
		filling_put(f, key, value);
	}
}

static void map_fill(struct nl_message *m, const struct net_rules *rules, int map)
{
	struct filling f = { .m = m, .map = &maps[map] };

	for (size_t i = 0; i < rules->port_count; i++) {
		const struct net_rules_port *p = &rules->ports[i];
		const struct net_address *inside = &p->inside[map <= MAP_ANY4 ? 0 : 1];

		if (net_address_is_set(inside) && port_belongs(&p->port, map))
			port_fill(&f, p, map == MAP_AT4 || map == MAP_AT6, inside);
	}
	filling_end(&f);
}

/* --- the whole ------------------------------------------------------------------------------------- */

static void table_fill(struct nl_message *m, const struct net_rules *rules)
{
	for (int i = 0; i < MAPS; i++)
		nft_map(m, &maps[i]);
	nft_chain(m, NET_TABLE, "published");
	nft_chain_hook(m, NET_TABLE, "guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW);
	nft_chain_hook(m, NET_TABLE, "prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST);
	nft_chain_hook(m, NET_TABLE, "output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST);
	nft_chain_hook(m, NET_TABLE, "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC);
	nft_chain_hook(m, NET_TABLE, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER);
	for (int i = 0; i < MAPS; i++)
		map_fill(m, rules, i);
	rule_guard(m);
	rules_prerouting(m);
	rules_output(m);
	for (int i = 0; i < MAPS; i++)
		rule_published(m, i);
	for (size_t i = 0; i < rules->network_count; i++)
		rules_postrouting(m, &rules->networks[i]);
	rules_forward(m, rules);
}

void net_rules_message(const struct net_rules *rules, struct nl_message *m)
{
	nft_batch_begin(m);
	/* Made, if it is not there, so that it can be removed. */
	nft_table(m, NET_TABLE);
	nft_table_delete(m, NET_TABLE);
	nft_table(m, NET_TABLE);
	table_fill(m, rules);
	nft_batch_end(m);
}

static void removal_message(struct nl_message *m)
{
	nft_batch_begin(m);
	nft_table(m, NET_TABLE);
	nft_table_delete(m, NET_TABLE);
	nft_batch_end(m);
}

int net_rules_apply(const struct net_rules *rules)
{
	cleanup_nl struct nl_message m = { .size = 0 };

	if (rules->network_count)
		net_rules_message(rules, &m);
	else
		removal_message(&m);
	return nft_batch_send(&m, "nftables: put the rules in force");
}

int net_rules_are_there(void)
{
	return nft_table_is_there(NET_TABLE);
}
