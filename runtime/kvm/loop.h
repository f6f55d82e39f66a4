/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * loop - wait for many descriptors at once and call who is concerned; one loop a thread
 */

#include <stdint.h>

enum { LOOP_BATCH = 16 };

/* struct loop_source - lives inside its owner; @ready gets the EPOLL* bits that came */
struct loop_source {
	int fd;
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop {
	int fd;
	int stop_fd; /* the loop ends when this one is readable */
	struct loop_source *batch[LOOP_BATCH];
	int batch_count;
};

/* container_of() - the struct that @member at @pointer is part of. */
#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

/* loop_init() - @stop_fd stays the caller's. Return: 0 or a recorded failure. */
int loop_init(struct loop *loop, int stop_fd);

/* loop_done() - the sources stay their owners'. */
void loop_done(struct loop *loop);

/*
 * loop_add() - watch @source->fd for @events (EPOLLIN, EPOLLOUT…; 0: only for its end)
 *
 * Return: 0 or a recorded failure. Regular files cannot be watched (EPERM).
 */
int loop_add(struct loop *loop, struct loop_source *source, uint32_t events);

/* loop_change() - other events from now on. Return: 0 or a recorded failure. */
int loop_change(struct loop *loop, struct loop_source *source, uint32_t events);

/* loop_remove() - forget it; its function is not called again. Only in the loop's own thread. */
void loop_remove(struct loop *loop, struct loop_source *source);

/* loop_run() - until stop_fd is readable. Return: 0 or a recorded failure. */
int loop_run(struct loop *loop);
