/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as what the kernel answers over rtnetlink: the other end of the socket is ours. The first byte says to which
 * request; an end of the list follows, so that whoever listens comes to an end.
 */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "runtime/net/device.h"
#include "runtime/net/internal.h"
#include "tests/fuzz/fuzz.h"

enum { ANSWER_MOST = 16384 };

static void answer(int sock, const void *data, size_t size)
{
	fuzz_must(send(sock, data, size, MSG_DONTWAIT) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr end = { .nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = 1 };
	static struct link_addresses all;
	struct net_device device = { .index = 0 };
	int ends[2];

	if (size < 2 || size > ANSWER_MOST)
		return 0;
	fuzz_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	/* On such a socket the address of the kernel is passed over: a request goes to the other end. */
	answer(ends[1], data + 1, size - 1);
	answer(ends[1], &end, sizeof(end));
	memset(&all, 0, sizeof(all));
	all.device = 2;
	if (data[0] % 2 == 0) {
		(void)link_addresses_list(ends[0], &all);
		fuzz_must(all.count <= LINK_ADDRESSES_MAX);
	} else if (net_device_find(ends[0], "eth0", &device) < 0) {
		fuzz_must(*fail_text());
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return 0;
}
