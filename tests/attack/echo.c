/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No attack, but the other end for the tests of networks, without a loader as its neighbours: it answers on a port, by TCP
 * and UDP and over both families, with the asker's address, a blank, and the line that was sent.
 *
 *	echo PORT		serve
 *	echo ADDRESS PORT WORD	ask by TCP; exit status 1 without an answer within two seconds
 *	echo -u ADDRESS PORT WORD	ask by UDP, four times: nobody says when a server listens
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *address_of(const struct sockaddr_in6 *peer, char *text)
{
	(void)inet_ntop(AF_INET6, &peer->sin6_addr, text, INET6_ADDRSTRLEN);
	return strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
}

/* Both families on one socket. */
static int serve_on(int type, unsigned short port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int sock = socket(AF_INET6, type, 0), one = 1, zero = 0;

	(void)setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(sock, (struct sockaddr *)&any, sizeof(any)) < 0 || (type == SOCK_STREAM && listen(sock, 16) < 0)) {
		perror("echo: bind");
		exit(2);
	}
	return sock;
}

static void answer_tcp(int sock)
{
	struct sockaddr_in6 peer;
	socklen_t size = sizeof(peer);
	char text[INET6_ADDRSTRLEN], line[512];
	int fd = accept(sock, (struct sockaddr *)&peer, &size);
	FILE *f = fd >= 0 && fork() == 0 ? fdopen(fd, "r+") : NULL;

	if (!f) {
		(void)close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		(void)dprintf(fd, "%s %s", address_of(&peer, text), line);
	}
	_exit(0);
}

static void answer_udp(int sock)
{
	struct sockaddr_in6 peer;
	socklen_t size = sizeof(peer);
	char text[INET6_ADDRSTRLEN], line[512], out[600];
	ssize_t n = recvfrom(sock, line, sizeof(line) - 1, 0, (struct sockaddr *)&peer, &size);

	if (n < 0)
		return;
	line[n] = '\0';
	(void)snprintf(out, sizeof(out), "%s %s", address_of(&peer, text), line);
	(void)sendto(sock, out, strlen(out), 0, (struct sockaddr *)&peer, size);
}

static int ask(int type, const char *address, unsigned short port, const char *word)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct timeval limit = { .tv_sec = type == SOCK_DGRAM ? 0 : 2, .tv_usec = 500000 };
	int six = inet_pton(AF_INET, address, &in.sin_addr) != 1 && inet_pton(AF_INET6, address, &in6.sin6_addr) == 1;
	int sock = socket(six ? AF_INET6 : AF_INET, type, 0);
	char line[600];
	ssize_t n;

	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(sock, six ? (void *)&in6 : (void *)&in, six ? sizeof(in6) : sizeof(in)) < 0) {
		perror("echo: connect");
		return 1;
	}
	n = -1;
	for (int tries = type == SOCK_DGRAM ? 4 : 1; n <= 0 && tries > 0; tries--) {
		(void)dprintf(sock, "%s\n", word);
		n = read(sock, line, sizeof(line));
	}
	return n > 0 && write(STDOUT_FILENO, line, (size_t)n) == n ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2];

	if (argc == 5 && strcmp(argv[1], "-u") == 0)
		return ask(SOCK_DGRAM, argv[2], (unsigned short)atoi(argv[3]), argv[4]);
	if (argc == 4)
		return ask(SOCK_STREAM, argv[1], (unsigned short)atoi(argv[2]), argv[3]);
	if (argc != 2)
		return 2;
	(void)signal(SIGCHLD, SIG_IGN);
	fds[0] = (struct pollfd){ .fd = serve_on(SOCK_STREAM, (unsigned short)atoi(argv[1])), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = serve_on(SOCK_DGRAM, (unsigned short)atoi(argv[1])), .events = POLLIN };
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents)
			answer_tcp(fds[0].fd);
		if (fds[1].revents)
			answer_udp(fds[1].fd);
	}
	return 0;
}
