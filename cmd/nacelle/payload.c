/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals are read from a file, among the other things that are waited for, and sent to the payload by its
 * pidfd. Not passed on: what the kernel sends for a fault of our own, what stops us at a terminal that we
 * are not in front of, and SIGCHLD and SIGPIPE, which are about our own doings.
 */
#include "cmd/nacelle/payload.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/base/proc.h"

static const int not_passed[] = {
	SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT,
};

int payload_signals(void)
{
	struct sigaction hangup;
	sigset_t set;
	int fd;

	(void)sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(not_passed); i++)
		(void)sigdelset(&set, not_passed[i]);
	/* nohup(1): who ignores the end of the terminal means the container too. */
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
		(void)sigdelset(&set, SIGHUP);
	fd = sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? fail(errno, "take signals") : fd;
}

int payload_signals_pass(int signals, int pidfd, bool *ret_resized)
{
	struct signalfd_siginfo info;
	bool resized = false;
	ssize_t n;

	while ((n = read(signals, &info, sizeof(info))) == (ssize_t)sizeof(info)) {
		if (proc_signal(pidfd, (int)info.ssi_signo) < 0)
			log_warn("%s, ignoring", fail_text());
		resized = resized || info.ssi_signo == SIGWINCH;
	}
	*ret_resized = resized;
	return n < 0 && errno != EAGAIN && errno != EINTR ? fail(errno, "take a signal") : 0;
}

int payload_wait(int signals, pid_t pid, int pidfd)
{
	struct pollfd wait[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	while (!wait[0].revents) {
		bool resized;
		int r = 0;

		if (poll(wait, ARRAY_SIZE(wait), -1) < 0 && errno != EINTR)
			return fail(errno, "wait for the process");
		if (wait[1].revents)
			r = payload_signals_pass(signals, pidfd, &resized);
		if (r < 0)
			return r;
	}
	return proc_reap(pid);
}
