/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two questions to nf_tables: which base chains are called when a packet is forwarded, and which rules their tables have.
 * A chain drops what it does not know when that is its policy, or when its last rule drops or rejects without a condition
 * (as firewalld's does).
 */
#include "runtime/net/firewall.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/net/nl.h"

enum { CHAINS_MAX = 32 };

struct chain {
	uint8_t family;
	char *table, *name;
	bool drops;
	bool names_us; /* a rule of its table does */
};

struct search {
	const char *bridges;
	struct chain chains[CHAINS_MAX];
	size_t count;
	bool has_ufw, has_docker; /* chains of theirs, which iptables' chain "filter FORWARD" calls */
};

static uint8_t family_of(const struct nlmsghdr *m)
{
	return ((const struct nfgenmsg *)NLMSG_DATA(m))->nfgen_family;
}

/* The attributes of an answer of nf_tables; false: it is none of @type. */
static bool answer_read(const struct nlmsghdr *m, int type, const struct nlattr **ret, uint16_t max)
{
	if (m->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type) || m->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
		return false;
	nl_attributes((const char *)NLMSG_DATA(m) + NLMSG_ALIGN(sizeof(struct nfgenmsg)),
		      m->nlmsg_len - NLMSG_SPACE(sizeof(struct nfgenmsg)), ret, max);
	return true;
}

static int chain_found(const struct nlmsghdr *m, void *data)
{
	const struct nlattr *attrs[NFTA_CHAIN_TYPE + 1], *hook[NFTA_HOOK_HOOKNUM + 1];
	struct search *s = data;
	struct chain *c = &s->chains[s->count];
	int r;

	if (!answer_read(m, NFT_MSG_NEWCHAIN, attrs, NFTA_CHAIN_TYPE))
		return 0;
	if (str_starts(nl_text(attrs[NFTA_CHAIN_NAME]), "ufw-"))
		s->has_ufw = true;
	if (str_eq(nl_text(attrs[NFTA_CHAIN_NAME]), "DOCKER-USER"))
		s->has_docker = true;
	if (!attrs[NFTA_CHAIN_HOOK] || s->count == CHAINS_MAX)
		return 0;
	nl_attributes(nl_data(attrs[NFTA_CHAIN_HOOK]), nl_size(attrs[NFTA_CHAIN_HOOK]), hook, NFTA_HOOK_HOOKNUM);
	if ((family_of(m) != NFPROTO_INET && family_of(m) != NFPROTO_IPV4 && family_of(m) != NFPROTO_IPV6) ||
	    nl_be32(hook[NFTA_HOOK_HOOKNUM]) != NF_INET_FORWARD)
		return 0;
	/* Our own goes by the same name as our bridges. */
	if (family_of(m) == NFPROTO_INET && str_eq(nl_text(attrs[NFTA_CHAIN_TABLE]), s->bridges))
		return 0;
	*c = (struct chain){
		.family = family_of(m),
		.drops = attrs[NFTA_CHAIN_POLICY] && nl_be32(attrs[NFTA_CHAIN_POLICY]) == NF_DROP,
	};
	s->count++;
	r = str_copy(&c->table, nl_text(attrs[NFTA_CHAIN_TABLE]));
	return r < 0 ? r : str_copy(&c->name, nl_text(attrs[NFTA_CHAIN_NAME]));
}

/* Whether an expression is the verdict "drop". */
static bool verdict_drops(const struct nlattr *data)
{
	const struct nlattr *imm[NFTA_IMMEDIATE_DATA + 1], *value[NFTA_DATA_VERDICT + 1], *verdict[NFTA_VERDICT_CODE + 1];

	nl_attributes(nl_data(data), nl_size(data), imm, NFTA_IMMEDIATE_DATA);
	if (!imm[NFTA_IMMEDIATE_DATA])
		return false;
	nl_attributes(nl_data(imm[NFTA_IMMEDIATE_DATA]), nl_size(imm[NFTA_IMMEDIATE_DATA]), value, NFTA_DATA_VERDICT);
	if (!value[NFTA_DATA_VERDICT])
		return false;
	nl_attributes(nl_data(value[NFTA_DATA_VERDICT]), nl_size(value[NFTA_DATA_VERDICT]), verdict, NFTA_VERDICT_CODE);
	return verdict[NFTA_VERDICT_CODE] && nl_be32(verdict[NFTA_VERDICT_CODE]) == NF_DROP;
}

/* Whether every packet that comes to this rule ends there. */
static bool rule_drops_all(const struct nlattr *expressions)
{
	const char *at = nl_data(expressions);
	size_t left = nl_size(expressions);
	bool drops = false;

	while (left >= NLA_HDRLEN) {
		const struct nlattr *element = (const void *)at, *attrs[NFTA_EXPR_DATA + 1];
		size_t step = NLA_ALIGN((size_t)element->nla_len);
		const char *name;

		if (element->nla_len < NLA_HDRLEN || element->nla_len > left)
			break;
		nl_attributes(nl_data(element), nl_size(element), attrs, NFTA_EXPR_DATA);
		name = nl_text(attrs[NFTA_EXPR_NAME]);
		if (str_eq(name, "reject"))
			drops = true;
		else if (str_eq(name, "immediate") && attrs[NFTA_EXPR_DATA])
			drops = verdict_drops(attrs[NFTA_EXPR_DATA]);
		else if (!str_eq(name, "counter") && !str_eq(name, "log"))
			return false;
		if (step >= left)
			break;
		left -= step;
		at += step;
	}
	return drops;
}

static int rule_found(const struct nlmsghdr *m, void *data)
{
	const struct nlattr *attrs[NFTA_RULE_EXPRESSIONS + 1];
	struct search *s = data;

	if (!answer_read(m, NFT_MSG_NEWRULE, attrs, NFTA_RULE_EXPRESSIONS) || !attrs[NFTA_RULE_EXPRESSIONS])
		return 0;
	for (size_t i = 0; i < s->count; i++) {
		struct chain *c = &s->chains[i];

		if (c->family != family_of(m) || !str_eq(c->table, nl_text(attrs[NFTA_RULE_TABLE])))
			continue;
		if (memmem(nl_data(attrs[NFTA_RULE_EXPRESSIONS]), nl_size(attrs[NFTA_RULE_EXPRESSIONS]), s->bridges,
			   strlen(s->bridges)))
			c->names_us = true;
		/* They come in their order: the last one of the chain has the last word. */
		if (str_eq(c->name, nl_text(attrs[NFTA_RULE_CHAIN])) && rule_drops_all(attrs[NFTA_RULE_EXPRESSIONS]))
			c->drops = true;
	}
	return 0;
}

static int ask(int type, nl_found *found, struct search *s)
{
	const struct nfgenmsg about = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 };
	cleanup_nl struct nl_message m = { .size = 0 };
	cleanup_fd int sock = nl_open(NETLINK_NETFILTER);

	if (sock < 0)
		return sock;
	nl_begin(&m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, &about, sizeof(about));
	return nl_call(sock, &m, "nftables: look at the rules of the host", found, s, 0);
}

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_INET ? "inet" : family == NFPROTO_IPV4 ? "ip" : "ip6";
}

static enum net_firewall_owner owner_of(const struct search *s, const struct chain *c)
{
	if (str_eq(c->table, "firewalld"))
		return NET_FIREWALL_FIREWALLD;
	if (!str_eq(c->table, "filter") || !str_eq(c->name, "FORWARD"))
		return NET_FIREWALL_UNKNOWN;
	return s->has_ufw ? NET_FIREWALL_UFW : s->has_docker ? NET_FIREWALL_DOCKER : NET_FIREWALL_UNKNOWN;
}

int net_firewall_find(const char *bridges, struct net_firewall *ret)
{
	struct search s = { .bridges = bridges };
	int r = ask(NFT_MSG_GETCHAIN, chain_found, &s);

	if (r == 0 && s.count)
		r = ask(NFT_MSG_GETRULE, rule_found, &s);
	for (size_t i = 0; r == 0 && i < s.count; i++) {
		const struct chain *c = &s.chains[i];

		if (!c->drops || c->names_us)
			continue;
		ret->owner = owner_of(&s, c);
		r = str_format(&ret->chain, "%s %s %s", family_name(c->family), c->table, c->name);
		if (r == 0)
			r = NET_FIREWALL_DROPS;
	}
	for (size_t i = 0; i < s.count; i++) {
		free(s.chains[i].table);
		free(s.chains[i].name);
	}
	return r;
}
