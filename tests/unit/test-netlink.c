/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of rtnetlink as no kernel should give them: the other end of the socket is ours.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/net/device.h"
#include "runtime/net/internal.h"
#include "tests/unit/tap.h"

static void answer(int sock, uint16_t type, uint32_t length, const void *body, size_t size)
{
	struct nlmsghdr header = { .nlmsg_len = length, .nlmsg_type = type, .nlmsg_seq = 1 };
	char bytes[256] = "";

	memcpy(bytes, &header, sizeof(header));
	if (size > 0)
		memcpy(bytes + sizeof(header), body, size);
	CHECK(send(sock, bytes, sizeof(header) + size, 0) == (ssize_t)(sizeof(header) + size));
}

/* What is left would count below zero, and the walk go on behind the answer. */
static void test_a_last_message_of_odd_length_is_the_last(void)
{
	struct link_addresses all = { .device = 2 };
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	answer(ends[1], RTM_NEWADDR, NLMSG_HDRLEN + 5, "abcde", 5);
	answer(ends[1], NLMSG_DONE, NLMSG_HDRLEN, NULL, 0);
	CHECK_INT(link_addresses_list(ends[0], &all), 0);
	CHECK_INT(all.count, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_an_error_is_told(void)
{
	const struct nlmsgerr error = { .error = -1 }, no_error = { .error = 7 }, least = { .error = INT32_MIN };
	struct net_device device = { .index = 0 };
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	answer(ends[1], NLMSG_ERROR, NLMSG_LENGTH(sizeof(error)), &error, sizeof(error));
	CHECK_INT(net_device_find(ends[0], "eth0", &device), -1);
	answer(ends[1], NLMSG_ERROR, NLMSG_HDRLEN + 2, "ab", 2);
	CHECK(net_device_find(ends[0], "eth0", &device) < 0 && strstr(fail_text(), "too short"));
	answer(ends[1], NLMSG_ERROR, NLMSG_LENGTH(sizeof(no_error)), &no_error, sizeof(no_error));
	CHECK_INT(net_device_find(ends[0], "eth0", &device), -EPROTO);
	answer(ends[1], NLMSG_ERROR, NLMSG_LENGTH(sizeof(least)), &least, sizeof(least));
	CHECK_INT(net_device_find(ends[0], "eth0", &device), -EPROTO);
	CHECK_INT(device.index, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_last_message_of_odd_length_is_the_last),
		TEST(test_an_error_is_told),
		{ 0 },
	});
}
