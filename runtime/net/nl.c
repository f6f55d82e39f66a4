/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message is bytes that grow; lengths are filled in as it grows. What is read is judged by its lengths before it is
 * looked at, as bytes of anybody else's.
 */
#include "runtime/net/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/net/within.h"

enum {
	ANSWER_ROOM = 32768, /* what the kernel fills at most at a time */
	FIRST_ROOM = 512,
	SEND_SPARE = 64 * 1024,
};

void nl_done(struct nl_message *m)
{
	int saved = errno;

	free(m->data);
	*m = (struct nl_message){ .size = 0 };
	errno = saved;
}

/* @size more bytes, zeroed, rounded up to four. Return: where they begin, or NULL. */
static char *grow(struct nl_message *m, size_t size)
{
	size_t all = NLMSG_ALIGN(size), room = m->room ? m->room : FIRST_ROOM;
	char *data, *place;

	if (m->failed)
		return NULL;
	while (room - m->size < all)
		room *= 2;
	if (room != m->room) {
		data = realloc(m->data, room);
		if (!data) {
			m->failed = true;
			return NULL;
		}
		m->data = data;
		m->room = room;
	}
	place = m->data + m->size;
	memset(place, 0, all);
	m->size += all;
	return place;
}

static struct nlmsghdr *header(const struct nl_message *m)
{
	return (struct nlmsghdr *)(void *)(m->data + m->at);
}

void nl_begin(struct nl_message *m, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	char *place;

	m->at = m->size;
	place = grow(m, NLMSG_HDRLEN + size);
	if (!place)
		return;
	*header(m) = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)NLMSG_SPACE(size),
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = ++m->seq,
	};
	memcpy(place + NLMSG_HDRLEN, body, size);
}

void nl_acknowledge(struct nl_message *m)
{
	if (!m->failed)
		header(m)->nlmsg_flags |= NLM_F_ACK;
}

void nl_put(struct nl_message *m, uint16_t type, const void *data, size_t size)
{
	struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type };
	char *place;

	/* A length has sixteen bits. */
	if (size > UINT16_MAX - NLA_HDRLEN)
		m->failed = true;
	place = grow(m, NLA_HDRLEN + size);
	if (!place)
		return;
	memcpy(place, &attr, sizeof(attr));
	if (size)
		memcpy(place + NLA_HDRLEN, data, size);
	header(m)->nlmsg_len = (uint32_t)(m->size - m->at);
}

void nl_put_u32(struct nl_message *m, uint16_t type, uint32_t value)
{
	nl_put(m, type, &value, sizeof(value));
}

void nl_put_be32(struct nl_message *m, uint16_t type, uint32_t value)
{
	nl_put_u32(m, type, htonl(value));
}

void nl_put_text(struct nl_message *m, uint16_t type, const char *text)
{
	nl_put(m, type, text, strlen(text) + 1);
}

size_t nl_nest_with(struct nl_message *m, uint16_t type, const void *body, size_t size)
{
	size_t nest = m->size;

	nl_put(m, (uint16_t)(type | NLA_F_NESTED), body, size);
	return nest;
}

size_t nl_nest(struct nl_message *m, uint16_t type)
{
	return nl_nest_with(m, type, NULL, 0);
}

void nl_nest_end(struct nl_message *m, size_t nest)
{
	size_t size = m->size - nest;
	uint16_t length = (uint16_t)size;

	if (size > UINT16_MAX)
		m->failed = true;
	if (!m->failed)
		memcpy(m->data + nest, &length, sizeof(length));
}

/* --- the socket ------------------------------------------------------------------------------------ */

int nl_open(int protocol)
{
	cleanup_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	int one = 1;

	if (sock < 0)
		return fail(errno, "make a netlink socket");
	/* Words beside the errno, and no copy of the request; a kernel without them says less. */
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return steal_fd(&sock);
}

static int open_there(void *protocol)
{
	return nl_open(*(const int *)protocol);
}

int nl_open_in(int netns, int protocol)
{
	return net_within(netns, open_there, &protocol);
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
		if ((attr.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG && attr.nla_len > sizeof(attr) &&
		    at[attr.nla_len - 1] == '\0')
			return at + sizeof(attr);
		if ((size_t)NLA_ALIGN(attr.nla_len) > room)
			break;
		room -= (size_t)NLA_ALIGN(attr.nla_len);
		at += NLA_ALIGN(attr.nla_len);
	}
	return "";
}

/* 0 for an acknowledgement, NL_QUIET, or a recorded failure. */
static int answer_judge(const struct nlmsghdr *m, const char *what, int quiet)
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
	if (quiet && error.error == -quiet)
		return NL_QUIET;
	words = error_words(m);
	return *words ? fail(-error.error, "%s (%s)", what, words) : fail(-error.error, "%s", what);
}

static int message_send(int sock, const struct nl_message *m, const char *what)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int room = (int)m->size + SEND_SPARE;

	if (m->failed)
		return fail(ENOMEM, "%s", what);
	/* A list of many is one message to the kernel, whatever the usual limit. */
	if (m->size > SEND_SPARE && setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (sendto(sock, m->data, m->size, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
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

/* One datagram. Return: 0 to go on, CALL_END, NL_QUIET, or a recorded failure. */
enum { CALL_END = 2 };
static int datagram_read(const char *buf, size_t left, uint32_t last, const char *what, nl_found *found, void *data, int quiet)
{
	int r = 0;

	for (const struct nlmsghdr *m = (const void *)buf; r == 0 && NLMSG_OK(m, left); m = message_next(m, &left)) {
		if (m->nlmsg_seq == 0 || m->nlmsg_seq > last)
			continue;
		if (m->nlmsg_type == NLMSG_DONE)
			return CALL_END;
		if (m->nlmsg_type == NLMSG_ERROR) {
			r = answer_judge(m, what, quiet);
			if (r == 0 && m->nlmsg_seq == last)
				return CALL_END;
		} else {
			r = found ? found(m, data) : 0;
		}
	}
	return r;
}

int nl_call(int sock, const struct nl_message *m, const char *what, nl_found *found, void *data, int quiet)
{
	cleanup_free char *buf = malloc(ANSWER_ROOM);
	int r = buf ? message_send(sock, m, what) : fail(ENOMEM, "%s", what);

	while (r == 0) {
		ssize_t n = recv(sock, buf, ANSWER_ROOM, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "%s: read the kernel's answer", what);
		r = datagram_read(buf, (size_t)n, m->seq, what, found, data, quiet);
	}
	return r == CALL_END ? 0 : r;
}

/* --- what was answered ------------------------------------------------------------------------------ */

void nl_attributes(const void *data, size_t size, const struct nlattr **ret, uint16_t max)
{
	const char *at = data;

	memset(ret, 0, ((size_t)max + 1) * sizeof(*ret));
	while (size >= NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)at;
		size_t step;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > size)
			return;
		if ((attr->nla_type & NLA_TYPE_MASK) <= max)
			ret[attr->nla_type & NLA_TYPE_MASK] = attr;
		step = NLA_ALIGN((size_t)attr->nla_len);
		if (step > size)
			return;
		size -= step;
		at += step;
	}
}

bool nl_read(const struct nlmsghdr *m, uint16_t type, void *ret_body, size_t size, const struct nlattr **ret, uint16_t max)
{
	if (m->nlmsg_type != type || m->nlmsg_len < NLMSG_SPACE(size))
		return false;
	memcpy(ret_body, NLMSG_DATA(m), size);
	nl_attributes((const char *)NLMSG_DATA(m) + NLMSG_ALIGN(size), m->nlmsg_len - NLMSG_SPACE(size), ret, max);
	return true;
}

uint32_t nl_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (attr && nl_size(attr) >= sizeof(value))
		memcpy(&value, nl_data(attr), sizeof(value));
	return value;
}

uint32_t nl_be32(const struct nlattr *attr)
{
	return ntohl(nl_u32(attr));
}

const char *nl_text(const struct nlattr *attr)
{
	const char *text = attr ? nl_data(attr) : NULL;

	return text && nl_size(attr) > 0 && text[nl_size(attr) - 1] == '\0' ? text : "";
}
