/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll, level-triggered. A source that is removed by another one's function must not be called for
 * an event that was already fetched, so the batch in hand is searched at each removal.
 */
#include "runtime/kvm/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "runtime/base/error.h"

int loop_init(struct loop *loop, int stop_fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	*loop = (struct loop){ .fd = epoll_create1(EPOLL_CLOEXEC), .stop_fd = stop_fd };
	if (loop->fd < 0)
		return fail(errno, "epoll_create1");
	if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, stop_fd, &event) < 0)
		return fail(errno, "watch for the machine's end");
	return 0;
}

void loop_done(struct loop *loop)
{
	if (loop->fd >= 0)
		(void)close(loop->fd);
	loop->fd = -1;
}

static int control(struct loop *loop, int op, struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(loop->fd, op, source->fd, &event) < 0)
		return fail(errno, "watch descriptor %d", source->fd);
	return 0;
}

int loop_add(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_ADD, source, events);
}

int loop_change(struct loop *loop, struct loop_source *source, uint32_t events)
{
	return control(loop, EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	(void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i] == source)
			loop->batch[i] = NULL;
}

int loop_run(struct loop *loop)
{
	bool stop = false;

	while (!stop) {
		struct epoll_event events[LOOP_BATCH];
		int n = epoll_wait(loop->fd, events, LOOP_BATCH, -1);

		if (n < 0 && errno != EINTR)
			return fail(errno, "epoll_wait");
		for (int i = 0; i < n; i++) {
			loop->batch[i] = events[i].data.ptr;
			stop = stop || !events[i].data.ptr;
		}
		loop->batch_count = n < 0 ? 0 : n;
		for (int i = 0; i < n && !stop; i++)
			if (loop->batch[i])
				loop->batch[i]->ready(loop->batch[i], events[i].events);
		loop->batch_count = 0;
	}
	return 0;
}
