/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * channel - what a host and the agent in its guest say to each other
 *
 * A process in the guest has four streams to the agent's port, which are joined by a number that the
 * host chose: its standard input, output and error, plain bytes in one direction each, whose end is
 * the end of the file; and the control stream, on which frames go both ways. Each stream begins with a
 * frame JOIN; control is joined last, and what follows says what to run:
 *
 *	host → guest	JOIN, SIZE if the host has a terminal, RUN or EXEC, then any number of SIGNAL and SIZE
 *	guest → host	STARTED or FAILED, and after STARTED once EXITED
 *
 * With a terminal the guest's is the one that gives keys and lines their meaning, and the host's passes bytes
 * on: standard input and output are what goes through it, standard error stays empty, and the end of the
 * input is the end of the terminal.
 *
 * A control stream that is joined alone is for one question about the container:
 *
 *	host → guest	JOIN, ASK
 *	guest → host	ANSWER or FAILED
 *
 * The host's end of control is the end of the process. Neither side believes the other: a frame whose
 * word, numbers or size are not as the table in channel.c has them is a failure.
 */

#include <stddef.h>
#include <stdint.h>

enum {
	CHANNEL_MAGIC = 0x3167636e, /* "ncg1": the digit is the version */
	CHANNEL_PORT = 700, /* privileged: no payload can listen there without CAP_NET_BIND_SERVICE, and the agent does first */
	CHANNEL_TEXT_MAX = 8 << 20,
};

enum channel_word {
	CHANNEL_NONE, /* the stream's end: never sent */
	CHANNEL_JOIN, /* detail: enum channel_stream, value: the process's number */
	CHANNEL_RUN, /* text: a spec, an OCI document; the machine ends with its process */
	CHANNEL_EXEC, /* text: { "process": OCI's object, "user": see `exec --user` }; joins what RUN made */
	CHANNEL_SIGNAL, /* value: number of a signal */
	CHANNEL_STARTED,
	CHANNEL_FAILED, /* detail: exit status, text: why it was not started */
	CHANNEL_EXITED, /* detail: exit status */
	CHANNEL_SIZE, /* value: rows << 16 | columns of the terminal */
	CHANNEL_ASK, /* text: { "update": OCI's resources } or { "processes": true } */
	CHANNEL_ANSWER, /* text: a JSON object */
	CHANNEL_WORDS,
};

enum channel_stream {
	CHANNEL_STDIN,
	CHANNEL_STDOUT,
	CHANNEL_STDERR,
	CHANNEL_CONTROL,
	CHANNEL_STREAMS,
};

/* Little-endian, as both sides are; @size bytes of text follow. */
struct channel_header {
	uint32_t magic;
	uint16_t word, detail;
	uint32_t value, size;
};

struct channel_message {
	enum channel_word word;
	uint16_t detail;
	uint32_t value;
	size_t size;
	char *text; /* malloc'ed, a NUL stands behind it; NULL when there is none */
};

/* channel_message_done() - free the text. */
void channel_message_done(struct channel_message *message);

/* channel_send() - one frame, whole. @text may be NULL when @size is 0. Return: 0 or a recorded failure. */
int channel_send(int fd, enum channel_word word, uint16_t detail, uint32_t value, const void *text,
		 size_t size);

/*
 * channel_receive() - wait for one frame
 *
 * Return: 0 with @ret the caller's (CHANNEL_NONE at the end of the stream between frames), or a
 * recorded failure.
 */
int channel_receive(int fd, struct channel_message *ret);

/* channel_receive_within() - the same, but all of it has to be there within @ms; else ETIMEDOUT. */
int channel_receive_within(int fd, int ms, struct channel_message *ret);

/* channel_header_check() - judge a header alone. Return: 0 or a recorded failure. */
int channel_header_check(const struct channel_header *header);
