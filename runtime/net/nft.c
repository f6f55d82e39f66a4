/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * By hand for the same reason as nl.c: libnftnl would be loaded by every start, and what we say to the kernel is a dozen
 * expressions. Source: linux/netfilter/nf_tables.h; `nft --debug=netlink` shows how nft(8) says the same.
 */
#include "runtime/net/nft.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

/* Pieces of the first register. */
enum { PIECE_0 = NFT_REG32_00, PIECE = 4 };

static void begin(struct nl_message *m, uint16_t type, uint16_t flags)
{
	const struct nfgenmsg about = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };

	nl_begin(m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, &about, sizeof(about));
}

static void batch(struct nl_message *m, uint16_t type)
{
	const struct nfgenmsg about = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_begin(m, type, 0, &about, sizeof(about));
}

void nft_batch_begin(struct nl_message *m)
{
	batch(m, NFNL_MSG_BATCH_BEGIN);
}

/*
 * The end itself is not acknowledged, and a failure of any message comes before the acknowledgement of a later one: so
 * that of the last one before the end tells how all went.
 */
void nft_batch_end(struct nl_message *m)
{
	uint32_t last = m->seq;

	nl_acknowledge(m);
	batch(m, NFNL_MSG_BATCH_END);
	m->seq = last;
}

int nft_batch_send(const struct nl_message *m, const char *what)
{
	cleanup_fd int sock = nl_open(NETLINK_NETFILTER);

	return sock < 0 ? sock : nl_call(sock, m, what, NULL, NULL, 0);
}

int nft_table_is_there(const char *table)
{
	cleanup_nl struct nl_message m = { .size = 0 };
	cleanup_fd int sock = nl_open(NETLINK_NETFILTER);
	int r;

	if (sock < 0)
		return sock;
	begin(&m, NFT_MSG_GETTABLE, NLM_F_ACK);
	nl_put_text(&m, NFTA_TABLE_NAME, table);
	r = nl_call(sock, &m, "nftables: look for our table", NULL, NULL, ENOENT);
	return r < 0 ? r : r != NL_QUIET;
}

void nft_table(struct nl_message *m, const char *table)
{
	begin(m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	nl_put_text(m, NFTA_TABLE_NAME, table);
}

void nft_table_delete(struct nl_message *m, const char *table)
{
	begin(m, NFT_MSG_DELTABLE, 0);
	nl_put_text(m, NFTA_TABLE_NAME, table);
}

void nft_chain(struct nl_message *m, const char *table, const char *name)
{
	begin(m, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	nl_put_text(m, NFTA_CHAIN_TABLE, table);
	nl_put_text(m, NFTA_CHAIN_NAME, name);
}

void nft_chain_hook(struct nl_message *m, const char *table, const char *name, const char *type, uint32_t hook, int32_t priority)
{
	size_t nest;

	nft_chain(m, table, name);
	nest = nl_nest(m, NFTA_CHAIN_HOOK);
	nl_put_be32(m, NFTA_HOOK_HOOKNUM, hook);
	nl_put_be32(m, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_nest_end(m, nest);
	nl_put_be32(m, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_put_text(m, NFTA_CHAIN_TYPE, type);
}

void nft_map(struct nl_message *m, const struct nft_map *map)
{
	begin(m, NFT_MSG_NEWSET, NLM_F_CREATE);
	nl_put_text(m, NFTA_SET_TABLE, map->table);
	nl_put_text(m, NFTA_SET_NAME, map->name);
	nl_put_be32(m, NFTA_SET_FLAGS, NFT_SET_MAP);
	nl_put_be32(m, NFTA_SET_KEY_TYPE, map->key_type);
	nl_put_be32(m, NFTA_SET_KEY_LEN, map->key_size);
	nl_put_be32(m, NFTA_SET_DATA_TYPE, map->value_type);
	nl_put_be32(m, NFTA_SET_DATA_LEN, map->value_size);
	nl_put_be32(m, NFTA_SET_ID, map->id);
}

size_t nft_map_begin(struct nl_message *m, const struct nft_map *map)
{
	begin(m, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	nl_put_text(m, NFTA_SET_ELEM_LIST_TABLE, map->table);
	nl_put_text(m, NFTA_SET_ELEM_LIST_SET, map->name);
	nl_put_be32(m, NFTA_SET_ELEM_LIST_SET_ID, map->id);
	return nl_nest(m, NFTA_SET_ELEM_LIST_ELEMENTS);
}

static void value_put(struct nl_message *m, uint16_t type, const void *data, size_t size)
{
	size_t nest = nl_nest(m, type);

	nl_put(m, NFTA_DATA_VALUE, data, size);
	nl_nest_end(m, nest);
}

void nft_map_put(struct nl_message *m, const struct nft_map *map, const void *key, const void *value)
{
	size_t element = nl_nest(m, NFTA_LIST_ELEM);

	value_put(m, NFTA_SET_ELEM_KEY, key, map->key_size);
	value_put(m, NFTA_SET_ELEM_DATA, value, map->value_size);
	nl_nest_end(m, element);
}

void nft_map_end(struct nl_message *m, size_t elements)
{
	nl_nest_end(m, elements);
}

size_t nft_rule_begin(struct nl_message *m, const char *table, const char *chain)
{
	begin(m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	nl_put_text(m, NFTA_RULE_TABLE, table);
	nl_put_text(m, NFTA_RULE_CHAIN, chain);
	return nl_nest(m, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nl_message *m, size_t rule)
{
	nl_nest_end(m, rule);
}

/* --- expressions ----------------------------------------------------------------------------------- */

struct expression {
	size_t element, data;
};

static struct expression expression_begin(struct nl_message *m, const char *name)
{
	struct expression e = { .element = nl_nest(m, NFTA_LIST_ELEM) };

	nl_put_text(m, NFTA_EXPR_NAME, name);
	e.data = nl_nest(m, NFTA_EXPR_DATA);
	return e;
}

static void expression_end(struct nl_message *m, struct expression e)
{
	nl_nest_end(m, e.data);
	nl_nest_end(m, e.element);
}

static void load_meta(struct nl_message *m, uint32_t key, uint32_t reg)
{
	struct expression e = expression_begin(m, "meta");

	nl_put_be32(m, NFTA_META_KEY, key);
	nl_put_be32(m, NFTA_META_DREG, reg);
	expression_end(m, e);
}

static void load_payload(struct nl_message *m, uint32_t base, uint32_t offset, uint32_t size, uint32_t reg)
{
	struct expression e = expression_begin(m, "payload");

	nl_put_be32(m, NFTA_PAYLOAD_DREG, reg);
	nl_put_be32(m, NFTA_PAYLOAD_BASE, base);
	nl_put_be32(m, NFTA_PAYLOAD_OFFSET, offset);
	nl_put_be32(m, NFTA_PAYLOAD_LEN, size);
	expression_end(m, e);
}

static void load_ct(struct nl_message *m, uint32_t key)
{
	struct expression e = expression_begin(m, "ct");

	nl_put_be32(m, NFTA_CT_KEY, key);
	nl_put_be32(m, NFTA_CT_DREG, NFT_REG_1);
	expression_end(m, e);
}

static void compare(struct nl_message *m, uint32_t op, const void *data, size_t size)
{
	struct expression e = expression_begin(m, "cmp");

	nl_put_be32(m, NFTA_CMP_SREG, NFT_REG_1);
	nl_put_be32(m, NFTA_CMP_OP, op);
	value_put(m, NFTA_CMP_DATA, data, size);
	expression_end(m, e);
}

static void mask(struct nl_message *m, const void *bits, uint32_t size)
{
	static const uint8_t zero[16];
	struct expression e = expression_begin(m, "bitwise");

	nl_put_be32(m, NFTA_BITWISE_SREG, NFT_REG_1);
	nl_put_be32(m, NFTA_BITWISE_DREG, NFT_REG_1);
	nl_put_be32(m, NFTA_BITWISE_LEN, size);
	value_put(m, NFTA_BITWISE_MASK, bits, size);
	value_put(m, NFTA_BITWISE_XOR, zero, size);
	expression_end(m, e);
}

static void device(struct nl_message *m, enum nft_direction direction, uint32_t op, const char *name, size_t size)
{
	char padded[IFNAMSIZ] = { 0 };

	memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
	load_meta(m, direction == NFT_IN ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1);
	compare(m, op, padded, size);
}

void nft_match_device(struct nl_message *m, enum nft_direction direction, const char *name)
{
	device(m, direction, NFT_CMP_EQ, name, IFNAMSIZ);
}

void nft_match_device_not(struct nl_message *m, enum nft_direction direction, const char *name)
{
	device(m, direction, NFT_CMP_NEQ, name, IFNAMSIZ);
}

void nft_match_device_prefix(struct nl_message *m, enum nft_direction direction, const char *prefix)
{
	device(m, direction, NFT_CMP_EQ, prefix, strnlen(prefix, IFNAMSIZ - 1));
}

void nft_match_family(struct nl_message *m, int family)
{
	const uint8_t protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	load_meta(m, NFT_META_NFPROTO, NFT_REG_1);
	compare(m, NFT_CMP_EQ, &protocol, sizeof(protocol));
}

static void address(struct nl_message *m, int family, bool source, uint32_t op, const uint8_t *bytes, unsigned int length)
{
	uint32_t size = family == AF_INET ? 4 : 16, at = family == AF_INET ? (source ? 12 : 16) : (source ? 8 : 24);
	uint8_t bits[16] = { 0 };

	nft_match_family(m, family);
	load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, at, size, NFT_REG_1);
	if (length < size * 8) {
		for (unsigned int i = 0; i < length; i++)
			bits[i / 8] |= (uint8_t)(0x80 >> (i % 8));
		mask(m, bits, size);
	}
	compare(m, op, bytes, size);
}

void nft_match_source(struct nl_message *m, int family, const uint8_t *bytes, unsigned int length)
{
	address(m, family, true, NFT_CMP_EQ, bytes, length);
}

void nft_match_destination(struct nl_message *m, int family, const uint8_t *bytes, unsigned int length)
{
	address(m, family, false, NFT_CMP_EQ, bytes, length);
}

void nft_match_destination_not(struct nl_message *m, int family, const uint8_t *bytes, unsigned int length)
{
	address(m, family, false, NFT_CMP_NEQ, bytes, length);
}

void nft_match_local(struct nl_message *m)
{
	const uint32_t local = 2; /* RTN_LOCAL */
	struct expression e = expression_begin(m, "fib");

	nl_put_be32(m, NFTA_FIB_DREG, NFT_REG_1);
	nl_put_be32(m, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nl_put_be32(m, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expression_end(m, e);
	compare(m, NFT_CMP_EQ, &local, sizeof(local));
}

static void ct_bits(struct nl_message *m, uint32_t key, uint32_t bits)
{
	const uint32_t none = 0;

	load_ct(m, key);
	mask(m, &bits, sizeof(bits));
	compare(m, NFT_CMP_NEQ, &none, sizeof(none));
}

void nft_match_ct_state(struct nl_message *m, uint32_t bits)
{
	ct_bits(m, NFT_CT_STATE, bits);
}

void nft_match_ct_status(struct nl_message *m, uint32_t bits)
{
	ct_bits(m, NFT_CT_STATUS, bits);
}

static void verdict(struct nl_message *m, uint32_t code, const char *chain)
{
	struct expression e = expression_begin(m, "immediate");
	size_t data, inner;

	nl_put_be32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_nest(m, NFTA_IMMEDIATE_DATA);
	inner = nl_nest(m, NFTA_DATA_VERDICT);
	nl_put_be32(m, NFTA_VERDICT_CODE, code);
	if (chain)
		nl_put_text(m, NFTA_VERDICT_CHAIN, chain);
	nl_nest_end(m, inner);
	nl_nest_end(m, data);
	expression_end(m, e);
}

void nft_accept(struct nl_message *m)
{
	verdict(m, NF_ACCEPT, NULL);
}

void nft_drop(struct nl_message *m)
{
	verdict(m, NF_DROP, NULL);
}

void nft_jump(struct nl_message *m, const char *chain)
{
	verdict(m, (uint32_t)NFT_JUMP, chain);
}

void nft_masquerade(struct nl_message *m)
{
	expression_end(m, expression_begin(m, "masq"));
}

void nft_dnat_map(struct nl_message *m, int family, bool by_address, const struct nft_map *map)
{
	uint32_t size = family == AF_INET ? 4 : 16, reg = PIECE_0;
	struct expression e;

	nft_match_family(m, family);
	if (by_address) {
		load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? 16 : 24, size, reg);
		reg += size / PIECE;
	}
	load_meta(m, NFT_META_L4PROTO, reg);
	load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg + 1);
	e = expression_begin(m, "lookup");
	nl_put_text(m, NFTA_LOOKUP_SET, map->name);
	nl_put_be32(m, NFTA_LOOKUP_SREG, PIECE_0);
	nl_put_be32(m, NFTA_LOOKUP_DREG, PIECE_0);
	nl_put_be32(m, NFTA_LOOKUP_SET_ID, map->id);
	expression_end(m, e);
	e = expression_begin(m, "nat");
	nl_put_be32(m, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nl_put_be32(m, NFTA_NAT_FAMILY, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nl_put_be32(m, NFTA_NAT_REG_ADDR_MIN, PIECE_0);
	nl_put_be32(m, NFTA_NAT_REG_PROTO_MIN, PIECE_0 + size / PIECE);
	nl_put_be32(m, NFTA_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED);
	expression_end(m, e);
}
