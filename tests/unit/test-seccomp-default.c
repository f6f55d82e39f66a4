/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our default profile on all three ABIs: every number, and the telling arguments.
 */
#include <errno.h>
#include <stdlib.h>

#include <linux/audit.h>
#include <seccomp.h>

#include "runtime/base/str.h"
#include "seccomp/internal.h"
#include "tests/unit/seccomp-judge.h"
#include "tests/unit/tap.h"

enum { LAST = 470 /* listns, Linux 6.19 */ };

/* The three ABIs. */
static const struct {
	uint32_t token, audit, bit;
} abis[] = {
	{ SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0 },
	{ SCMP_ARCH_X32, AUDIT_ARCH_X86_64, X32 },
	{ SCMP_ARCH_X86, AUDIT_ARCH_I386, 0 },
};

/* Check a name in every ABI that has it; how often is returned. */
static int check_name(const struct seccomp_filter *f, const char *name, const uint64_t args[6],
		      uint32_t want)
{
	int seen = 0;

	for (size_t i = 0; i < ARRAY_SIZE(abis); i++) {
		struct seccomp_call call;
		uint32_t got;

		if (seccomp_call_find(abis[i].token, name, &call) != SECCOMP_CALL_HERE ||
		    !call.direct)
			continue;
		seen++;
		got = judge(f, abis[i].audit, call.number, args);
		tap_check(got == want, __FILE__, __LINE__, "%s on ABI %zu: %#x, not %#x", name, i,
			  got, want);
	}
	return seen;
}

static void test_default_allows_what_programs_live_on(void)
{
	static const char *const names[] = {
		"read",
		"write",
		"openat",
		"close",
		"mmap",
		"mprotect",
		"brk",
		"execve",
		"exit_group",
		"fork",
		"wait4",
		"futex",
		"rt_sigaction",
		"rt_sigreturn",
		"getdents64",
		"statx",
		"clock_gettime",
		"nanosleep",
		"getrandom",
		"rseq",
		"connect",
		"sendmsg",
		"recvmsg",
		"recvmmsg",
		"epoll_wait",
		"prctl",
		"arch_prctl",
		"setuid",
		"setgroups",
		"capset",
		"chroot",
		"ptrace",
		"seccomp",
		"landlock_restrict_self",
		"faccessat2",
		"fchmodat2",
		"cachestat",
		"mseal",
		"setxattrat",
		"removexattrat",
		"futex_waitv",
		"futex_requeue",
		"statmount",
		"map_shadow_stack",
		"shmget",
		"msgrcv",
		"io_submit",
		"preadv2",
		"execveat",
		"file_setattr",
		"uretprobe",
		"waitpid",
		"_llseek",
		"clock_gettime64",
		"set_thread_area",
		"ipc",
		"stat64",
	};
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(compile(seccomp_default_json(), &f), 0))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK(check_name(&f, names[i], NULL, ALLOW) > 0);
}

static void test_default_refuses_what_is_dangerous(void)
{
	static const char *const names[] = {
		"mount",
		"umount2",
		"pivot_root",
		"open_tree",
		"open_tree_attr",
		"move_mount",
		"mount_setattr",
		"fsopen",
		"fsconfig",
		"fsmount",
		"fspick",
		"setns",
		"kexec_load",
		"kexec_file_load",
		"reboot",
		"init_module",
		"finit_module",
		"delete_module",
		"swapon",
		"swapoff",
		"acct",
		"quotactl",
		"settimeofday",
		"clock_settime",
		"clock_settime64",
		"clock_adjtime",
		"stime",
		"iopl",
		"ioperm",
		"vhangup",
		"syslog",
		"bpf",
		"perf_event_open",
		"userfaultfd",
		"io_uring_setup",
		"io_uring_enter",
		"io_uring_register",
		"fanotify_init",
		"add_key",
		"request_key",
		"keyctl",
		"kcmp",
		"open_by_handle_at",
		"mbind",
		"set_mempolicy",
		"move_pages",
		"migrate_pages",
		"umount",
		"vm86",
		"sysfs",
		"ustat",
		"lsm_set_self_attr",
		"sethostname",
		"uprobe",
	};
	static const uint64_t newns[6] = { 0x00020000 }, newuser_high[6] = { 0xff10000011 };
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(compile(seccomp_default_json(), &f), 0))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK(check_name(&f, names[i], NULL, ERRNO(EPERM)) > 0);
	CHECK_INT(check_name(&f, "clone3", NULL, ERRNO(ENOSYS)), 3);
	CHECK_INT(check_name(&f, "clone", (uint64_t[6]){ 17 }, ALLOW), 3);
	CHECK_INT(check_name(&f, "clone", (uint64_t[6]){ 0x3d0f00 }, ALLOW), 3); /* a thread */
	CHECK_INT(check_name(&f, "clone", newns, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "clone", newuser_high, ERRNO(EPERM)), 3);
	for (int bit = 25; bit <= 30; bit++)
		CHECK_INT(
			check_name(&f, "clone", (uint64_t[6]){ UINT64_C(1) << bit }, ERRNO(EPERM)),
			3);
	CHECK_INT(check_name(&f, "unshare", (uint64_t[6]){ 0x400 }, ALLOW), 3); /* CLONE_FILES */
	CHECK_INT(check_name(&f, "unshare", (uint64_t[6]){ 0x80 }, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "unshare", newns, ERRNO(EPERM)), 3);
	CHECK(judge(&f, AUDIT_ARCH_AARCH64, 63, NULL) == SECCOMP_RET_KILL_PROCESS);
}

static void test_default_compares_what_the_kernel_takes(void)
{
	static const uint32_t personas[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(compile(seccomp_default_json(), &f), 0))
		return;
	for (uint64_t family = 0; family < 64; family++) {
		uint32_t want = family > 45                    ? ERRNO(ENOSYS)
				: family == 38 || family == 40 ? ERRNO(EPERM)
							       : ALLOW;

		CHECK_INT(check_name(&f, "socket", (uint64_t[6]){ family }, want), 3);
		CHECK_INT(check_name(&f, "socketpair", (uint64_t[6]){ family }, want), 3);
		/*
		 * the kernel's int does not see the upper half, so neither may change the verdict
		 */
		CHECK_INT(
			check_name(&f, "socket", (uint64_t[6]){ family | UINT64_C(1) << 32 }, want),
			3);
	}
	/* i386: the way round through memory is shut */
	for (uint64_t place = 0; place < 32; place++)
		CHECK(judge1(&f, AUDIT_ARCH_I386, 102, place) == ERRNO(ENOSYS));

	CHECK_INT(check_name(&f, "ioctl", (uint64_t[6]){ 0, 0x5412 }, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "ioctl", (uint64_t[6]){ 0, 0xffffffff00005412 }, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "ioctl", (uint64_t[6]){ 0, 0x541c }, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "ioctl", (uint64_t[6]){ 0, 0x5413 }, ALLOW), 3);
	CHECK_INT(check_name(&f, "ioctl", (uint64_t[6]){ 0x5412, 0x5401 }, ALLOW), 3);

	for (size_t i = 0; i < ARRAY_SIZE(personas); i++)
		CHECK_INT(check_name(&f, "personality", (uint64_t[6]){ personas[i] }, ALLOW), 3);
	CHECK_INT(check_name(&f, "personality", (uint64_t[6]){ 0x40000 }, ERRNO(EPERM)), 3);
	CHECK_INT(check_name(&f, "personality", (uint64_t[6]){ 0x40008 }, ERRNO(EPERM)), 3);
}

/* Every number of every ABI: allowed is only what has a name, and nothing runs off the program. */
static void test_default_allows_no_number_without_a_name(void)
{
	cleanup_filter struct seccomp_filter f = { .code = NULL };

	if (!CHECK_INT(compile(seccomp_default_json(), &f), 0))
		return;
	CHECK(f.size <= 400 * sizeof(struct sock_filter));
	for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
		for (uint32_t nr = 0; nr < 1024; nr++) {
			uint32_t got = judge(&f, abis[i].audit, nr | abis[i].bit, NULL);
			char *name = seccomp_syscall_resolve_num_arch(abis[i].token,
								      (int)(nr | abis[i].bit));
			bool known =
				name || (nr > 456 && nr <= LAST) ||
				(abis[i].token == SCMP_ARCH_X86_64 && (nr == 335 || nr == 336));

			tap_check(got == ALLOW || got == ERRNO(EPERM) || got == ERRNO(ENOSYS),
				  __FILE__, __LINE__, "ABI %zu, %u: %#x", i, nr, got);
			tap_check(known || got == ERRNO(ENOSYS), __FILE__, __LINE__,
				  "ABI %zu, %u: %#x", i, nr, got);
			free(name);
		}
	for (uint64_t nr = 600; nr <= UINT32_MAX; nr += 9973)
		CHECK((nr >= X32 && nr < X32 + 600) ||
		      judge(&f, AUDIT_ARCH_X86_64, (uint32_t)nr, NULL) == ERRNO(ENOSYS));
	CHECK(judge(&f, AUDIT_ARCH_X86_64, UINT32_MAX, NULL) == ERRNO(ENOSYS));
	CHECK(judge(&f, AUDIT_ARCH_I386, 1 | X32, NULL) == ERRNO(ENOSYS));
}

int main(void)
{
	return tap_run((struct tap_test[]){ TEST(test_default_allows_what_programs_live_on),
					    TEST(test_default_refuses_what_is_dangerous),
					    TEST(test_default_compares_what_the_kernel_takes),
					    TEST(test_default_allows_no_number_without_a_name),
					    { 0 } });
}
