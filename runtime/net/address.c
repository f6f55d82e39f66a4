/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both families are bytes in the network's order, so a prefix is compared bit by bit, whatever its length; only the place
 * of an address in its prefix is a number, and of the host's part at most 64 bits count.
 */
#include "runtime/net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

int net_address_read(const char *text, struct net_address *ret)
{
	struct net_address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(a.family, text, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *net_address_text(char buf[NET_ADDRESS_SIZE], const struct net_address *a)
{
	if (!net_address_is_set(a) || !inet_ntop(a->family, a->bytes, buf, NET_ADDRESS_SIZE))
		*buf = '\0';
	return buf;
}

bool net_address_equal(const struct net_address *a, const struct net_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, net_address_size(a)) == 0;
}

bool net_address_is_loopback(const struct net_address *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->bytes[0] == 127;
	return a->family == AF_INET6 && memcmp(a->bytes, one, sizeof(one)) == 0;
}

static unsigned int bits_of(const struct net_address *a)
{
	return (unsigned int)net_address_size(a) * 8;
}

/* Clear, or set, all bits from @from on. */
static void bits_fill(struct net_address *a, unsigned int from, bool set)
{
	for (unsigned int bit = from; bit < bits_of(a); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

		if (set)
			a->bytes[bit / 8] |= mask;
		else
			a->bytes[bit / 8] &= (uint8_t)~mask;
	}
}

int net_prefix_read(const char *text, struct net_prefix *ret)
{
	char address[NET_ADDRESS_SIZE];
	const char *slash = strchr(text, '/');
	struct net_prefix p;
	uint64_t length;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (net_address_read(address, &p.address) < 0 || str_to_u64(slash + 1, bits_of(&p.address), &length) < 0)
		return -EINVAL;
	p.length = (unsigned int)length;
	bits_fill(&p.address, p.length, false);
	*ret = p;
	return 0;
}

const char *net_prefix_text(char buf[NET_PREFIX_SIZE], const struct net_prefix *p)
{
	char address[NET_ADDRESS_SIZE];

	if (net_address_is_set(&p->address))
		(void)snprintf(buf, NET_PREFIX_SIZE, "%s/%u", net_address_text(address, &p->address), p->length);
	else
		*buf = '\0';
	return buf;
}

bool net_prefix_has(const struct net_prefix *p, const struct net_address *a)
{
	struct net_address cut = *a;

	if (!net_address_is_set(a) || a->family != p->address.family)
		return false;
	bits_fill(&cut, p->length, false);
	return net_address_equal(&cut, &p->address);
}

bool net_prefix_overlaps(const struct net_prefix *a, const struct net_prefix *b)
{
	return a->length <= b->length ? net_prefix_has(a, &b->address) : net_prefix_has(b, &a->address);
}

struct net_address net_prefix_last(const struct net_prefix *p)
{
	struct net_address a = p->address;

	bits_fill(&a, p->length, true);
	return a;
}

bool net_prefix_nth(const struct net_prefix *p, uint64_t n, struct net_address *ret)
{
	unsigned int host = bits_of(&p->address) - p->length;
	struct net_address a = p->address;

	if (host < 64 && n >> host)
		return false;
	for (size_t i = net_address_size(&a); i > 0 && n; i--, n >>= 8)
		a.bytes[i - 1] |= (uint8_t)n;
	*ret = a;
	return true;
}

uint64_t net_prefix_index(const struct net_prefix *p, const struct net_address *a)
{
	uint64_t n = 0;

	if (!net_prefix_has(p, a))
		return UINT64_MAX;
	for (size_t i = 0; i < net_address_size(a); i++) {
		if (n >> 56)
			return UINT64_MAX;
		n = n << 8 | (uint8_t)(a->bytes[i] ^ p->address.bytes[i]);
	}
	return n;
}

bool net_prefix_part(const struct net_prefix *p, unsigned int length, uint64_t n, struct net_prefix *ret)
{
	struct net_prefix part = { .address = p->address, .length = length };

	if (length < p->length || length > bits_of(&p->address) || (length - p->length < 64 && n >> (length - p->length)))
		return false;
	for (unsigned int bit = length; bit > p->length && n; bit--, n >>= 1)
		if (n & 1)
			part.address.bytes[(bit - 1) / 8] |= (uint8_t)(0x80 >> ((bit - 1) % 8));
	*ret = part;
	return true;
}

bool net_prefix_is_host(const struct net_prefix *p, const struct net_address *a)
{
	struct net_address last = net_prefix_last(p);

	if (!net_prefix_has(p, a) || net_address_equal(a, &p->address))
		return false;
	return a->family != AF_INET || !net_address_equal(a, &last);
}

bool net_address_choose(const struct net_prefix *p, const struct net_address *taken, size_t count, struct net_address *ret)
{
	/* Of so many places at least one is free, if the prefix has it. */
	size_t places = count + 2;
	cleanup_free bool *used = calloc(places, sizeof(*used));

	if (!used)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t n = net_prefix_index(p, &taken[i]);

		if (n < places)
			used[n] = true;
	}
	for (size_t n = 1; n < places; n++) {
		struct net_address a;

		if (used[n] || !net_prefix_nth(p, n, &a) || !net_prefix_is_host(p, &a))
			continue;
		*ret = a;
		return true;
	}
	return false;
}

bool net_mac_is_set(const struct net_mac *mac)
{
	static const struct net_mac none = { .bytes = { 0 } };

	return memcmp(mac, &none, sizeof(none)) != 0;
}

int net_mac_read(const char *text, struct net_mac *ret)
{
	struct net_mac mac;

	if (strlen(text) != NET_MAC_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac.bytes); i++) {
		static const char digits[] = "0123456789abcdef";
		const char *at = text + 3 * i, *high, *low;

		high = memchr(digits, at[0] | 0x20, sizeof(digits) - 1);
		low = memchr(digits, at[1] | 0x20, sizeof(digits) - 1);
		/* The bit that makes a letter small makes a digit of a control character, too. */
		if (!high || !low || at[0] < '0' || at[1] < '0' || (at[2] != ':' && at[2] != '\0'))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	if (mac.bytes[0] & 1 || !net_mac_is_set(&mac))
		return -EINVAL;
	*ret = mac;
	return 0;
}

const char *net_mac_text(char buf[NET_MAC_SIZE], const struct net_mac *mac)
{
	const uint8_t *b = mac->bytes;

	if (net_mac_is_set(mac))
		(void)snprintf(buf, NET_MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	else
		*buf = '\0';
	return buf;
}

struct net_mac net_mac_of(const struct net_address *a)
{
	/* Of no maker, which is the second bit. */
	struct net_mac mac = { .bytes = { 0x02, 0x6e } };

	memcpy(mac.bytes + 2, a->bytes + net_address_size(a) - 4, 4);
	return mac;
}
