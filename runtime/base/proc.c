/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pid alone names nobody for long: it is used together with the start time, which is looked at
 * after the pidfd is held, so that the number cannot be given away between the two.
 */
#include "runtime/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { STAT_MAX = 2048 }; /* 52 numbers and a name of at most 64 bytes */

/* Read the first @size - 1 bytes of @path at one go. Return: 0 or -errno, nothing recorded. */
static int line_read(const char *path, char *buf, size_t size)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int proc_stat_parse(char *line, struct proc_stat *ret)
{
	/* The name in brackets may hold anything, brackets and blanks too. */
	char *open = strchr(line, '('), *close = strrchr(line, ')');
	struct proc_stat stat;

	if (!open || !close || close < open ||
	    sscanf(close + 1, " %c %" SCNd32 " %*d %*d %*d %*d %" SCNu32 " %*u %*u %*u %*u %" SCNu64 " %" SCNu64
		   " %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &stat.state, &stat.parent, &stat.flags, &stat.user_ticks, &stat.system_ticks, &stat.start) != 6)
		return -EINVAL;
	*close = '\0';
	stat.name = open + 1;
	*ret = stat;
	return 0;
}

int proc_start_time(pid_t pid, uint64_t *ret_ticks)
{
	char path[sizeof("/proc/-2147483648/stat")], line[STAT_MAX];
	struct proc_stat stat;
	int r;

	if (pid <= 0)
		return fail_plain(EINVAL, "%d is not a process id", pid);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = line_read(path, line, sizeof(line));
	if (r == -ESRCH)
		return PROC_GONE;
	if (r == -ENOENT) {
		/* /proc may hide it (hidepid), or not be there: that is not the same as gone. */
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return PROC_GONE;
		return fail_plain(ENOENT,
				  "process %d is there but '%s' is not: /proc must be mounted, "
				  "without hidepid",
				  pid, path);
	}
	if (r < 0)
		return fail(-r, "read '%s'", path);
	if (proc_stat_parse(line, &stat) < 0)
		return fail_plain(EINVAL, "cannot make sense of '%s'", path);
	if (stat.state == 'Z' || stat.state == 'X')
		return PROC_GONE;
	*ret_ticks = stat.start;
	return 0;
}

int proc_open(pid_t pid, uint64_t start_time, int *ret_pidfd)
{
	cleanup_fd int pidfd = -1;
	uint64_t ticks = 0;
	int r;

	if (pid <= 0)
		return fail_plain(EINVAL, "%d is not a process id", pid);
	pidfd = pidfd_open(pid, 0);
	/* EINVAL, and ENOENT on newer kernels: the number is now that of a mere thread. */
	if (pidfd < 0 && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
		return PROC_GONE;
	if (pidfd < 0)
		return fail(errno, "open process %d", pid);
	r = proc_start_time(pid, &ticks);
	if (r != 0)
		return r;
	if (ticks != start_time)
		return PROC_GONE;
	pidfd = fd_lift(pidfd);
	if (pidfd < 0)
		return fail(-pidfd, "open process %d", pid);
	*ret_pidfd = steal_fd(&pidfd);
	return 0;
}

int proc_signal(int pidfd, int signal)
{
	if (pidfd_send_signal(pidfd, signal, NULL, 0) == 0)
		return 0;
	return errno == ESRCH ? PROC_GONE : fail(errno, "send signal %d", signal);
}

int proc_wait_exit(int pidfd, int timeout_ms)
{
	int64_t end = timeout_ms > 0 ? clock_ms() + timeout_ms : 0;
	int left = timeout_ms;

	for (;;) {
		struct pollfd ended = { .fd = pidfd, .events = POLLIN };
		int n = poll(&ended, 1, left);

		if (n < 0 && errno != EINTR)
			return fail(errno, "wait for a process");
		/* Without this check a closed pidfd would pass for a process that ended. */
		if (n > 0 && (ended.revents & POLLNVAL))
			return fail(EBADF, "wait for a process");
		if (n > 0)
			return 0;
		if (n == 0)
			return PROC_TIMEOUT;
		if (timeout_ms > 0) {
			int64_t rest = end - clock_ms();

			left = rest > 0 ? (int)rest : 0;
		}
	}
}

int proc_reap(pid_t pid)
{
	int wait_status;
	pid_t p;

	do
		p = waitpid(pid, &wait_status, 0);
	while (p < 0 && errno == EINTR);
	if (p < 0)
		return fail(errno, "wait for process %d", pid);
	return proc_status(wait_status);
}

int proc_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

int proc_boot_id(char ret[PROC_BOOT_ID_SIZE])
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	static _Thread_local char known[PROC_BOOT_ID_SIZE]; /* asked for several times in a start, and always the same */
	char line[PROC_BOOT_ID_SIZE + 1];
	int r;

	if (*known) {
		memcpy(ret, known, PROC_BOOT_ID_SIZE);
		return 0;
	}
	r = line_read(path, line, sizeof(line));
	if (r < 0)
		return fail(-r, "read '%s'", path);
	line[strcspn(line, "\n")] = '\0';
	if (strlen(line) != PROC_BOOT_ID_SIZE - 1 || line[strspn(line, "0123456789abcdef-")])
		return fail_plain(EINVAL, "'%s' does not hold a boot id", path);
	memcpy(known, line, PROC_BOOT_ID_SIZE);
	memcpy(ret, line, PROC_BOOT_ID_SIZE);
	return 0;
}
