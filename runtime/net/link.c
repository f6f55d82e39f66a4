/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Four requests of rtnetlink, put together by hand: Debian has libmnl as a shared library only, which would
 * cost every start the time to load it, and containers with such devices are rare. One short function per
 * request; nl_call() sends it and waits for the kernel's answer. Source: rtnetlink(7), netlink(7); the
 * kernel's do_setlink() moves first and renames then, so one request does both and no name is ever taken
 * on the host.
 */
#include "runtime/net/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/internal.h"

enum {
	REQUEST_ROOM = 512,
	ANSWER_ROOM = 32768, /* what the kernel fills at most at a time */
	SEQUENCE = 1, /* one request at a time is under way */
};

/* A request that is being put together. The union gives it the alignment of its header. */
union request {
	struct nlmsghdr header;
	char bytes[REQUEST_ROOM];
};

static void *request_begin(union request *q, uint16_t type, uint16_t flags, size_t body)
{
	memset(q, 0, sizeof(*q));
	q->header = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(body),
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = SEQUENCE,
	};
	return NLMSG_DATA(&q->header);
}

/* All attributes that are put here are bounded: names by IFNAMSIZ, the rest by their type. */
static void request_put(union request *q, uint16_t type, const void *data, size_t size)
{
	size_t at = NLMSG_ALIGN(q->header.nlmsg_len);
	struct rtattr attr = { .rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type };

	memcpy(q->bytes + at, &attr, sizeof(attr));
	memcpy(q->bytes + at + RTA_LENGTH(0), data, size);
	q->header.nlmsg_len = (uint32_t)(at + RTA_LENGTH(size));
}

static int nl_open(void)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (sock < 0)
		return fail(errno, "make a netlink socket");
	/* Words beside the errno, and no copy of the request; a kernel without them says less. */
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return steal_fd(&sock);
}

/* What the kernel says about a failure, or "". */
static const char *error_words(const struct nlmsghdr *m)
{
	size_t room = m->nlmsg_len - NLMSG_LENGTH(sizeof(struct nlmsgerr));
	const char *at = (const char *)NLMSG_DATA(m) + sizeof(struct nlmsgerr);
	struct nlattr attr;

	/* only behind an answer that does not repeat the request */
	if (!(m->nlmsg_flags & NLM_F_ACK_TLVS) || !(m->nlmsg_flags & NLM_F_CAPPED))
		return "";
	while (room >= sizeof(attr)) {
		memcpy(&attr, at, sizeof(attr));
		if (attr.nla_len < sizeof(attr) || attr.nla_len > room)
			break;
		if ((attr.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG && at[attr.nla_len - 1] == '\0')
			return at + sizeof(attr);
		if ((size_t)NLA_ALIGN(attr.nla_len) > room)
			break;
		room -= (size_t)NLA_ALIGN(attr.nla_len);
		at += NLA_ALIGN(attr.nla_len);
	}
	return "";
}

/* 0 for an acknowledgement, else a recorded failure. */
static int answer_judge(const struct nlmsghdr *m, const char *what)
{
	struct nlmsgerr error;
	const char *words;

	if (m->nlmsg_len < NLMSG_LENGTH(sizeof(error)))
		return fail_plain(EPROTO, "%s: the kernel's answer is too short", what);
	memcpy(&error, NLMSG_DATA(m), sizeof(error));
	if (error.error == 0)
		return 0;
	if (error.error > 0 || error.error < -4095) /* no errno; negated it would pass for a result */
		return fail_plain(EPROTO, "%s: the kernel's answer is no error number", what);
	words = error_words(m);
	return *words ? fail(-error.error, "%s (%s)", what, words) : fail(-error.error, "%s", what);
}

static int request_send(int sock, const union request *q, const char *what)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(sock, q, q->header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return fail(errno, "%s: send the request", what);
	return 0;
}

/* NLMSG_NEXT() would count below zero behind a last message whose length is not a multiple of four. */
static const struct nlmsghdr *message_next(const struct nlmsghdr *m, size_t *left)
{
	size_t size = NLMSG_ALIGN(m->nlmsg_len);

	*left = size < *left ? *left - size : 0;
	return (const void *)((const char *)m + size);
}

/*
 * Send a request and read until its acknowledgement, or the end of what was asked for. @found, when not NULL, is
 * called for each other message. Return: 0 or a recorded failure.
 */
static int nl_call(int sock, const union request *q, const char *what,
		   int (*found)(const struct nlmsghdr *m, void *data), void *data)
{
	cleanup_free char *buf = malloc(ANSWER_ROOM);
	int r = buf ? request_send(sock, q, what) : fail(ENOMEM, "%s", what);

	while (r == 0) {
		ssize_t n = recv(sock, buf, ANSWER_ROOM, 0);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0)
			return fail(errno, "%s: read the kernel's answer", what);
		for (const struct nlmsghdr *m = (const void *)buf; r == 0 && NLMSG_OK(m, left);
		     m = message_next(m, &left)) {
			if (m->nlmsg_seq != SEQUENCE)
				continue;
			if (m->nlmsg_type == NLMSG_DONE)
				return 0;
			if (m->nlmsg_type == NLMSG_ERROR)
				return answer_judge(m, what);
			r = found ? found(m, data) : 0;
		}
	}
	return r;
}

/* --- addresses ------------------------------------------------------------------------------------- */

static void attribute_take(struct net_address *a, const struct rtattr *attr)
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
	struct net_addresses *all = data;
	struct net_address a = { .flags = 0 };
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
	if (all->count == NET_ADDRESSES_MAX)
		return fail_plain(E2BIG, "has more than %d addresses", NET_ADDRESSES_MAX);
	all->items[all->count++] = a;
	return 0;
}

int net_addresses_list(int sock, struct net_addresses *all)
{
	union request q;
	struct ifaddrmsg *about = request_begin(&q, RTM_GETADDR, NLM_F_DUMP, sizeof(*about));

	about->ifa_family = AF_UNSPEC;
	return nl_call(sock, &q, "list the addresses", address_found, all);
}

static int address_add(int sock, unsigned int device, const struct net_address *a)
{
	const uint32_t flags = a->flags & (IFA_F_NODAD | IFA_F_NOPREFIXROUTE | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR);
	size_t size = a->about.ifa_family == AF_INET ? 4 : 16;
	union request q;
	struct ifaddrmsg *about =
		request_begin(&q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, sizeof(*about));

	*about = (struct ifaddrmsg){
		.ifa_family = a->about.ifa_family,
		.ifa_prefixlen = a->about.ifa_prefixlen,
		.ifa_scope = a->about.ifa_scope,
		.ifa_index = device,
	};
	request_put(&q, IFA_ADDRESS, a->address, size);
	if (a->has_local)
		request_put(&q, IFA_LOCAL, a->local, size);
	if (a->has_broadcast)
		request_put(&q, IFA_BROADCAST, a->broadcast, size);
	if (flags)
		request_put(&q, IFA_FLAGS, &flags, sizeof(flags));
	if (a->metric)
		request_put(&q, IFA_RT_PRIORITY, &a->metric, sizeof(a->metric));
	return nl_call(sock, &q, "give it its address again", NULL, NULL);
}

/* --- the device ------------------------------------------------------------------------------------ */

static int device_found(const struct nlmsghdr *m, void *data)
{
	struct ifinfomsg about;

	if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof(about)))
		return 0;
	memcpy(&about, NLMSG_DATA(m), sizeof(about));
	*(unsigned int *)data = (unsigned int)about.ifi_index;
	return 0;
}

int net_device_find(int sock, const char *name, unsigned int *ret_index)
{
	union request q;

	(void)request_begin(&q, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	request_put(&q, IFLA_IFNAME, name, strnlen(name, IFNAMSIZ - 1) + 1);
	return nl_call(sock, &q, "look for it", device_found, ret_index);
}

static int device_send(int sock, unsigned int index, int netns, const char *new_name)
{
	union request q;
	struct ifinfomsg *about = request_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof(*about));

	about->ifi_index = (int)index;
	request_put(&q, IFLA_NET_NS_FD, &netns, sizeof(netns));
	request_put(&q, IFLA_IFNAME, new_name, strnlen(new_name, IFNAMSIZ - 1) + 1);
	return nl_call(sock, &q, "move it", NULL, NULL);
}

static int device_up(int sock, unsigned int index)
{
	union request q;
	struct ifinfomsg *about = request_begin(&q, RTM_NEWLINK, NLM_F_ACK, sizeof(*about));

	about->ifi_index = (int)index;
	about->ifi_flags = about->ifi_change = IFF_UP;
	return nl_call(sock, &q, "set it up", NULL, NULL);
}

/* A socket belongs to the namespace that it was made in. Return: fd or a recorded failure. */
static int nl_open_in(int netns)
{
	cleanup_fd int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), sock = -1;
	int saved = 0;

	if (own < 0)
		return fail(errno, "open our own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail(errno, "enter the container's network namespace");
	sock = nl_open();
	if (setns(own, CLONE_NEWNET) < 0)
		saved = errno;
	if (saved)
		return fail(saved, "come back to our own network namespace");
	return steal_fd(&sock);
}

static int device_settle(const char *name, int netns, const struct net_addresses *all)
{
	cleanup_fd int sock = nl_open_in(netns);
	unsigned int index = 0;
	int r = sock < 0 ? sock : net_device_find(sock, name, &index);

	for (size_t i = 0; r == 0 && i < all->count; i++)
		r = address_add(sock, index, &all->items[i]);
	return r < 0 ? r : device_up(sock, index);
}

int net_link_move(const char *name, int netns, const char *new_name)
{
	cleanup_free struct net_addresses *all = calloc(1, sizeof(*all));
	cleanup_fd int sock = nl_open();
	int r = sock < 0 ? sock : 0;

	if (!all)
		return fail(ENOMEM, "device '%s'", name);
	if (r == 0)
		r = net_device_find(sock, name, &all->device);
	if (r == 0)
		r = net_addresses_list(sock, all);
	if (r == 0)
		r = device_send(sock, all->device, netns, new_name);
	if (r == 0)
		r = device_settle(new_name, netns, all);
	return r < 0 ? fail_in(r, "network device '%s'", name) : 0;
}
