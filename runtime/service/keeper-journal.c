/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines for systemd's journal, by its own protocol: one datagram each. A field is NAME=value and a newline, or, when the value
 * may hold newlines, NAME, a newline, the length as 64 bits, little-endian, the value and a newline.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "runtime/base/str.h"
#include "runtime/service/keeper-internal.h"

enum { WAIT_MS = 1000, IDS = 4, PARTS = 4 + 3 * IDS };

static struct iovec part(const char *text, size_t size)
{
	struct iovec v = { .iov_len = size };

	/* sendmsg(2) reads it only. */
	memcpy(&v.iov_base, &text, sizeof(text));
	return v;
}

static struct iovec word(const char *text)
{
	return part(text, strlen(text));
}

int keeper_journal_connect(int fd)
{
	const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = KEEPER_JOURNAL };

	return connect(fd, (const struct sockaddr *)&journal, sizeof(journal)) < 0 ? -errno : 0;
}

static int message_send(int fd, const struct msghdr *message)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };

	for (int tries = 0;; tries++) {
		if (sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (tries > 0)
			return -errno;
		if (errno == EAGAIN)
			(void)poll(&wait, 1, WAIT_MS);
		/* The other end was made anew: the name is what stays. */
		else if ((errno != ECONNREFUSED && errno != ENOTCONN) || keeper_journal_connect(fd) < 0)
			return -errno;
	}
}

int keeper_journal_line(int fd, const char *id, const char *stream, const char *text, size_t size)
{
	static const char *const names[IDS] = { "SYSLOG_IDENTIFIER=", "CONTAINER_NAME=", "CONTAINER_ID=", "CONTAINER_ID_FULL=" };
	bool whole = size > 0 && text[size - 1] == '\n', bad = str_eq(stream, "stderr");
	uint64_t length = whole ? size - 1 : size;
	unsigned char bytes[8];
	struct iovec parts[PARTS];
	struct msghdr message = { .msg_iov = parts };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(length >> (8 * i));
	parts[n++] = word("MESSAGE\n");
	parts[n++] = part((const char *)bytes, sizeof(bytes));
	parts[n++] = part(text, (size_t)length);
	/* Docker's: what goes to stderr is an error. */
	parts[n++] = word(bad && whole ? "\nPRIORITY=3\n" : bad ? "\nPRIORITY=3\nCONTAINER_PARTIAL_MESSAGE=true\n" :
			  whole ? "\nPRIORITY=6\n" : "\nPRIORITY=6\nCONTAINER_PARTIAL_MESSAGE=true\n");
	for (size_t i = 0; i < IDS; i++) {
		parts[n++] = word(names[i]);
		parts[n++] = word(id);
		parts[n++] = word("\n");
	}
	message.msg_iovlen = n;
	return message_send(fd, &message);
}
