/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A route is the same message in both directions. */
#include "runtime/net/route.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/base/error.h"
#include "runtime/net/nl.h"

struct reading {
	unsigned int index;
	int (*found)(const struct net_route *route, void *data);
	void *data;
};

static bool address_take(const struct nlattr *attr, int family, struct net_address *ret)
{
	ret->family = family;
	if (!attr || nl_size(attr) < net_address_size(ret))
		return false;
	memcpy(ret->bytes, nl_data(attr), net_address_size(ret));
	return true;
}

static bool is_meant(const struct rtmsg *about)
{
	return (about->rtm_family == AF_INET || about->rtm_family == AF_INET6) && about->rtm_table == RT_TABLE_MAIN &&
	       about->rtm_type == RTN_UNICAST && about->rtm_protocol != RTPROT_KERNEL && about->rtm_protocol != RTPROT_RA;
}

static int route_found(const struct nlmsghdr *m, void *data)
{
	const struct reading *reading = data;
	const struct nlattr *attrs[RTA_GATEWAY + 1];
	struct net_route route = { .to = { .length = 0 } };
	struct rtmsg about;

	if (!nl_read(m, RTM_NEWROUTE, &about, sizeof(about), attrs, RTA_GATEWAY))
		return 0;
	if (!is_meant(&about))
		return 0;
	if (nl_u32(attrs[RTA_OIF]) != reading->index)
		return 0;
	route.to.length = about.rtm_dst_len;
	if (!address_take(attrs[RTA_DST], about.rtm_family, &route.to.address) && route.to.length > 0)
		return 0;
	if (!address_take(attrs[RTA_GATEWAY], about.rtm_family, &route.gateway))
		route.gateway = (struct net_address){ .family = 0 };
	return reading->found(&route, reading->data);
}

int net_routes_of(int sock, unsigned int index, int (*found)(const struct net_route *route, void *data), void *data)
{
	struct reading reading = { .index = index, .found = found, .data = data };
	const struct rtmsg about = { .rtm_family = AF_UNSPEC };
	cleanup_nl struct nl_message m = { .size = 0 };

	nl_begin(&m, RTM_GETROUTE, NLM_F_DUMP, &about, sizeof(about));
	return nl_call(sock, &m, "list the routes", route_found, &reading, 0);
}

int net_route_add(int sock, unsigned int index, const struct net_route *route)
{
	bool far = net_address_is_set(&route->gateway);
	const struct rtmsg about = {
		.rtm_family = (uint8_t)route->to.address.family, .rtm_dst_len = (uint8_t)route->to.length,
		.rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST,
		.rtm_scope = far || route->to.address.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
	};
	cleanup_nl struct nl_message m = { .size = 0 };
	char text[NET_PREFIX_SIZE];
	int r;

	nl_begin(&m, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, &about, sizeof(about));
	if (route->to.length > 0)
		nl_put(&m, RTA_DST, route->to.address.bytes, net_address_size(&route->to.address));
	if (far)
		nl_put(&m, RTA_GATEWAY, route->gateway.bytes, net_address_size(&route->gateway));
	nl_put_u32(&m, RTA_OIF, index);
	r = nl_call(sock, &m, "make it", NULL, NULL, 0);
	return r < 0 ? fail_in(r, "route to %s", net_prefix_text(text, &route->to)) : 0;
}
