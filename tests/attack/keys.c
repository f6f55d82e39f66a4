/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyrings are not namespaced.
 *
 *	keys plant NAME		make a session keyring of that name with a key that all may have, say its serial, stay
 *	keys find SERIAL	from another container: look for that key, and for any key of ours
 */
#include <linux/keyctl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static long keyctl(int what, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, what, a, b, c, d);
}

static int plant(const char *name)
{
	long ring = keyctl(KEYCTL_JOIN_SESSION_KEYRING, (long)(intptr_t)name, 0, 0, 0), key;

	if (ring < 0)
		return 1;
	key = syscall(SYS_add_key, "user", "loot", "secret", 6L, (long)KEY_SPEC_SESSION_KEYRING);
	if (key < 0 || keyctl(KEYCTL_SETPERM, ring, 0x3f3f3f3f, 0, 0) < 0)
		return 1;
	(void)printf("%ld\n", key);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

static int find(const char *serial)
{
	char text[64];

	attack_answer("a key in the session keyring",
		      keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)(intptr_t)"user", (long)(intptr_t)"loot", 0));
	attack_answer("a key by its serial", keyctl(KEYCTL_READ, atol(serial), (long)(intptr_t)text, sizeof(text), 0));
	attack_answer("link a key by its serial", keyctl(KEYCTL_LINK, atol(serial), KEY_SPEC_SESSION_KEYRING, 0, 0));
	attack_answer("a new key by request",
		      syscall(SYS_request_key, "user", "loot", NULL, (long)KEY_SPEC_SESSION_KEYRING));
	return attack_end();
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "plant") == 0)
		return plant(argv[2]);
	if (argc == 3 && strcmp(argv[1], "find") == 0)
		return find(argv[2]);
	return 2;
}
