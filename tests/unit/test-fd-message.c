/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd-message.h"
#include "tests/unit/tap.h"

/* Send @count descriptors with one byte, take at most @places of them. Return: how many came. */
static size_t through(int fd, size_t count, int *ret_fds, size_t places)
{
	int pair[2], fds[FD_MESSAGE_MAX];
	union fd_message out, in;
	char byte = 'x';
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr sent = { .msg_iov = &part, .msg_iovlen = 1 };
	struct msghdr got = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t came;

	for (size_t i = 0; i < count; i++)
		fds[i] = fd;
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	fd_message_put(&sent, &out, fds, count);
	CHECK_INT(sendmsg(pair[0], &sent, 0), 1);
	fd_message_room(&got, &in);
	CHECK_INT(recvmsg(pair[1], &got, MSG_CMSG_CLOEXEC), 1);
	came = fd_message_take(&got, ret_fds, places);
	(void)close(pair[0]);
	(void)close(pair[1]);
	return came;
}

/* What the next one will be: as before, when none was left open. */
static int next_fd(void)
{
	int fd = dup(0), number = fd;

	(void)close(fd);
	return number;
}

static void test_what_is_sent_comes(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[FD_MESSAGE_MAX], before = next_fd();

	CHECK_INT((long long)through(null, FD_MESSAGE_MAX, fds, FD_MESSAGE_MAX), FD_MESSAGE_MAX);
	for (size_t i = 0; i < FD_MESSAGE_MAX; i++) {
		CHECK_INT(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		(void)close(fds[i]);
	}
	CHECK_INT((long long)through(null, 0, fds, 2), 0);
	CHECK_INT(fds[0], -1);
	CHECK_INT(fds[1], -1);
	CHECK_INT(next_fd(), before);
	(void)close(null);
}

static void test_what_has_no_place_is_closed(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[2], before = next_fd();

	CHECK_INT((long long)through(null, 3, fds, 1), 3);
	CHECK(fds[0] >= 0);
	(void)close(fds[0]);
	CHECK_INT((long long)through(null, 1, fds, 2), 1);
	CHECK(fds[0] >= 0);
	CHECK_INT(fds[1], -1);
	(void)close(fds[0]);
	CHECK_INT((long long)through(null, 2, fds, 0), 2);
	CHECK_INT(next_fd(), before);
	(void)close(null);
}

int main(void)
{
	return tap_run((const struct tap_test[]){
		TEST(test_what_is_sent_comes),
		TEST(test_what_has_no_place_is_closed),
		{ 0 },
	});
}
