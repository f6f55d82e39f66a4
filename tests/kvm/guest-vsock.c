/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest-vsock PORT COUNT: inside a guest, serve COUNT streams one after the other by sending back what
 * comes, then end. A last word of the stream's size goes to standard output.
 */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/kvm/vsock.h"

static void ring(void)
{
	const struct sockaddr_vm bell = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = VSOCK_DOORBELL,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	/* It is refused, and heard all the same. */
	if (connect(fd, (const struct sockaddr *)&bell, sizeof(bell)) == 0)
		puts("the host took a connection of ours");
	(void)close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY };
	int count = argc > 2 ? atoi(argv[2]) : 1, fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	static char buffer[65536];

	address.svm_port = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 5;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0) {
		perror("guest-vsock");
		return 1;
	}
	ring();
	while (count-- > 0) {
		struct sockaddr_vm peer;
		socklen_t size = sizeof(peer);
		int stream = accept(fd, (struct sockaddr *)&peer, &size);
		unsigned long long sum = 0;
		ssize_t n;

		if (stream < 0)
			return 1;
		while ((n = read(stream, buffer, sizeof(buffer))) > 0) {
			sum += (unsigned long long)n;
			if (fd_write_all(stream, buffer, (size_t)n) < 0)
				break;
		}
		printf("stream from cid %u: %llu bytes\n", peer.svm_cid, sum);
		(void)close(stream);
	}
	return 0;
}
