/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pump - bytes from one descriptor to another, within somebody's poll loop
 *
 * Each has one buffer, read only while it is empty: a slow reader holds up its writer and nobody else.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum { PUMP_FDS = 2, PUMP_BUFFER = 16384 };

struct pump {
	int from, to;	/* owned; -1 when closed */
	bool ended;	/* @from has no more */
	bool done;	/* all is delivered, or cannot be */
	size_t at, size;
	char buffer[PUMP_BUFFER];
};

/*
 * pump_init() - take over both descriptors
 *
 * Those that are shared with others may block: no more is written at once than a pipe that polls as
 * writable takes.
 */
void pump_init(struct pump *pump, int from, int to);

/* pump_wants() - fill what it waits for. */
void pump_wants(const struct pump *pump, struct pollfd ret[PUMP_FDS]);

/* pump_move() - move what can be moved after poll(2). At the end a socket is shut down, anything else closed. */
void pump_move(struct pump *pump, const struct pollfd fds[PUMP_FDS]);

/* pump_end() - nobody writes to @from any more: what it still holds is the rest. @from must not block. */
void pump_end(struct pump *pump);

/* pump_close() - close what is open. */
void pump_close(struct pump *pump);
