/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One short function a request. A pair is made with one end in the container's namespace from the beginning, under its
 * name there and with its address: nothing of it is ever seen on the host, and no name there can be taken.
 */
#include "runtime/net/device.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/error.h"
#include "runtime/net/nl.h"

static int device_found(const struct nlmsghdr *m, void *data)
{
	const struct nlattr *attrs[IFLA_LINKINFO + 1], *info[IFLA_INFO_KIND + 1];
	struct net_device *device = data;
	struct ifinfomsg about;

	if (!nl_read(m, RTM_NEWLINK, &about, sizeof(about), attrs, IFLA_LINKINFO))
		return 0;
	device->index = (unsigned int)about.ifi_index;
	device->up = about.ifi_flags & IFF_UP;
	device->master = nl_u32(attrs[IFLA_MASTER]);
	if (!attrs[IFLA_LINKINFO])
		return 0;
	nl_attributes(nl_data(attrs[IFLA_LINKINFO]), nl_size(attrs[IFLA_LINKINFO]), info, IFLA_INFO_KIND);
	(void)snprintf(device->kind, sizeof(device->kind), "%s", nl_text(info[IFLA_INFO_KIND]));
	return 0;
}

int net_device_find(int sock, const char *name, struct net_device *ret)
{
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };
	struct net_device device = { .index = 0 };
	int r;

	nl_begin(&m, RTM_GETLINK, NLM_F_ACK, &about, sizeof(about));
	nl_put_text(&m, IFLA_IFNAME, name);
	r = nl_call(sock, &m, "look for a network device", device_found, &device, ENODEV);
	if (r != 0)
		return r < 0 ? fail_in(r, "network device '%s'", name) : NET_DEVICE_NONE;
	*ret = device;
	return 0;
}

int net_bridge_make(int sock, const char *name, unsigned int mtu)
{
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };
	size_t info;
	int r;

	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &about, sizeof(about));
	nl_put_text(&m, IFLA_IFNAME, name);
	if (mtu)
		nl_put_u32(&m, IFLA_MTU, mtu);
	info = nl_nest(&m, IFLA_LINKINFO);
	nl_put_text(&m, IFLA_INFO_KIND, "bridge");
	nl_nest_end(&m, info);
	r = nl_call(sock, &m, "make a bridge", NULL, NULL, EEXIST);
	if (r < 0)
		return fail_in(r, "bridge '%s'%s", name, r == -EOPNOTSUPP ? " (the kernel has no module 'bridge')" : "");
	return 0;
}

int net_pair_make(int sock, const struct net_pair *pair)
{
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	const struct ifinfomsg other = { .ifi_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };
	size_t info, data, peer;
	int r;

	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &about, sizeof(about));
	nl_put_text(&m, IFLA_IFNAME, pair->name);
	nl_put_u32(&m, IFLA_MASTER, pair->bridge);
	if (pair->mtu)
		nl_put_u32(&m, IFLA_MTU, pair->mtu);
	info = nl_nest(&m, IFLA_LINKINFO);
	nl_put_text(&m, IFLA_INFO_KIND, "veth");
	data = nl_nest(&m, IFLA_INFO_DATA);
	peer = nl_nest_with(&m, VETH_INFO_PEER, &other, sizeof(other));
	nl_put_text(&m, IFLA_IFNAME, pair->inside);
	nl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)pair->netns);
	nl_put(&m, IFLA_ADDRESS, pair->mac.bytes, sizeof(pair->mac.bytes));
	if (pair->mtu)
		nl_put_u32(&m, IFLA_MTU, pair->mtu);
	nl_nest_end(&m, peer);
	nl_nest_end(&m, data);
	nl_nest_end(&m, info);
	r = nl_call(sock, &m, "make a pair of network devices", NULL, NULL, 0);
	if (r < 0)
		return fail_in(r, "'%s'%s", pair->inside, r == -EOPNOTSUPP ? " (the kernel has no module 'veth')" : "");
	return 0;
}

int net_port_join(int sock, unsigned int index, unsigned int bridge)
{
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK, &about, sizeof(about));
	nl_put_u32(&m, IFLA_MASTER, bridge);
	return nl_call(sock, &m, "make a port of the bridge", NULL, NULL, 0);
}

int net_port_reflect(int sock, const char *name)
{
	const uint8_t on = 1;
	struct net_device device;
	cleanup_nl struct nl_message m = { .size = 0 };
	struct ifinfomsg about = { .ifi_family = AF_BRIDGE };
	size_t info;
	int r = net_device_find(sock, name, &device);

	if (r != 0)
		return r < 0 ? r : fail_plain(ENODEV, "network device '%s' is gone", name);
	about.ifi_index = (int)device.index;
	nl_begin(&m, RTM_SETLINK, NLM_F_ACK, &about, sizeof(about));
	info = nl_nest(&m, IFLA_PROTINFO);
	nl_put(&m, IFLA_BRPORT_MODE, &on, sizeof(on));
	nl_nest_end(&m, info);
	r = nl_call(sock, &m, "change the port of a bridge", NULL, NULL, 0);
	return r < 0 ? fail_in(r, "network device '%s'", name) : 0;
}

int net_device_remove(int sock, const char *name)
{
	const struct ifinfomsg about = { .ifi_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };
	int r;

	nl_begin(&m, RTM_DELLINK, NLM_F_ACK, &about, sizeof(about));
	nl_put_text(&m, IFLA_IFNAME, name);
	r = nl_call(sock, &m, "remove it", NULL, NULL, ENODEV);
	return r < 0 ? fail_in(r, "network device '%s'", name) : 0;
}

int net_device_up(int sock, unsigned int index)
{
	const struct ifinfomsg about = { .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_NEWLINK, NLM_F_ACK, &about, sizeof(about));
	return nl_call(sock, &m, "set a network device up", NULL, NULL, 0);
}

int net_device_address(int sock, unsigned int index, const struct net_address *address, unsigned int length)
{
	const struct ifaddrmsg about = {
		.ifa_family = (uint8_t)address->family, .ifa_prefixlen = (uint8_t)length, .ifa_index = index,
		.ifa_scope = RT_SCOPE_UNIVERSE,
	};
	const struct net_prefix one = { .address = *address, .length = length };
	struct net_address last = net_prefix_last(&one);
	cleanup_nl struct nl_message m = { .size = 0 };
	char text[NET_ADDRESS_SIZE];
	int r;

	nl_begin(&m, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &about, sizeof(about));
	nl_put(&m, IFA_LOCAL, address->bytes, net_address_size(address));
	nl_put(&m, IFA_ADDRESS, address->bytes, net_address_size(address));
	if (address->family == AF_INET && length < 31)
		nl_put(&m, IFA_BROADCAST, last.bytes, net_address_size(&last));
	/* Addresses here are given once, by the lease: nobody has to ask the neighbours, and wait. */
	if (address->family == AF_INET6)
		nl_put_u32(&m, IFA_FLAGS, IFA_F_NODAD);
	r = nl_call(sock, &m, "give it to a network device", NULL, NULL, EEXIST);
	return r < 0 ? fail_in(r, "address %s", net_address_text(text, address)) : 0;
}

int net_route_default(int sock, unsigned int index, const struct net_address *gateway, uint32_t metric)
{
	const struct rtmsg about = {
		.rtm_family = (uint8_t)gateway->family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST,
	};
	cleanup_nl struct nl_message m = { .size = 0 };
	char text[NET_ADDRESS_SIZE];
	int r;

	nl_begin(&m, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &about, sizeof(about));
	nl_put(&m, RTA_GATEWAY, gateway->bytes, net_address_size(gateway));
	nl_put_u32(&m, RTA_OIF, index);
	if (metric)
		nl_put_u32(&m, RTA_PRIORITY, metric);
	r = nl_call(sock, &m, "make it the default route", NULL, NULL, 0);
	return r < 0 ? fail_in(r, "gateway %s", net_address_text(text, gateway)) : 0;
}

struct routes {
	int (*found)(const struct net_prefix *prefix, void *data);
	void *data;
};

static int route_found(const struct nlmsghdr *m, void *data)
{
	const struct routes *routes = data;
	const struct nlattr *attrs[RTA_DST + 1];
	struct net_prefix prefix = { .length = 0 };
	struct rtmsg about;

	if (!nl_read(m, RTM_NEWROUTE, &about, sizeof(about), attrs, RTA_DST))
		return 0;
	if (about.rtm_family != AF_INET && about.rtm_family != AF_INET6)
		return 0;
	prefix.address.family = about.rtm_family;
	prefix.length = about.rtm_dst_len;
	if (!attrs[RTA_DST] || nl_size(attrs[RTA_DST]) < net_address_size(&prefix.address) || prefix.length == 0)
		return 0;
	memcpy(prefix.address.bytes, nl_data(attrs[RTA_DST]), net_address_size(&prefix.address));
	return routes->found(&prefix, routes->data);
}

int net_routes(int sock, int (*found)(const struct net_prefix *prefix, void *data), void *data)
{
	struct routes routes = { .found = found, .data = data };
	const struct rtmsg about = { .rtm_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_GETROUTE, NLM_F_DUMP, &about, sizeof(about));
	return nl_call(sock, &m, "list the routes", route_found, &routes, 0);
}
