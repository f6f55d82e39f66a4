/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vsock-cid DEVICE: inside a guest, print the number that its kernel has for it on vsock. DEVICE is a node of the
 * driver's, whose minor number stands in /proc/misc.
 */
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	unsigned int cid;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0) {
		perror("vsock-cid");
		return 1;
	}
	printf("%u\n", cid);
	return 0;
}
