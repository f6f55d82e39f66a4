/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end travels in both directions: @from's end shuts @to, and a broken @to closes @from, so that its
 * writer is told.
 */
#include "runtime/base/pump.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

static void fd_drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* A socket stays open for the other side to read on. */
static void finish(struct pump *pump)
{
	pump->done = true;
	fd_drop(&pump->from);
	if (pump->to >= 0 && shutdown(pump->to, SHUT_WR) < 0)
		fd_drop(&pump->to);
}

static void fill(struct pump *pump)
{
	ssize_t n = read(pump->from, pump->buffer, sizeof(pump->buffer));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	pump->at = 0;
	pump->size = n > 0 ? (size_t)n : 0;
	pump->ended = n <= 0;
}

static void drain(struct pump *pump)
{
	size_t left = pump->size - pump->at;
	ssize_t n = write(pump->to, pump->buffer + pump->at, left < PIPE_BUF ? left : PIPE_BUF);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		pump->at = pump->size = 0;
		pump->ended = true;
		fd_drop(&pump->to);
		return;
	}
	pump->at += (size_t)n;
	if (pump->at == pump->size)
		pump->at = pump->size = 0;
}

void pump_init(struct pump *pump, int from, int to)
{
	pump->from = from;
	pump->to = to;
	pump->ended = pump->done = false;
	pump->at = pump->size = 0;
}

void pump_wants(const struct pump *pump, struct pollfd ret[PUMP_FDS])
{
	bool full = pump->size > 0;

	ret[0] = (struct pollfd){ .fd = full || pump->ended ? -1 : pump->from, .events = POLLIN };
	ret[1] = (struct pollfd){ .fd = full ? pump->to : -1, .events = POLLOUT };
}

void pump_move(struct pump *pump, const struct pollfd fds[PUMP_FDS])
{
	if (pump->done)
		return;
	if (fds[0].revents)
		fill(pump);
	if (fds[1].revents)
		drain(pump);
	if (pump->ended && pump->size == 0)
		finish(pump);
}

void pump_end(struct pump *pump)
{
	if (pump->done || pump->size > 0 || pump->ended)
		return;
	fill(pump);
	if (pump->size == 0)
		pump->ended = true;
	if (pump->ended)
		finish(pump);
}

void pump_close(struct pump *pump)
{
	fd_drop(&pump->from);
	fd_drop(&pump->to);
	pump->done = true;
}
