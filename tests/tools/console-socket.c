/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console-socket SOCKET FILE: what an engine does behind --console-socket. Take one terminal from there, type a
 * line, and keep what it says in FILE until it is closed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int terminal_receive(int sock)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char name[64];
	struct iovec io = { .iov_base = name, .iov_len = sizeof(name) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.room,
			    .msg_controllen = sizeof(control.room) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &m, 0) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static const char line[] = "typed\n";
	int listener, sock, terminal, file;
	char text[4096];
	ssize_t n;

	if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	(void)strcpy(address.sun_path, argv[1]);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0)
		return fail(argv[1]);
	file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0)
		return fail(argv[2]);
	sock = accept(listener, NULL, NULL);
	terminal = sock < 0 ? -1 : terminal_receive(sock);
	if (terminal < 0 || write(terminal, line, sizeof(line) - 1) < 0)
		return fail("a terminal");
	while ((n = read(terminal, text, sizeof(text))) > 0)
		if (write(file, text, (size_t)n) != n)
			return fail(argv[2]);
	return 0;
}
