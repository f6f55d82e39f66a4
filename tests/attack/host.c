/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Not an attack: what stands on the host to be reached for. An abstract socket named by the argument, a segment of
 * shared memory, a key, and the process itself. Says "PID SHM KEY" and waits to be killed; the segment goes
 * with it.
 */
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/attack/attack.h"

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), shm = shmget(IPC_PRIVATE, 4096, 0666);
	long key;

	if (argc != 2 || sock < 0 || shm < 0 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	(void)memcpy(address.sun_path + 1, argv[1], strlen(argv[1]));
	if (bind(sock, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[1]))) < 0 || listen(sock, 8) < 0)
		return 2;
	if (shmat(shm, NULL, 0) == (void *)-1 || shmctl(shm, IPC_RMID, NULL) < 0)
		return 2;
	/* -3: the session's keyring */
	key = syscall(SYS_add_key, "user", "host", "secret", 6L, -3L);
	(void)printf("%d %d %ld\n", (int)getpid(), shm, key);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}
