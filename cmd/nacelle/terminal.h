/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * terminal - the caller's terminal in front of a payload's own
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { DETACH_KEYS_MAX = 16 };
#define DETACH_KEYS_DEFAULT "ctrl-p,ctrl-q"

/* Keys that, typed one after the other, leave the container to itself. */
struct detach_keys {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t count;	/* 0: there are none */
};

/* detach_keys_read() - from docker's notation: "ctrl-p,ctrl-q", "ctrl-]", "x"; "" is none. Return: 0 or a recorded failure. */
int detach_keys_read(const char *text, struct detach_keys *ret);

/* terminal_size_copy() - give the terminal @to the size of the one on our standard streams, if any is one. */
void terminal_size_copy(int to);

/* What goes on between the two. */
struct terminal_proxy {
	int master;		/* of the payload's terminal, or a stream that leads to it */
	int size;		/* the terminal that gets the size of ours */
	int signals;		/* signalfd, see payload.h */
	int pidfd;		/* of the payload: gets the signals */
	int talk;		/* its readability ends the proxy */
	bool input;		/* hand on our standard input */
	const struct detach_keys *keys;
};

enum { TERMINAL_ENDED = 0, TERMINAL_DETACHED = 1 };

/*
 * terminal_proxy() - hand on what is typed and what is shown, until there is something on `talk` or the keys were typed
 *
 * Our terminal is raw meanwhile, and as before afterwards. What the payload said last is shown before the return.
 * Return: TERMINAL_ENDED, TERMINAL_DETACHED, or a recorded failure.
 */
int terminal_proxy(const struct terminal_proxy *proxy);
