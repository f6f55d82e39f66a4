/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls by the other doors: i386's int 0x80, and x32's numbers. What the filter keeps from x86-64 it must
 * keep from these. Numbers of i386: linux/arch/x86/entry/syscalls/syscall_32.tbl.
 */
#include <errno.h>
#include <signal.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"

enum { X32 = 0x40000000 };

static sigjmp_buf back;

static void no_such_door(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static long door32(long number, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(-1L), "D"(-1L)
			 : "memory", "r8", "r9", "r10", "r11");
	r = (int)r;
	if (r >= 0 || r < -4095)
		return r;
	errno = (int)-r;
	return -1;
}

static const struct {
	const char *name;
	int i386, x32;
} calls[] = {
	{ "mount", 21, SYS_mount }, { "ptrace of init", 0, 0 }, { "umount2", 52, SYS_umount2 },
	{ "init_module", 128, SYS_init_module }, { "delete_module", 129, SYS_delete_module },
	{ "quotactl", 131, SYS_quotactl }, { "pivot_root", 217, SYS_pivot_root },
	{ "add_key", 286, SYS_add_key }, { "request_key", 287, SYS_request_key }, { "keyctl", 288, SYS_keyctl },
	{ "unshare", 310, SYS_unshare }, { "kexec_load", 283, 528 }, { "perf_event_open", 336, SYS_perf_event_open },
	{ "open_by_handle_at", 342, SYS_open_by_handle_at }, { "setns", 346, SYS_setns },
	{ "finit_module", 350, SYS_finit_module }, { "bpf", 357, SYS_bpf }, { "userfaultfd", 374, SYS_userfaultfd },
	{ "io_uring_setup", 425, SYS_io_uring_setup }, { "open_tree", 428, SYS_open_tree },
	{ "move_mount", 429, SYS_move_mount }, { "fsopen", 430, SYS_fsopen }, { "clone3", 435, SYS_clone3 },
	{ "mount_setattr", 442, SYS_mount_setattr }, { "iopl", 110, SYS_iopl }, { "swapon", 87, SYS_swapon },
	{ "reboot", 88, SYS_reboot }, { "settimeofday", 79, SYS_settimeofday }, { "vm86", 166, 0 },
	{ "uselib", 86, SYS_uselib }, { "modify the clock (64)", 404, 0 },
};

int main(void)
{
	const struct sigaction none = { .sa_handler = no_such_door };
	volatile bool i386 = true;

	(void)sigaction(SIGSEGV, &none, NULL);
	(void)sigaction(SIGSYS, &none, NULL);
	if (sigsetjmp(back, 1) == 0)
		(void)printf("i386: %s\n", door32(20, 0, 0, 0) > 0 ? "there" : "refused");
	else
		i386 = false;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "i386 %s", calls[i].name);
		if (calls[i].i386) {
			long r = i386 ? door32(calls[i].i386, -1, -1, -1) : -1;

			attack_found(name, i386 && (r >= 0 || (errno != EPERM && errno != ENOSYS)),
				     i386 ? strerror(errno) : "no such door here");
		}
		(void)snprintf(name, sizeof(name), "x32 %s", calls[i].name);
		if (calls[i].x32) {
			long r = syscall(X32 | calls[i].x32, -1L, -1L, -1L, -1L, -1L, -1L);

			attack_found(name, r >= 0 || (errno != EPERM && errno != ENOSYS), strerror(errno));
		}
	}
	return attack_end();
}
