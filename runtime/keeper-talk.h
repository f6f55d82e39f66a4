/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * keeper-talk - what is said to a keeper, over "keeper.sock" in the container's state folder
 *
 * One request and one answer, each one datagram of a SOCK_SEQPACKET connection. Programs of another version may be at the
 * other end: a struct only ever grows at its end, a shorter one is filled up with zeros, and a word that a keeper does not know
 * it answers with KEEPER_UNKNOWN. The socket stays when the keeper becomes nacelle for a moment to start the container
 * again; who has connected meanwhile waits.
 */

#include <stdint.h>

enum { KEEPER_VERSION = 1 };
#define KEEPER_SOCKET "keeper.sock"

enum keeper_word {
	KEEPER_STOP = 1,	/* when the container ends now, or waits to be started again, that is the end */
	KEEPER_RESTART,		/* start it again at once when it ends, whatever the policy says */
	/*
	 * With one or two fds. The first, a stream socket, gets what the container says and gives what it is to read; with a
	 * second the error stream goes there. Answered with a terminal's master where there is one. At the container's
	 * end there is another answer, whose result is the exit status.
	 */
	KEEPER_ATTACH,
	KEEPER_START,		/* start it again now, if it has ended */
};

struct keeper_request {
	uint32_t version, word;
};

enum keeper_result { KEEPER_DONE = 0, KEEPER_UNKNOWN = 1, KEEPER_REFUSED = 2 };

struct keeper_answer {
	uint32_t version;
	int32_t result;
};

struct state;
struct state_dir;

/*
 * keeper_listen() - make the socket
 *
 * Return: a listening, close-on-exec fd, or a recorded failure.
 */
int keeper_listen(const struct state_dir *dir);

/*
 * keeper_tell() - send a word, and wait until it was understood
 * @fds: -1: none
 * @ret_sock: the connection, for further answers; NULL: it is closed
 * @ret_fd: what came with the answer, or -1; may be NULL
 *
 * Return: 0, KEEPER_SILENT (no answer in @timeout_ms), KEEPER_GONE (there is no keeper, or one that is not spoken to), or a
 * recorded failure.
 */
enum { KEEPER_GONE = 1, KEEPER_SILENT = 2 };
int keeper_tell(const struct state_dir *dir, const struct state *state, enum keeper_word word, const int fds[2], int timeout_ms,
		int *ret_sock, int *ret_fd);
