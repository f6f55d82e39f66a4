/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Few requests of rtnetlink, one short function each. Source: rtnetlink(7); the kernel's do_setlink() moves first and
 * renames then, so one request does both and no name is ever taken on the host.
 */
#include "runtime/net/link.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/device.h"
#include "runtime/net/internal.h"
#include "runtime/net/nl.h"

static void attribute_take(struct link_address *a, const struct rtattr *attr)
{
	size_t size = RTA_PAYLOAD(attr);
	const void *data = RTA_DATA(attr);

	switch (attr->rta_type) {
	case IFA_ADDRESS:
		memcpy(a->address, data, size < 16 ? size : 16);
		break;
	case IFA_LOCAL:
		memcpy(a->local, data, size < 16 ? size : 16);
		a->has_local = true;
		break;
	case IFA_BROADCAST:
		memcpy(a->broadcast, data, size < 16 ? size : 16);
		a->has_broadcast = true;
		break;
	case IFA_FLAGS:
		memcpy(&a->flags, data, size < 4 ? size : 4);
		break;
	case IFA_RT_PRIORITY:
		memcpy(&a->metric, data, size < 4 ? size : 4);
		break;
	default:
		break;
	}
}

static int address_found(const struct nlmsghdr *m, void *data)
{
	struct link_addresses *all = data;
	struct link_address a = { .flags = 0 };
	const struct rtattr *attr;
	int left;

	if (m->nlmsg_type != RTM_NEWADDR || m->nlmsg_len < NLMSG_LENGTH(sizeof(a.about)))
		return 0;
	memcpy(&a.about, NLMSG_DATA(m), sizeof(a.about));
	a.flags = a.about.ifa_flags;
	left = (int)(m->nlmsg_len - NLMSG_LENGTH(sizeof(a.about)));
	for (attr = (const void *)((const char *)NLMSG_DATA(m) + NLMSG_ALIGN(sizeof(a.about))); RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left))
		attribute_take(&a, attr);
	/* What a router or a lease gave is no longer true elsewhere. */
	if (a.about.ifa_index != all->device || !(a.flags & IFA_F_PERMANENT) || a.about.ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	if (all->count == LINK_ADDRESSES_MAX)
		return fail_plain(E2BIG, "has more than %d addresses", LINK_ADDRESSES_MAX);
	all->items[all->count++] = a;
	return 0;
}

int link_addresses_list(int sock, struct link_addresses *all)
{
	const struct ifaddrmsg about = { .ifa_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_GETADDR, NLM_F_DUMP, &about, sizeof(about));
	return nl_call(sock, &m, "list the addresses", address_found, all, 0);
}

static int address_add(int sock, unsigned int device, const struct link_address *a)
{
	const uint32_t flags = a->flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR);
	size_t size = a->about.ifa_family == AF_INET ? 4 : 16;
	cleanup_nl struct nl_message m = { .size = 0 };
	const struct ifaddrmsg about = {
		.ifa_family = a->about.ifa_family,
		.ifa_prefixlen = a->about.ifa_prefixlen,
		.ifa_scope = a->about.ifa_scope,
		.ifa_index = device,
	};

	nl_begin(&m, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &about, sizeof(about));
	nl_put(&m, IFA_ADDRESS, a->address, size);
	if (a->has_local)
		nl_put(&m, IFA_LOCAL, a->local, size);
	if (a->has_broadcast)
		nl_put(&m, IFA_BROADCAST, a->broadcast, size);
	if (flags)
		nl_put(&m, IFA_FLAGS, &flags, sizeof(flags));
	if (a->metric)
		nl_put(&m, IFA_RT_PRIORITY, &a->metric, sizeof(a->metric));
	return nl_call(sock, &m, "give it its address again", NULL, NULL, 0);
}

/* --- the device ------------------------------------------------------------------------------------ */

static int device_find(int sock, const char *name, unsigned int *ret_index)
{
	struct net_device device;
	int r = net_device_find(sock, name, &device);

	if (r == NET_DEVICE_NONE)
		return fail(ENODEV, "look for it");
	if (r == 0)
		*ret_index = device.index;
	return r;
}

static int device_send(int sock, unsigned int index, int netns, const char *new_name)
{
	const struct ifinfomsg about = { .ifi_index = (int)index };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK, &about, sizeof(about));
	nl_put(&m, IFLA_NET_NS_FD, &netns, sizeof(netns));
	nl_put(&m, IFLA_IFNAME, new_name, strnlen(new_name, IFNAMSIZ - 1) + 1);
	return nl_call(sock, &m, "move it", NULL, NULL, 0);
}

static int device_settle(const char *name, int netns, const struct link_addresses *all)
{
	cleanup_fd int sock = nl_open_in(netns, NETLINK_ROUTE);
	unsigned int index = 0;
	int r = sock < 0 ? sock : device_find(sock, name, &index);

	for (size_t i = 0; r == 0 && i < all->count; i++)
		r = address_add(sock, index, &all->items[i]);
	return r < 0 ? r : net_device_up(sock, index);
}

int net_link_move(const char *name, int netns, const char *new_name)
{
	cleanup_free struct link_addresses *all = calloc(1, sizeof(*all));
	cleanup_fd int sock = nl_open(NETLINK_ROUTE);
	int r = sock < 0 ? sock : 0;

	if (!all)
		return fail(ENOMEM, "device '%s'", name);
	if (r == 0)
		r = device_find(sock, name, &all->device);
	if (r == 0)
		r = link_addresses_list(sock, all);
	if (r == 0)
		r = device_send(sock, all->device, netns, new_name);
	if (r == 0)
		r = device_settle(new_name, netns, all);
	return r < 0 ? fail_in(r, "network device '%s'", name) : 0;
}

int net_addresses_of(int sock, unsigned int index, int (*found)(const struct net_address *address, unsigned int length, void *data),
		     void *data)
{
	cleanup_free struct link_addresses *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return fail(ENOMEM, "list the addresses");
	all->device = index;
	r = link_addresses_list(sock, all);
	for (size_t i = 0; r == 0 && i < all->count; i++) {
		const struct link_address *a = &all->items[i];
		struct net_address address = { .family = a->about.ifa_family };

		/* of a link between two, the other address is the peer's */
		memcpy(address.bytes, a->has_local ? a->local : a->address, sizeof(address.bytes));
		r = found(&address, a->about.ifa_prefixlen, data);
	}
	return r;
}
