/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-connect SOCKET PORT: standard input and output to a program that listens in a guest, through
 * the monitor's socket; waits until it listens. Standard input's end is passed on; ends with the guest's.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/kvm/vsock.h"

static int die(const char *what)
{
	fprintf(stderr, "vsock-connect: %s: %s\n", what, strerror(errno));
	return 1;
}

static int open_stream(const char *path, uint32_t port)
{
	const struct vsock_hello hello = {
		.magic = VSOCK_HELLO_MAGIC,
		.port = port,
		.flags = VSOCK_WAIT,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct vsock_answer answer;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    write(fd, &hello, sizeof(hello)) != sizeof(hello) ||
	    recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer))
		return -1;
	errno = (int)answer.errnum;
	return answer.errnum == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	static char buffer[65536];
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	ssize_t n;

	if (argc != 3) {
		fputs("usage: vsock-connect SOCKET PORT\n", stderr);
		return 2;
	}
	fds[1].fd = open_stream(argv[1], (uint32_t)strtoul(argv[2], NULL, 10));
	if (fds[1].fd < 0)
		return die("connect");
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			return die("poll");
		if (fds[1].revents) {
			n = read(fds[1].fd, buffer, sizeof(buffer));
			if (n <= 0)
				return n == 0 ? 0 : die("read from the guest");
			if (fd_write_all(STDOUT_FILENO, buffer, (size_t)n) < 0)
				return die("write");
		}
		if (fds[0].revents) {
			n = read(STDIN_FILENO, buffer, sizeof(buffer));
			if (n <= 0) {
				(void)shutdown(fds[1].fd, SHUT_WR);
				fds[0].fd = -1;
			} else if (send(fds[1].fd, buffer, (size_t)n, MSG_NOSIGNAL) != n) {
				return die("write to the guest");
			}
		}
	}
}
