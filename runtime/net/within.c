/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/net/within.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

int net_within(int netns, int (*run)(void *arg), void *arg)
{
	cleanup_fd int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (own < 0)
		return fail(errno, "open our own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail(errno, "enter the container's network namespace");
	r = run(arg);
	if (setns(own, CLONE_NEWNET) == 0)
		return r;
	r = r < 0 ? r : -errno;
	return fail(-r, "come back to our own network namespace");
}
