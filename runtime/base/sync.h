/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sync - how parent and child wait for each other, and how a failure crosses over
 *
 * A SOCK_SEQPACKET pair (or a connection to start.sock, see runtime/state.h); each message is one
 * datagram: a word of enum sync_word, an errno, an exit status, a text, and at most one fd.
 * The end of the stream means that the other side is gone, or that it has exec'ed.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sync_word {
	SYNC_NONE,	/* end of stream: never sent */
	SYNC_CLONED,	/* helper → parent: value is the pid of the container's first process */
	SYNC_MAPPED,	/* parent → child: id maps are written, it is in its cgroup */
	SYNC_NETWORK,	/* parent → child: carries the fd of its network namespace, when that was not made with it */
	SYNC_HOOKS,	/* child → parent, when there are any: namespaces and mounts are there, run the hooks before pivot_root */
	SYNC_HOOKED,	/* parent → child: they ran, or there are none, and the child's pid is recorded */
	SYNC_CONSOLE,	/* child → parent: carries the fd of the terminal's master */
	SYNC_LISTENER,	/* child → parent: carries the seccomp listener */
	SYNC_TAKEN,	/* parent → child: the fd was received (and passed on) */
	SYNC_READY,	/* child → parent: all is set up but for what "start" does */
	SYNC_GO,	/* parent or `start` → child: start the payload */
	SYNC_FAILED,	/* child → anybody: errno, exit status and text */
};

enum { SYNC_TEXT_MAX = 2048 };

struct sync_message {
	enum sync_word word;
	int64_t value;		/* a pid, an errno */
	int status;		/* exit status that goes with SYNC_FAILED */
	int fd;			/* -1: none; the receiver owns it */
	char text[SYNC_TEXT_MAX];
};

/* sync_pair() - a connected pair of sockets, close-on-exec. Return: 0 or a recorded failure. */
int sync_pair(int ret_fds[2]);

/* sync_send() - send a word; @fd may be -1 and stays the sender's. Return: 0 or a recorded failure. */
int sync_send(int sock, enum sync_word word, int64_t value, int fd);

/* sync_send_failure() - send the failure recorded in this thread. Never fails: there is nobody left to tell. */
void sync_send_failure(int sock, int r);

/*
 * sync_receive() - wait for the next message
 *
 * Return: 0 with the word in @ret (SYNC_NONE at the end of the stream; its value is ECONNRESET when the other side
 * ended without having read what we sent), or a recorded failure.
 */
int sync_receive(int sock, struct sync_message *ret);

/*
 * sync_expect() - wait for one word and nothing else
 * @who: whose silence it is, for the message: "the container's init"
 *
 * SYNC_FAILED is taken over as our own recorded failure, exit status included. Return: 0 or a recorded failure.
 */
int sync_expect(int sock, enum sync_word word, const char *who, struct sync_message *ret);
