/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keeping - a payload whose parent is another process than the one that was typed
 *
 * Detached: that process makes the payload, reports, and becomes nacelle-keeper by execve, so that the keeper is the
 * payload's parent. With a terminal: it stays behind the terminal's master, and becomes the keeper when the keys for
 * that are typed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/container.h"

struct detach_keys;
struct service;

/* A payload that runs, and has no keeper any more. */
struct adoption {
	pid_t pid;
	int pidfd;
	int out, err;		/* the pipes that it writes to, or -1; the keeper's from then on */
};

struct keeping {
	const struct container_place *place;
	const char *id;
	int program;		/* nacelle-keeper, from keeping_program(); -1: there can be no keeper */
	bool recorded;		/* the payload is the container's first process: its end is written down */
	const char *log;	/* file for what it says; NULL: it is lost */
	bool remove;		/* the keeper deletes the container at its end */
	bool open_stdin;	/* detached: its standard input is a pipe; otherwise it is empty */
	const struct service *service;	/* what else the keeper is to do; NULL: nothing */
	int stop_signal, stop_time;	/* how it does end it; ms */

	const struct adoption *adopted;	/* nothing is made: this one lost its keeper; NULL */
	bool again;		/* in place of one that has ended */
	int socket;		/* the keeper's, which is there already; -1 */
	int64_t restarts, delay, lost, last;	/* see struct keeper */

	/* In the process that becomes the parent; @stdio: for the payload, -1 our own */
	int (*create)(struct keeping *k, const int stdio[3], struct container_child *ret_child);
	int (*go)(struct keeping *k, struct container_child *child);	/* NULL: it runs already */
	/* take back what was made, whether it runs or not; keeps no failure */
	void (*undo)(struct keeping *k, struct container_child *child);
	uint32_t uid, gid;	/* whom the payload is to the host: its pipes are its own */
	void *mine;		/* the caller's */
};

/* keeping_program() - find nacelle-keeper: beside us, or where it is installed. Return: an fd, or a recorded failure. */
int keeping_program(void);

/* keeping_detached() - make it, and leave it to a keeper. Return: 0, or the failure of whatever went wrong. */
int keeping_detached(struct keeping *k);

/*
 * keeping_here() - make it again in this process, which was its keeper, and become its keeper again
 *
 * When it cannot be made the keeper is told so, and the log why. Return: only a recorded failure.
 */
int keeping_here(struct keeping *k);

/*
 * keeping_attended() - make it, and stand between our terminal and its own until it ends
 * @input: hand on what is typed
 * @ret_status: exit status of the payload
 *
 * Return: 0, KEEPING_DETACHED (a keeper has it now), or a recorded failure.
 */
enum { KEEPING_DETACHED = 1 };
int keeping_attended(struct keeping *k, int signals, bool input, const struct detach_keys *keys, int *ret_status);
