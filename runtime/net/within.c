/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/net/within.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/net/loopback.h"

/* Return: fd, or a recorded failure. */
static int ours_open(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail(errno, "open our own network namespace") : fd_lift(fd);
}

/* To @own, after something that went as @r says. */
static int come_back(int own, int r)
{
	if (setns(own, CLONE_NEWNET) == 0)
		return r;
	r = r < 0 ? r : -errno;
	return fail(-r, "come back to our own network namespace");
}

int net_within(int netns, int (*run)(void *arg), void *arg)
{
	cleanup_fd int own = ours_open();

	if (own < 0)
		return own;
	if (setns(netns, CLONE_NEWNET) < 0)
		return fail(errno, "enter the container's network namespace");
	return come_back(own, run(arg));
}

int net_namespace_new(int *ret_netns)
{
	cleanup_fd int own = ours_open(), made = -1;
	int r;

	if (own < 0)
		return own;
	if (unshare(CLONE_NEWNET) < 0)
		return fail(errno, "new network namespace");
	r = net_loopback_up();
	if (r == 0) {
		made = ours_open();
		r = made < 0 ? made : 0;
	}
	r = come_back(own, r);
	if (r == 0)
		*ret_netns = steal_fd(&made);
	return r;
}
