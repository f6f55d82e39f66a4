/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and what is free of them, ports as text, netlink messages, and the batch of rules as the kernel will read it. */
#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/net/address.h"
#include "runtime/net/nl.h"
#include "runtime/net/port.h"
#include "runtime/net/rules.h"
#include "tests/unit/tap.h"

static struct net_address address(const char *text)
{
	struct net_address a = { .family = 0 };

	tap_check(net_address_read(text, &a) == 0, __FILE__, __LINE__, "'%s' is an address", text);
	return a;
}

static struct net_prefix prefix(const char *text)
{
	struct net_prefix p = { .length = 0 };

	tap_check(net_prefix_read(text, &p) == 0, __FILE__, __LINE__, "'%s' is a prefix", text);
	return p;
}

static void test_prefixes_are_read_and_cut(void)
{
	static const char *const wrong[] = { "", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "fd00::/129", "10.0.0/8",
					     "10.0.0.0/8 ", "1.2.3.4.5/8", NULL };
	char text[NET_PREFIX_SIZE];
	struct net_prefix p = prefix("10.1.2.3/22");

	CHECK_STR(net_prefix_text(text, &p), "10.1.0.0/22");
	p = prefix("fd00:1:2:3::9/48");
	CHECK_STR(net_prefix_text(text, &p), "fd00:1:2::/48");
	p = prefix("255.255.255.255/0");
	CHECK_STR(net_prefix_text(text, &p), "0.0.0.0/0");
	for (size_t i = 0; wrong[i]; i++)
		tap_check(net_prefix_read(wrong[i], &p) < 0, __FILE__, __LINE__, "'%s' is no prefix", wrong[i]);
}

static void test_prefixes_contain_and_overlap(void)
{
	struct net_prefix wide = prefix("10.0.0.0/8"), narrow = prefix("10.9.0.0/16"), other = prefix("11.0.0.0/8"), six = prefix("::/0");
	struct net_address in = address("10.9.1.1"), last = net_prefix_last(&narrow);
	char text[NET_ADDRESS_SIZE];

	CHECK(net_prefix_has(&wide, &in) && net_prefix_has(&narrow, &in) && !net_prefix_has(&other, &in) && !net_prefix_has(&six, &in));
	CHECK(net_prefix_overlaps(&wide, &narrow) && net_prefix_overlaps(&narrow, &wide));
	CHECK(!net_prefix_overlaps(&wide, &other) && !net_prefix_overlaps(&six, &wide));
	CHECK_STR(net_address_text(text, &last), "10.9.255.255");
	CHECK(!net_prefix_is_host(&narrow, &last) && !net_prefix_is_host(&narrow, &narrow.address) && net_prefix_is_host(&narrow, &in));
	six = prefix("fd00::/64");
	last = net_prefix_last(&six);
	CHECK(net_prefix_is_host(&six, &last));
}

static void test_addresses_are_counted(void)
{
	struct net_prefix p = prefix("10.0.0.0/24"), six = prefix("fd00::/64"), part;
	struct net_address a;
	char text[NET_PREFIX_SIZE];

	CHECK(net_prefix_nth(&p, 255, &a) && !net_prefix_nth(&p, 256, &a));
	CHECK_INT(net_prefix_index(&p, &a), 255);
	CHECK(net_prefix_nth(&six, 0x123456789abcdefULL, &a));
	CHECK_STR(net_address_text(text, &a), "fd00::123:4567:89ab:cdef");
	CHECK_INT(net_prefix_index(&six, &a), 0x123456789abcdefLL);
	CHECK(net_prefix_index(&p, &a) == UINT64_MAX);
	p = prefix("10.90.0.0/16");
	CHECK(net_prefix_part(&p, 24, 255, &part) && !net_prefix_part(&p, 24, 256, &part) && !net_prefix_part(&p, 8, 0, &part));
	CHECK_STR(net_prefix_text(text, &part), "10.90.255.0/24");
	CHECK(net_prefix_part(&p, 18, 3, &part));
	CHECK_STR(net_prefix_text(text, &part), "10.90.192.0/18");
}

static void test_the_lowest_free_address_is_chosen(void)
{
	struct net_prefix p = prefix("10.0.0.0/29"), six = prefix("fd00::/64");
	struct net_address taken[8], a;
	char text[NET_ADDRESS_SIZE];
	size_t n = 0;

	taken[n++] = address("10.0.0.1");
	taken[n++] = address("10.0.0.3");
	taken[n++] = address("fd00::1");
	taken[n++] = address("192.0.2.2");
	CHECK(net_address_choose(&p, taken, n, &a));
	CHECK_STR(net_address_text(text, &a), "10.0.0.2");
	CHECK(net_address_choose(&six, taken, n, &a));
	CHECK_STR(net_address_text(text, &a), "fd00::2");
	n = 0;
	for (uint64_t i = 1; i < 7; i++)
		CHECK(net_prefix_nth(&p, i, &taken[n++]));
	CHECK(!net_address_choose(&p, taken, n, &a));
	CHECK(net_address_choose(&p, taken, n - 1, &a));
	CHECK_STR(net_address_text(text, &a), "10.0.0.6");
}

static void test_device_addresses(void)
{
	static const char *const wrong[] = { "", "02:00:00:00:00", "02:00:00:00:00:0", "03:00:00:00:00:01", "00:00:00:00:00:00",
					     "02-00-00-00-00-01", "0g:00:00:00:00:01", "02:00:00:00:00:01:", NULL };
	struct net_address a = address("10.90.0.2");
	struct net_mac mac = net_mac_of(&a);
	char text[NET_MAC_SIZE];

	CHECK_STR(net_mac_text(text, &mac), "02:6e:0a:5a:00:02");
	CHECK_INT(net_mac_read("02:aB:Cd:ef:01:23", &mac), 0);
	CHECK_STR(net_mac_text(text, &mac), "02:ab:cd:ef:01:23");
	for (size_t i = 0; wrong[i]; i++)
		tap_check(net_mac_read(wrong[i], &mac) < 0, __FILE__, __LINE__, "'%s' is none", wrong[i]);
}

static void test_ports_are_read_and_written(void)
{
	static const struct {
		const char *text, *canonical;
	} right[] = {
		{ "8080:80", "8080:80/tcp" },
		{ "080:80/udp", "80:80/udp" },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp" },
		{ "[fd00::1]:8000-8009:90-99/tcp", "[fd00::1]:8000-8009:90-99/tcp" },
		{ "[::]:1:65535", "[::]:1:65535/tcp" },
		{ "1-65535:1-65535", "1-65535:1-65535/tcp" },
		{ "5-5:6", "5:6/tcp" },
		/* any port of the host */
		{ "80", "80/tcp" },
		{ "80-89/udp", "80-89/udp" },
		{ "127.0.0.1::80", "127.0.0.1::80/tcp" },
		{ "[fd00::1]::80", "[fd00::1]::80/tcp" },
	};
	static const char *const wrong[] = { "", ":", "0", "80-70", "80:", ":80", "0:1", "1:0", "1:65536", "1-2:3", "2-1:2-1", "1:2/", "1:2/sctp",
					     "1:2/tcp/udp", "x:1:2", "::1:1:2", "[::1]:1:2", "[fd00::1]:2", "-1:2", "1:-2", "1:2-", "1:2 ",
					     "1::2", "1:2:3:4", NULL };
	struct net_port port;
	char text[NET_PORT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(right); i++)
		if (tap_check(net_port_read(right[i].text, &port) == 0, __FILE__, __LINE__, "'%s' is a port", right[i].text))
			CHECK_STR(net_port_text(text, &port), right[i].canonical);
	for (size_t i = 0; wrong[i]; i++)
		if (tap_check(net_port_read(wrong[i], &port) < 0, __FILE__, __LINE__, "'%s' is no port", wrong[i]))
			CHECK(*fail_text() && !strchr(fail_text(), '\n'));
}

static uint16_t clash(const char *one, const char *two)
{
	struct net_port a, b;

	CHECK(net_port_read(one, &a) == 0 && net_port_read(two, &b) == 0);
	CHECK_INT(net_port_clash(&a, &b), net_port_clash(&b, &a));
	return net_port_clash(&a, &b);
}

static void test_ports_clash_by_protocol_address_and_range(void)
{
	CHECK_INT(clash("80:1", "80:2"), 80);
	CHECK_INT(clash("80:1", "80:2/udp"), 0);
	CHECK_INT(clash("80:1", "81:1"), 0);
	CHECK_INT(clash("70-90:70-90", "85-99:85-99"), 85);
	CHECK_INT(clash("70-79:70-79", "80:80"), 0);
	CHECK_INT(clash("127.0.0.1:80:1", "80:2"), 80);
	CHECK_INT(clash("127.0.0.1:80:1", "127.0.0.2:80:2"), 0);
	CHECK_INT(clash("127.0.0.1:80:1", "0.0.0.0:80:2"), 80);
	CHECK_INT(clash("0.0.0.0:80:1", "[::]:80:2"), 0);
	CHECK_INT(clash("1-65535:1-65535", "65535:1"), 65535);
	CHECK_INT(clash("80", "80:80"), 0);
	CHECK_INT(clash("80", "80"), 0);
}

static void test_a_message_has_its_lengths(void)
{
	const uint32_t body = 7;
	const struct nlattr *attrs[4], *inner[3];
	cleanup_nl struct nl_message m = { .size = 0 };
	const struct nlmsghdr *h;
	size_t nest;

	nl_begin(&m, 100, NLM_F_ACK, &body, sizeof(body));
	nl_put_text(&m, 1, "abc");
	nest = nl_nest(&m, 2);
	nl_put(&m, 1, "x", 1);
	nl_put_be32(&m, 2, 0x01020304);
	nl_nest_end(&m, nest);
	nl_put_u32(&m, 3, 9);
	nl_begin(&m, 101, 0, &body, sizeof(body));
	h = (const void *)m.data;
	CHECK_INT(h->nlmsg_len, 16 + 4 + 8 + 4 + 8 + 8 + 8);
	CHECK_INT(h->nlmsg_seq, 1);
	CHECK_INT(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
	CHECK_INT(m.size, h->nlmsg_len + 20);
	CHECK_INT(m.seq, 2);
	nl_attributes(m.data + 20, h->nlmsg_len - 20, attrs, 3);
	CHECK(!attrs[0] && attrs[1] && attrs[2] && attrs[3]);
	CHECK_STR(nl_text(attrs[1]), "abc");
	CHECK_INT(nl_u32(attrs[3]), 9);
	CHECK_INT(attrs[2]->nla_len, 4 + 8 + 8);
	nl_attributes(nl_data(attrs[2]), nl_size(attrs[2]), inner, 2);
	CHECK(inner[1] && nl_size(inner[1]) == 1 && inner[2] && nl_be32(inner[2]) == 0x01020304);
	CHECK_STR(nl_text(inner[1]), "");
}

/* What the kernel sends is judged by its lengths. */
static void test_attributes_end_where_their_bytes_do(void)
{
	const struct nlattr *attrs[3];
	char bytes[16] = { 0 };
	struct nlattr attr = { .nla_len = 8, .nla_type = 1 };

	memcpy(bytes, &attr, sizeof(attr));
	attr = (struct nlattr){ .nla_len = 9, .nla_type = 2 };
	memcpy(bytes + 8, &attr, sizeof(attr));
	nl_attributes(bytes, sizeof(bytes), attrs, 2);
	CHECK(attrs[1] && !attrs[2]);
	attr.nla_len = 3;
	memcpy(bytes, &attr, sizeof(attr));
	nl_attributes(bytes, sizeof(bytes), attrs, 2);
	CHECK(!attrs[1] && !attrs[2]);
	nl_attributes(bytes, 3, attrs, 2);
	CHECK(!attrs[1]);
	CHECK_INT(nl_u32(NULL), 0);
}

static void test_a_message_that_is_too_long_is_no_message(void)
{
	static const char big[70000];
	cleanup_nl struct nl_message m = { .size = 0 }, n = { .size = 0 };
	size_t nest;

	nl_begin(&m, 1, 0, "", 0);
	nl_put(&m, 1, big, sizeof(big));
	CHECK(m.failed);
	nl_begin(&n, 1, 0, "", 0);
	nest = nl_nest(&n, 1);
	nl_put(&n, 1, big, 40000);
	nl_put(&n, 1, big, 40000);
	nl_nest_end(&n, nest);
	CHECK(n.failed);
	CHECK(nl_call(-1, &n, "send it", NULL, NULL, 0) < 0);
	CHECK_HAS(fail_text(), "send it");
}

struct counts {
	size_t messages, rules, chains, maps, lists;
	uint16_t first, last;
};

static struct counts messages_count(const struct nl_message *m)
{
	struct counts c = { .messages = 0 };

	for (size_t at = 0; at + NLMSG_HDRLEN <= m->size;) {
		const struct nlmsghdr *h = (const void *)(m->data + at);

		if (!tap_check(h->nlmsg_len >= NLMSG_HDRLEN && h->nlmsg_len <= m->size - at, __FILE__, __LINE__, "a length within"))
			break;
		if (c.messages++ == 0)
			c.first = h->nlmsg_type;
		c.last = h->nlmsg_type;
		c.rules += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
		c.chains += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN);
		c.maps += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET);
		c.lists += h->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return c;
}

static void test_the_rules_are_one_batch(void)
{
	struct net_rules_network networks[] = {
		{ .bridge = "nacelle0", .subnets = { prefix("10.0.0.0/24"), prefix("fd00::/64") } },
		{ .bridge = "nacelle1", .subnets = { prefix("10.0.1.0/24") }, .internal = true },
	};
	struct net_rules_port ports[] = {
		{ .inside = { address("10.0.0.2"), address("fd00::2") } },
		{ .inside = { address("10.0.0.2") } },
	};
	const struct net_rules rules = { networks, 2, ports, 2 };
	cleanup_nl struct nl_message m = { .size = 0 };
	struct counts c;

	CHECK_INT(net_port_read("1000-1999:1000-1999", &ports[0].port), 0);
	CHECK_INT(net_port_read("127.0.0.1:80:80/udp", &ports[1].port), 0);
	net_rules_message(&rules, &m);
	CHECK(!m.failed);
	c = messages_count(&m);
	CHECK_INT(c.first, NFNL_MSG_BATCH_BEGIN);
	CHECK_INT(c.last, NFNL_MSG_BATCH_END);
	CHECK_INT(c.maps, 4);
	CHECK_INT(c.chains, 6);
	/* a thousand by each family, at most 400 in a message, and one by its address */
	CHECK_INT(c.lists, 3 + 3 + 1);
	/* guard, prerouting and output twice each, published 4, postrouting 5 + 2, forward 1 + 1 + 3 + 2 */
	CHECK_INT(c.rules, 1 + 2 + 2 + 4 + 5 + 2 + 7);
	/* the last but one is what the kernel acknowledges */
	CHECK_INT(m.seq, c.messages - 1);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_prefixes_are_read_and_cut),
		TEST(test_prefixes_contain_and_overlap),
		TEST(test_addresses_are_counted),
		TEST(test_the_lowest_free_address_is_chosen),
		TEST(test_device_addresses),
		TEST(test_ports_are_read_and_written),
		TEST(test_ports_clash_by_protocol_address_and_range),
		TEST(test_a_message_has_its_lengths),
		TEST(test_attributes_end_where_their_bytes_do),
		TEST(test_a_message_that_is_too_long_is_no_message),
		TEST(test_the_rules_are_one_batch),
		{ 0 },
	});
}
