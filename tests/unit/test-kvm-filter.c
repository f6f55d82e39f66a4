/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each kind of thread's filter, loaded in a child of our own that then makes one call: what is
 * allowed comes back, what is not ends the child by SIGSYS. Nothing but bare calls happens after.
 */
#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/filter.h"
#include "tests/unit/tap.h"

/* Return: the signal that ended the child, 0 when the call came back, -1 when nothing could be tried. */
static int try_call(enum filter_thread thread, long nr, long a, long b, long c)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (filter_load(thread) < 0)
			(void)syscall(SYS_exit_group, 1);
		(void)syscall(nr, a, b, c, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		(void)syscall(SYS_exit_group, 0);
	}
	if (waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_a_vcpu_runs_and_nothing_else(void)
{
	CHECK_INT(try_call(FILTER_VCPU, SYS_ioctl, -1, KVM_RUN, 0), 0);
	CHECK_INT(try_call(FILTER_VCPU, SYS_write, -1, 0, 0), 0);
	CHECK_INT(try_call(FILTER_VCPU, SYS_ioctl, -1, KVM_SET_USER_MEMORY_REGION, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_VCPU, SYS_ioctl, -1, TIOCSTI, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_VCPU, SYS_mmap, 0, 4096, PROT_READ), SIGSYS);
	CHECK_INT(try_call(FILTER_VCPU, SYS_openat, -100, 0, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_VCPU, SYS_read, -1, 0, 0), SIGSYS);
}

static void test_the_loop_opens_nothing_and_makes_no_code(void)
{
	CHECK_INT(try_call(FILTER_LOOP, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE), 0);
	CHECK_INT(try_call(FILTER_LOOP, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC), SIGSYS);
	CHECK_INT(try_call(FILTER_LOOP, SYS_mprotect, 0, 4096, PROT_EXEC), SIGSYS);
	CHECK_INT(try_call(FILTER_LOOP, SYS_openat, -100, 0, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_LOOP, SYS_ioctl, -1, KVM_RUN, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_LOOP, SYS_socket, 1, 1, 0), SIGSYS);
}

static void test_the_file_server_has_files_and_no_more(void)
{
	CHECK_INT(try_call(FILTER_MAKER, SYS_ioctl, -1, KVM_GET_REGS, 0), 0);
	CHECK_INT(try_call(FILTER_MAKER, SYS_ioctl, -1, KVM_SET_REGS, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_MAKER, SYS_openat, -1, 0, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_FILES, SYS_openat, -1, 0, 0), 0);
	CHECK_INT(try_call(FILTER_FILES, SYS_ioctl, -1, KVM_RUN, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_FILES, SYS_socket, 1, 1, 0), SIGSYS);
	CHECK_INT(try_call(FILTER_FILES, SYS_mmap, 0, 4096, PROT_EXEC), SIGSYS);
}

static void test_none_starts_a_program(void)
{
	static const long forbidden[] = {
		SYS_execve,         SYS_execveat,
		SYS_clone,          SYS_clone3,
		SYS_fork,           SYS_ptrace,
		SYS_mount,          SYS_setns,
		SYS_unshare,        SYS_bpf,
		SYS_io_uring_setup, SYS_setuid,
		SYS_capset,         SYS_process_vm_writev,
		SYS_kill,           0x40000000 | SYS_write,
	};

	for (int thread = 0; thread < FILTER_THREADS; thread++)
		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
			CHECK_INT(try_call((enum filter_thread)thread, forbidden[i], 0, 0, 0),
				  SIGSYS);
}

static void test_they_are_small(void)
{
	CHECK(filter_count(FILTER_VCPU) <= 12);
	CHECK(filter_count(FILTER_LOOP) <= 31);
	CHECK(filter_count(FILTER_FILES) <= 50);
	CHECK(filter_count(FILTER_SERVER) <= 70);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_vcpu_runs_and_nothing_else),
		TEST(test_the_loop_opens_nothing_and_makes_no_code),
		TEST(test_the_file_server_has_files_and_no_more),
		TEST(test_none_starts_a_program),
		TEST(test_they_are_small),
		{ 0 },
	});
}
