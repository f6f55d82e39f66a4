/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keeper-internal - what the keeper's files share: one struct for all that it does, and one poll(2) for all of them
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/service/keeper.h"

/* docker cuts lines at the same length. */
enum { LINE_SIZE = 16 * 1024, CHARACTER_MAX = 4 };

struct stream {
	const char *name;
	int fd;
	size_t used;
	char *line;		/* LINE_SIZE bytes */
};

enum { OUT, ERR, STREAMS };
enum { CLIENTS = 8, TYPED_SIZE = 1024 };

/* Somebody who has connected; attached once `data` is there. */
struct client {
	int sock;		/* -1: none */
	int data, err;
	bool typing;		/* data may still give something */
};

/* Places in the array that poll(2) gets. */
enum {
	WAIT_PAYLOAD, WAIT_CHECK, WAIT_SOCKET, WAIT_IN,
	WAIT_STREAMS,
	WAIT_CLIENTS = WAIT_STREAMS + STREAMS,	/* two each: sock and data */
	WAITS = WAIT_CLIENTS + 2 * CLIENTS,
};

struct ward {
	const struct keeper *k;
	struct keeper_note note;
	struct keeper_log log;
	struct stream streams[STREAMS];
	struct pollfd wait[WAITS];

	int payload;		/* pidfd, -1: there is none now */
	bool stop, again;	/* what it was told, see enum keeper_word */
	bool unhealthy;		/* that is why it is being ended */
	int64_t since;		/* its start; all moments are ms of the monotonic clock */
	int64_t until;		/* when it is started again, 0: it runs */
	int64_t kill;		/* when it is killed, 0: never */

	struct {
		int pid, pidfd;		/* of the one that runs now; -1 */
		int64_t next, end;	/* when the next begins, when this one has to be done */
		bool ever;		/* it was healthy once */
	} check;

	struct client clients[CLIENTS];
	int in;			/* where what is typed goes, or -1 */
	size_t typed, typed_at;
	char typed_bytes[TYPED_SIZE];
};

char *keeper_number(char *to, uint64_t value, unsigned int digits);
char *keeper_number_signed(char *to, int64_t value);

/* keeper-streams.c: what the payload says. Read what is there; at the end what is left as well. */
void streams_open(struct ward *w);
void streams_wait(struct ward *w);
void streams_read(struct ward *w);
void streams_finish(struct ward *w);

/* keeper-clients.c: who is attached, or has something to tell. */
void clients_init(struct ward *w);
void clients_wait(struct ward *w);
void clients_serve(struct ward *w);
/* Show it to all that are attached. One that does not read for three seconds is let go. */
void clients_show(struct ward *w, int stream, const char *bytes, size_t size);
void clients_ended(struct ward *w, int status);

/* keeper-health.c: the check, which is a process of nacelle's. */
void check_begin(struct ward *w);
void check_wait(struct ward *w);
/* The next moment at which there is something to do, or 0. */
int64_t check_deadline(const struct ward *w);
void check_serve(struct ward *w);
/* The payload has ended: so does a check of it. */
void check_drop(struct ward *w);

/* keeper.c */
void keeper_noted(struct ward *w);
/* Whether it would be started again if it ended now by a failure. */
bool keeper_would_restart(const struct ward *w);
/* End it with its stop signal, and with SIGKILL later. */
void keeper_end_payload(struct ward *w);
/* Become nacelle with @words (ended by NULL) behind its options. Return: -errno. */
int keeper_become(const struct keeper *k, const char *const *words);
