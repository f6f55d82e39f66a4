/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nft - messages of nf_tables: one batch that the kernel takes as a whole, or not at all
 *
 * Only what rules.c needs, named as nft(8) names it. Numbers of registers: the first, of 16 bytes, is what every load fills;
 * the parts of a concatenation stand in its pieces of four bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/net/nl.h"

/* nft_batch_begin(), _end() - around everything else. */
void nft_batch_begin(struct nl_message *m);
void nft_batch_end(struct nl_message *m);
/* nft_batch_send() - Return: 0 or a recorded failure; the rules are all in force, or none is. */
int nft_batch_send(const struct nl_message *m, const char *what);

/* nft_table_is_there() - Return: 1 or 0, or a recorded failure. */
int nft_table_is_there(const char *table);

void nft_table(struct nl_message *m, const char *table);
/* nft_table_delete() - with all that is in it; it must be there. */
void nft_table_delete(struct nl_message *m, const char *table);

/* nft_chain() - a chain that others jump to. */
void nft_chain(struct nl_message *m, const char *table, const char *name);
/* nft_chain_hook() - one that the kernel calls. @type: "filter", "nat". @hook: NF_INET_x. */
void nft_chain_hook(struct nl_message *m, const char *table, const char *name, const char *type, uint32_t hook, int32_t priority);

/* A map, by the types that nft(8) shows its keys and values with: several are joined, six bits each. */
struct nft_map {
	const char *table, *name;
	uint32_t id;			/* another for each in a batch */
	uint32_t key_type, key_size, value_type, value_size;
};
enum { NFT_TYPE_IPV4 = 7, NFT_TYPE_IPV6 = 8, NFT_TYPE_PROTOCOL = 12, NFT_TYPE_SERVICE = 13 };
void nft_map(struct nl_message *m, const struct nft_map *map);
/* nft_map_begin(), nft_map_put(), nft_map_end() - elements, as many as one message takes (NFT_MAP_ELEMENTS). */
enum { NFT_MAP_ELEMENTS = 400 };
size_t nft_map_begin(struct nl_message *m, const struct nft_map *map);
void nft_map_put(struct nl_message *m, const struct nft_map *map, const void *key, const void *value);
void nft_map_end(struct nl_message *m, size_t elements);

/* nft_rule_begin(), _end() - around its expressions. */
size_t nft_rule_begin(struct nl_message *m, const char *table, const char *chain);
void nft_rule_end(struct nl_message *m, size_t rule);

/* Conditions: the rule goes on only where they hold. */
enum nft_direction { NFT_IN, NFT_OUT };
void nft_match_device(struct nl_message *m, enum nft_direction direction, const char *name);
void nft_match_device_not(struct nl_message *m, enum nft_direction direction, const char *name);
/* nft_match_device_prefix() - all whose names begin so ("name*"). */
void nft_match_device_prefix(struct nl_message *m, enum nft_direction direction, const char *prefix);
void nft_match_family(struct nl_message *m, int family);
/* nft_match_source(), _destination() - an address within a prefix, of its family alone. */
void nft_match_source(struct nl_message *m, int family, const uint8_t *address, unsigned int length);
void nft_match_destination(struct nl_message *m, int family, const uint8_t *address, unsigned int length);
/* nft_match_destination_not() - of the family, and not within the prefix. */
void nft_match_destination_not(struct nl_message *m, int family, const uint8_t *address, unsigned int length);
/* nft_match_local() - the packet goes to an address of this machine. */
void nft_match_local(struct nl_message *m);
/* nft_match_ct_*() - of the connection: @bits of its state, or of its status. */
void nft_match_ct_state(struct nl_message *m, uint32_t bits);
void nft_match_ct_status(struct nl_message *m, uint32_t bits);

/* Ends of a rule. */
void nft_accept(struct nl_message *m);
void nft_drop(struct nl_message *m);
void nft_jump(struct nl_message *m, const char *chain);
void nft_masquerade(struct nl_message *m);
/* nft_dnat_map() - the new destination is what @map has for (destination address, if @by_address,) protocol, port; else go on. */
void nft_dnat_map(struct nl_message *m, int family, bool by_address, const struct nft_map *map);
