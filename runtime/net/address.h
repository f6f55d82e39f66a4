/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * address - IP addresses and prefixes of both families, and which of a prefix is free
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* All zero is none. */
struct net_address {
	int family;		/* AF_INET, AF_INET6, AF_UNSPEC: none */
	uint8_t bytes[16];	/* in the network's order; 4 or 16 of them count */
};

struct net_prefix {
	struct net_address address;	/* host bits are 0 */
	unsigned int length;
};

enum { NET_ADDRESS_SIZE = 46, NET_PREFIX_SIZE = 50 };

static inline bool net_address_is_set(const struct net_address *a)
{
	return a->family != 0;
}
/* net_address_size() - bytes that count: 4 or 16. */
static inline size_t net_address_size(const struct net_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* net_address_read() - "10.0.0.1", "fd00::1". Return: 0 or -EINVAL, nothing recorded. */
int net_address_read(const char *text, struct net_address *ret);
/* net_address_text() - Return: @buf; "" for none. */
const char *net_address_text(char buf[NET_ADDRESS_SIZE], const struct net_address *a);
bool net_address_equal(const struct net_address *a, const struct net_address *b);
/* net_address_is_loopback() - 127.0.0.0/8 or ::1. */
bool net_address_is_loopback(const struct net_address *a);

/* net_prefix_read() - "10.0.0.0/24"; bits behind the length are cleared. Return: 0 or -EINVAL, nothing recorded. */
int net_prefix_read(const char *text, struct net_prefix *ret);
const char *net_prefix_text(char buf[NET_PREFIX_SIZE], const struct net_prefix *p);
bool net_prefix_has(const struct net_prefix *p, const struct net_address *a);
bool net_prefix_overlaps(const struct net_prefix *a, const struct net_prefix *b);
/* net_prefix_last() - its last address, in IPv4 that of broadcasts. */
struct net_address net_prefix_last(const struct net_prefix *p);

/* net_prefix_nth() - the @n-th address, 0 the prefix's own. Return: false when it has no such. */
bool net_prefix_nth(const struct net_prefix *p, uint64_t n, struct net_address *ret);
/* net_prefix_index() - the opposite; UINT64_MAX when it does not fit. */
uint64_t net_prefix_index(const struct net_prefix *p, const struct net_address *a);
/* net_prefix_part() - the @n-th prefix of @length in @p. Return: false when it has no such. */
bool net_prefix_part(const struct net_prefix *p, unsigned int length, uint64_t n, struct net_prefix *ret);

/* net_prefix_is_host() - whether a machine in @p may have @a: not the network's own address, nor IPv4's broadcast. */
bool net_prefix_is_host(const struct net_prefix *p, const struct net_address *a);

/*
 * net_address_choose() - the lowest address that a machine may have, and that is not taken
 * @taken: of any family
 *
 * Return: false when there is none.
 */
bool net_address_choose(const struct net_prefix *p, const struct net_address *taken, size_t count, struct net_address *ret);

/* A hardware address. */
struct net_mac {
	uint8_t bytes[6];	/* all zero: none */
};
enum { NET_MAC_SIZE = 18 };
bool net_mac_is_set(const struct net_mac *mac);
/* net_mac_read() - "02:42:0a:5a:00:02"; not one of a group, not zero. Return: 0 or -EINVAL, nothing recorded. */
int net_mac_read(const char *text, struct net_mac *ret);
const char *net_mac_text(char buf[NET_MAC_SIZE], const struct net_mac *mac);
/* net_mac_of() - the one that we give to the owner of @a: so a neighbour's cache stays true when an address is given again. */
struct net_mac net_mac_of(const struct net_address *a);
