/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names - from a system call's name to its number in one ABI
 *
 * libseccomp's tables are asked first. Debian's 2.5.4 ends with Linux 6.7, so what came later
 * stands here. i386 has two calls that hold others inside, socketcall(2) and ipc(2): libseccomp
 * gives a negative pseudo number for what is inside one (-100 or -200 less the place), even where
 * Linux 4.3 or 5.1 added a number of its own. Those numbers stand here too, and both ways are
 * given.
 */
#include "seccomp/internal.h"

#include <errno.h>
#include <seccomp.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "seccomp/profile.h"

enum {
	NONE = -1,
	X32_BIT = 0x40000000,
	I386_SOCKETCALL = 102,
	I386_IPC = 117,
	SOCKETCALL_LAST = 20, /* SYS_SENDMMSG */
	IPC_LAST = 24, /* SHMCTL */
};

/*
 * Since Linux 5.1 new calls have one number everywhere. Source:
 * arch/x86/entry/syscalls/syscall_{32,64}.tbl
 */
#define EVERYWHERE(nr) .x86_64 = (nr), .i386 = (nr), .x32 = X32_BIT + (nr)

static const struct newer {
	const char *name;
	int x86_64, i386, x32;
} newer[] = {
	{ "uretprobe", .x86_64 = 335, .i386 = NONE, .x32 = NONE },
	{ "uprobe", .x86_64 = 336, .i386 = NONE, .x32 = NONE },
	{ "futex_waitv", EVERYWHERE(449) },
	{ "set_mempolicy_home_node", EVERYWHERE(450) },
	{ "cachestat", EVERYWHERE(451) },
	{ "fchmodat2", EVERYWHERE(452) },
	{ "map_shadow_stack", .x86_64 = 453, .i386 = 453, .x32 = NONE },
	{ "futex_wake", EVERYWHERE(454) },
	{ "futex_wait", EVERYWHERE(455) },
	{ "futex_requeue", EVERYWHERE(456) },
	{ "statmount", EVERYWHERE(457) },
	{ "listmount", EVERYWHERE(458) },
	{ "lsm_get_self_attr", EVERYWHERE(459) },
	{ "lsm_set_self_attr", EVERYWHERE(460) },
	{ "lsm_list_modules", EVERYWHERE(461) },
	{ "mseal", EVERYWHERE(462) },
	{ "setxattrat", EVERYWHERE(463) },
	{ "getxattrat", EVERYWHERE(464) },
	{ "listxattrat", EVERYWHERE(465) },
	{ "removexattrat", EVERYWHERE(466) },
	{ "open_tree_attr", EVERYWHERE(467) },
	{ "file_getattr", EVERYWHERE(468) },
	{ "file_setattr", EVERYWHERE(469) },
	{ "listns", EVERYWHERE(470) },
};

/* i386: what socketcall and ipc hold, and has a number of its own as well */
static const struct unpacked {
	const char *name;
	uint32_t number;
} unpacked[] = {
	{ "recvmmsg", 337 },   { "sendmmsg", 345 },    { "socket", 359 },
	{ "socketpair", 360 }, { "bind", 361 },        { "connect", 362 },
	{ "listen", 363 },     { "accept4", 364 },     { "getsockopt", 365 },
	{ "setsockopt", 366 }, { "getsockname", 367 }, { "getpeername", 368 },
	{ "sendto", 369 },     { "sendmsg", 370 },     { "recvfrom", 371 },
	{ "recvmsg", 372 },    { "shutdown", 373 },    { "semget", 393 },
	{ "semctl", 394 },     { "shmget", 395 },      { "shmctl", 396 },
	{ "shmat", 397 },      { "shmdt", 398 },       { "msgget", 399 },
	{ "msgsnd", 400 },     { "msgrcv", 401 },      { "msgctl", 402 },
};

static enum seccomp_known find_newer(uint32_t token, const char *name, struct seccomp_call *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++) {
		int number = NONE;

		if (!str_eq(newer[i].name, name))
			continue;
		if (token == SCMP_ARCH_X86_64)
			number = newer[i].x86_64;
		else if (token == SCMP_ARCH_X86)
			number = newer[i].i386;
		else if (token == SCMP_ARCH_X32)
			number = newer[i].x32;
		else if (newer[i].i386 == newer[i].x86_64)
			number = newer[i].x86_64; /* one of those that are the same everywhere */
		if (number == NONE)
			return SECCOMP_CALL_ELSEWHERE;
		*ret = (struct seccomp_call){ .direct = true, .number = (uint32_t)number };
		return SECCOMP_CALL_HERE;
	}
	return SECCOMP_CALL_UNKNOWN;
}

/* @pseudo: libseccomp's, negative */
static enum seccomp_known find_packed(const char *name, int pseudo, struct seccomp_call *ret)
{
	struct seccomp_call call = { .direct = false };

	if (pseudo < -100 && pseudo >= -100 - SOCKETCALL_LAST) {
		call.multiplexer = I386_SOCKETCALL;
		call.place = (uint64_t)(-100 - pseudo);
		call.place_mask = UINT32_MAX;
	} else if (pseudo < -200 && pseudo >= -200 - IPC_LAST) {
		call.multiplexer = I386_IPC;
		call.place = (uint64_t)(-200 - pseudo);
		call.place_mask = 0xffff; /* the upper half is a version. Source: ipc/syscall.c */
	} else {
		return SECCOMP_CALL_ELSEWHERE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unpacked); i++)
		if (str_eq(unpacked[i].name, name)) {
			call.direct = true;
			call.number = unpacked[i].number;
		}
	*ret = call;
	return SECCOMP_CALL_HERE;
}

enum seccomp_known seccomp_call_find(uint32_t token, const char *name, struct seccomp_call *ret)
{
	int number = seccomp_syscall_resolve_name_arch(token, name);
	/* for x32 libseccomp puts the bit on its pseudo numbers too, -1 among them */
	bool unknown = seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR;

	if (unknown)
		return find_newer(token, name, ret);
	if (token == SCMP_ARCH_X32 ? number >= X32_BIT : number >= 0) {
		*ret = (struct seccomp_call){ .direct = true, .number = (uint32_t)number };
		return SECCOMP_CALL_HERE;
	}
	return token == SCMP_ARCH_X86 ? find_packed(name, number, ret) : SECCOMP_CALL_ELSEWHERE;
}

int seccomp_names_check(const struct seccomp_profile *profile)
{
	__attribute__((cleanup(seccomp_profile_free_p))) struct seccomp_profile *whole = NULL;

	if (profile->builtin) {
		int r = seccomp_profile_builtin(&whole);

		return r < 0 ? r : seccomp_names_check(whole);
	}
	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct str_list *names = &profile->rules[i].names;

		for (size_t j = 0; j < names->count; j++) {
			struct seccomp_call call;
			char quoted[STR_QUOTE_SIZE];

			if (seccomp_call_find(seccomp_arch_native(), names->items[j], &call) == SECCOMP_CALL_UNKNOWN)
				return fail_plain(EINVAL, "syscalls[%zu].names[%zu]: %s is no system call that we know", i, j,
						  str_quote(quoted, names->items[j]));
		}
	}
	return 0;
}
