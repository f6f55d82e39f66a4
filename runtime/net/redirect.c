/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes in at one device leaves by the other: a queueing discipline "ingress" on each, with one filter that matches all
 * and one action, "mirred".
 */
#include "runtime/net/redirect.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/nl.h"
#include "runtime/net/tap.h"
#include "runtime/net/within.h"

enum { PRIORITY = 1 };

struct listing {
	int (*found)(const struct net_link *link, void *data);
	void *data;
};

static int link_found(const struct nlmsghdr *m, void *data)
{
	const struct listing *listing = data;
	const struct nlattr *attrs[IFLA_MTU + 1];
	struct net_link link = { .index = 0 };
	struct ifinfomsg about;

	if (!nl_read(m, RTM_NEWLINK, &about, sizeof(about), attrs, IFLA_MTU))
		return 0;
	link.index = (unsigned int)about.ifi_index;
	link.up = about.ifi_flags & IFF_UP;
	link.loopback = about.ifi_flags & IFF_LOOPBACK;
	link.mtu = nl_u32(attrs[IFLA_MTU]);
	(void)snprintf(link.name, sizeof(link.name), "%s", nl_text(attrs[IFLA_IFNAME]));
	if (attrs[IFLA_ADDRESS] && nl_size(attrs[IFLA_ADDRESS]) == sizeof(link.mac.bytes))
		memcpy(link.mac.bytes, nl_data(attrs[IFLA_ADDRESS]), sizeof(link.mac.bytes));
	return listing->found(&link, listing->data);
}

int net_links(int sock, int (*found)(const struct net_link *link, void *data), void *data)
{
	struct listing listing = { .found = found, .data = data };
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_GETLINK, NLM_F_DUMP, &about, sizeof(about));
	return nl_call(sock, &m, "list the network devices", link_found, &listing, 0);
}

/* --- from one to the other ------------------------------------------------------------------------- */

static int ingress(int sock, uint16_t request, uint16_t flags, unsigned int index, int quiet)
{
	const struct tcmsg about = {
		.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)index, .tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0), .tcm_parent = TC_H_INGRESS,
	};
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, request, NLM_F_ACK | flags, &about, sizeof(about));
	nl_put_text(&m, TCA_KIND, "ingress");
	return nl_call(sock, &m, "take what a network device receives (the kernel's module sch_ingress)", NULL, NULL, quiet);
}

static int redirect(int sock, unsigned int from, unsigned int to)
{
	const struct tcmsg about = {
		.tcm_family = AF_UNSPEC, .tcm_ifindex = (int)from, .tcm_parent = TC_H_MAKE(TC_H_INGRESS, 0),
		.tcm_info = TC_H_MAKE((uint32_t)PRIORITY << 16, htons(ETH_P_ALL)),
	};
	const struct tc_mirred how = { .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = to };
	cleanup_nl struct nl_message m = { .size = 0 };
	size_t options, actions, action, inner;
	/* What was there may be of a machine that has ended. */
	int r = ingress(sock, RTM_DELQDISC, 0, from, ENOENT);

	if (r < 0 && r != -EINVAL)
		return r;
	r = ingress(sock, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, from, 0);
	if (r < 0)
		return r;
	nl_begin(&m, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &about, sizeof(about));
	nl_put_text(&m, TCA_KIND, "matchall");
	options = nl_nest(&m, TCA_OPTIONS);
	actions = nl_nest(&m, TCA_MATCHALL_ACT);
	action = nl_nest(&m, 1);
	nl_put_text(&m, TCA_ACT_KIND, "mirred");
	inner = nl_nest(&m, TCA_ACT_OPTIONS);
	nl_put(&m, TCA_MIRRED_PARMS, &how, sizeof(how));
	nl_nest_end(&m, inner);
	nl_nest_end(&m, action);
	nl_nest_end(&m, actions);
	nl_nest_end(&m, options);
	return nl_call(sock, &m, "redirect it (the kernel's modules cls_matchall, act_mirred)", NULL, NULL, 0);
}

static int tap_open(void *name)
{
	return net_tap_open(name);
}

int net_tap_redirect(int netns, int sock, const char *name, const struct net_link *link)
{
	char copy[IFNAMSIZ];
	cleanup_fd int fd = -1;
	unsigned int tap;
	int r;

	(void)snprintf(copy, sizeof(copy), "%s", name);
	fd = net_within(netns, tap_open, copy);
	if (fd == -EBUSY)
		return fail_plain(EBUSY, "network device '%s': another virtual machine has it ('%s' is in use)", link->name, name);
	if (fd < 0)
		return fd;
	r = net_tap_up(sock, name, 0, link->mtu, &tap);
	if (r == 0)
		r = redirect(sock, link->index, tap);
	if (r == 0)
		r = redirect(sock, tap, link->index);
	return r < 0 ? fail_in(r, "network device '%s'", link->name) : steal_fd(&fd);
}
