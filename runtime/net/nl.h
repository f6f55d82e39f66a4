/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * nl - netlink messages: put together, sent, answered
 *
 * By hand: Debian has libmnl as a shared library only, and every start of a container would pay for loading it.
 * Source: netlink(7).
 */

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * struct nl_message - one message, or several behind each other, that grow as they are put together
 *
 * All zero is empty. A lack of memory is kept until it is sent, so that putting needs no checks.
 */
struct nl_message {
	char *data;
	size_t size, room;
	size_t at;	/* of the header of the last message */
	uint32_t seq;	/* of the last message, from 1 */
	bool failed;
};

void nl_done(struct nl_message *m);
#define cleanup_nl __attribute__((cleanup(nl_done)))

/* nl_begin() - another message. @flags: beside NLM_F_REQUEST. @body: what follows the header, copied; its size is rounded up. */
void nl_begin(struct nl_message *m, uint16_t type, uint16_t flags, const void *body, size_t size);

/* nl_acknowledge() - have the last message acknowledged, as NLM_F_ACK does. */
void nl_acknowledge(struct nl_message *m);

/* nl_put*() - an attribute of the last message; be: in the network's order, as nftables has all of its numbers. */
void nl_put(struct nl_message *m, uint16_t type, const void *data, size_t size);
void nl_put_u32(struct nl_message *m, uint16_t type, uint32_t value);
void nl_put_be32(struct nl_message *m, uint16_t type, uint32_t value);
void nl_put_text(struct nl_message *m, uint16_t type, const char *text);

/* nl_nest() - begin an attribute that holds others; what it returns is given to nl_nest_end(). */
size_t nl_nest(struct nl_message *m, uint16_t type);
void nl_nest_end(struct nl_message *m, size_t nest);
/* nl_nest_with() - the same, with @body before the attributes. */
size_t nl_nest_with(struct nl_message *m, uint16_t type, const void *body, size_t size);

/* nl_open() - a socket of NETLINK_ROUTE, NETLINK_NETFILTER, … Return: fd or a recorded failure. */
int nl_open(int protocol);
/* nl_open_in() - the same in another network namespace, which the thread enters for a moment. *Needs* CAP_SYS_ADMIN over it. */
int nl_open_in(int netns, int protocol);

/* nl_found - a message of an answer. Return: 0, or a recorded failure, which ends the reading. */
typedef int nl_found(const struct nlmsghdr *m, void *data);

/*
 * nl_call() - send, and read until the last message's acknowledgement, or the end of the list that was asked for
 * @what: for messages: "set 'x' up"
 * @found: called for each other message; may be NULL
 * @quiet: an errno that is no failure; 0: none
 *
 * Return: 0, NL_QUIET when the kernel answered @quiet, or a recorded failure with the kernel's own words.
 */
enum { NL_QUIET = 1 };
int nl_call(int sock, const struct nl_message *m, const char *what, nl_found *found, void *data, int quiet);

/*
 * nl_attributes() - sort the attributes of a message, or of an attribute
 * @ret: by type, up to @max; what is not there is NULL; the last of a type counts
 *
 * Every one that is there has at least the payload that its length says, within @size.
 */
void nl_attributes(const void *data, size_t size, const struct nlattr **ret, uint16_t max);

/*
 * nl_read() - the fixed part of a message, and the attributes behind it
 * @size: of the fixed part, which is copied to @ret_body
 *
 * Return: false when it is not of @type, or too short; nothing is written then.
 */
bool nl_read(const struct nlmsghdr *m, uint16_t type, void *ret_body, size_t size, const struct nlattr **ret, uint16_t max);

static inline const void *nl_data(const struct nlattr *attr)
{
	return (const char *)attr + NLA_HDRLEN;
}
static inline size_t nl_size(const struct nlattr *attr)
{
	return attr->nla_len - (size_t)NLA_HDRLEN;
}
/* nl_u32() - 0 when @attr is NULL or too short. */
uint32_t nl_u32(const struct nlattr *attr);
uint32_t nl_be32(const struct nlattr *attr);
/* nl_text() - "" when @attr is NULL or not ended by a NUL. */
const char *nl_text(const struct nlattr *attr);
