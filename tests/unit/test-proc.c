/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "tests/unit/tap.h"

/* A child that sleeps until it is killed. */
static pid_t sleeper(const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (name)
			(void)prctl(PR_SET_NAME, name);
		for (;;)
			(void)pause();
	}
	return pid;
}

static pid_t exiter(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void wait_until_zombie(pid_t pid)
{
	siginfo_t info;

	CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_the_start_time_is_the_kernels(void)
{
	uint64_t ours = 0, childs = 0;
	struct timespec now;

	CHECK_INT(proc_start_time(getpid(), &ours), 0);
	pid_t pid = sleeper(NULL);
	CHECK_INT(proc_start_time(pid, &childs), 0);
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	CHECK(ours <= childs);
	/* in ticks since boot, and only just now; a second of room for a busy machine */
	uint64_t ticks = (uint64_t)(now.tv_sec * sysconf(_SC_CLK_TCK));
	CHECK(childs + 200 >= ticks && childs <= ticks + 200);
	end(pid);
}

static void test_a_name_cannot_forge_the_start_time(void)
{
	uint64_t plain = 0, named = 0;
	pid_t pid = sleeper(NULL), evil = sleeper(") Z 1 (\n) Z 1");

	/* until it has its name */
	for (int i = 0; i < 100; i++) {
		char path[64], comm[64] = "";
		FILE *f;

		(void)snprintf(path, sizeof(path), "/proc/%d/comm", evil);
		f = fopen(path, "re");
		if (f) {
			(void)!fgets(comm, sizeof(comm), f);
			(void)fclose(f);
		}
		if (comm[0] == ')')
			break;
		(void)usleep(10000);
	}
	CHECK_INT(proc_start_time(pid, &plain), 0);
	CHECK_INT(proc_start_time(evil, &named), 0);
	CHECK(named >= plain && named - plain < 500);
	end(pid);
	end(evil);
}

static void test_a_zombie_is_gone(void)
{
	uint64_t ticks = 7;
	int pidfd = -1;
	pid_t pid = exiter(0);

	wait_until_zombie(pid);
	CHECK_INT(proc_start_time(pid, &ticks), PROC_GONE);
	CHECK_INT(proc_open(pid, 0, &pidfd), PROC_GONE);
	CHECK_INT(proc_reap(pid), 0);
	CHECK_INT(proc_start_time(pid, &ticks), PROC_GONE);
	CHECK_INT(proc_open(pid, 0, &pidfd), PROC_GONE);
	CHECK(ticks == 7 && pidfd == -1);
}

static void test_what_is_no_pid_is_refused(void)
{
	uint64_t ticks;
	int pidfd;

	CHECK_INT(proc_start_time(0, &ticks), -EINVAL);
	CHECK_INT(proc_start_time(-1, &ticks), -EINVAL);
	CHECK_INT(proc_open(-1, 0, &pidfd), -EINVAL);
	CHECK_STR(fail_text(), "-1 is not a process id");
}

static void test_another_start_time_is_another_process(void)
{
	uint64_t ticks = 0;
	int pidfd = -1;
	pid_t pid = sleeper(NULL);

	CHECK_INT(proc_start_time(pid, &ticks), 0);
	CHECK_INT(proc_open(pid, ticks + 1, &pidfd), PROC_GONE);
	CHECK_INT(pidfd, -1);
	CHECK_INT(proc_open(pid, ticks, &pidfd), 0);
	CHECK(pidfd > 2 && (fcntl(pidfd, F_GETFD) & FD_CLOEXEC));
	(void)close(pidfd);
	end(pid);
}

static void test_a_process_is_signalled_and_waited_for(void)
{
	cleanup_fd int pidfd = -1;
	uint64_t ticks = 0;
	pid_t pid = sleeper(NULL);

	CHECK_INT(proc_start_time(pid, &ticks), 0);
	CHECK_INT(proc_open(pid, ticks, &pidfd), 0);
	CHECK_INT(proc_wait_exit(pidfd, 0), PROC_TIMEOUT);
	CHECK_INT(proc_wait_exit(pidfd, 20), PROC_TIMEOUT);
	CHECK_INT(proc_signal(pidfd, 0), 0);
	CHECK_INT(proc_signal(pidfd, 1000), -EINVAL);
	CHECK_STR(fail_text(), "send signal 1000: Invalid argument");
	CHECK_INT(proc_signal(pidfd, SIGTERM), 0);
	CHECK_INT(proc_wait_exit(pidfd, -1), 0);
	CHECK_INT(proc_reap(pid), 128 + SIGTERM);
	CHECK_INT(proc_wait_exit(pidfd, 0), 0);
	CHECK_INT(proc_signal(pidfd, SIGTERM), PROC_GONE);
	CHECK_INT(proc_wait_exit(99999, 0), -EBADF);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signals_do_not_prolong_the_wait(void)
{
	struct sigaction action = { .sa_handler = on_alarm }, before;
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	cleanup_fd int pidfd = -1;
	uint64_t ticks = 0;
	struct timespec begin, now;
	pid_t pid = sleeper(NULL);

	CHECK_INT(proc_start_time(pid, &ticks), 0);
	CHECK_INT(proc_open(pid, ticks, &pidfd), 0);
	(void)sigaction(SIGALRM, &action, &before);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK_INT(proc_wait_exit(pidfd, 100), PROC_TIMEOUT);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	(void)sigaction(SIGALRM, &before, NULL);
	long ms = (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000;
	CHECK(ms >= 95 && ms < 2000);
	end(pid);
}

static void test_an_end_becomes_an_exit_status(void)
{
	CHECK_INT(proc_reap(exiter(0)), 0);
	CHECK_INT(proc_reap(exiter(255)), 255);
	pid_t pid = sleeper(NULL);
	(void)kill(pid, SIGKILL);
	CHECK_INT(proc_reap(pid), 137);
	CHECK_INT(proc_reap(pid), -ECHILD);
	CHECK_INT(proc_status(3 << 8), 3);
	CHECK_INT(proc_status(SIGSEGV | 0x80), 139);
}

static void test_a_hidden_proc_is_not_taken_for_a_process_that_is_gone(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t ticks;

		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", "/proc", "tmpfs", 0, NULL) < 0)
			_exit(77);
		_exit(proc_start_time(getppid(), &ticks) == -ENOENT &&
				      strstr(fail_text(), "hidepid")
			      ? 0
			      : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		tap_skip("no right to a mount namespace");
	else
		CHECK_INT(status, 0);
}

static void test_the_boot_has_an_id(void)
{
	char one[PROC_BOOT_ID_SIZE], two[PROC_BOOT_ID_SIZE];

	CHECK_INT(proc_boot_id(one), 0);
	CHECK_INT(proc_boot_id(two), 0);
	CHECK_INT((long long)strlen(one), 36);
	CHECK_STR(one, two);
}

/* A process chooses its name. */
static void test_a_line_of_stat(void)
{
	char line[] = "7 (a) R 1 (b) S 12 7 7 0 -1 4194560 95 0 0 0 3 4 0 0 20 0 1 0 98765 2584576 192\n";
	char early[] = "7 (a) S 12 7 7 0 -1 4194560 95 0 0 0 3 4 0 0 20\n", none[] = "7 )a( S 1 2 3", empty[] = "";
	struct proc_stat stat = { .state = '?' };

	CHECK_INT(proc_stat_parse(early, &stat), -EINVAL);
	CHECK_INT(proc_stat_parse(none, &stat), -EINVAL);
	CHECK_INT(proc_stat_parse(empty, &stat), -EINVAL);
	CHECK_INT(stat.state, '?');
	CHECK_INT(proc_stat_parse(line, &stat), 0);
	CHECK_STR(stat.name, "a) R 1 (b");
	CHECK_INT(stat.state, 'S');
	CHECK_INT(stat.parent, 12);
	CHECK_INT((long long)(stat.user_ticks * 10 + stat.system_ticks), 34);
	CHECK_INT((long long)stat.start, 98765);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_line_of_stat),
		TEST(test_the_start_time_is_the_kernels),
		TEST(test_a_name_cannot_forge_the_start_time),
		TEST(test_a_zombie_is_gone),
		TEST(test_what_is_no_pid_is_refused),
		TEST(test_another_start_time_is_another_process),
		TEST(test_a_process_is_signalled_and_waited_for),
		TEST(test_signals_do_not_prolong_the_wait),
		TEST(test_an_end_becomes_an_exit_status),
		TEST(test_a_hidden_proc_is_not_taken_for_a_process_that_is_gone),
		TEST(test_the_boot_has_an_id),
		{ 0 },
	});
}
