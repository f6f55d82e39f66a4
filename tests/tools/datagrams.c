/* SPDX-License-Identifier: GPL-2.0-or-later */
/* datagrams SOCKET - make a datagram socket, and print what comes until it is killed; bytes that are not printable as "." */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	static char text[1 << 20];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (argc != 2 || fd < 0 || strlen(argv[1]) >= sizeof(name.sun_path))
		return 1;
	strcpy(name.sun_path, argv[1]);
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0)
		return 1;
	for (;;) {
		ssize_t n = recv(fd, text, sizeof(text), 0);

		if (n < 0)
			return 1;
		for (ssize_t i = 0; i < n; i++)
			putchar((text[i] >= ' ' && text[i] <= '~') || text[i] == '\n' ? text[i] : '.');
		printf("--\n");
		fflush(stdout);
	}
}
