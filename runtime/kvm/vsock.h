/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vsock - streams between programs on the host and programs in the guest
 *
 * Only the host opens them. A program on the host connects to the unix socket that was handed to the
 * monitor, sends a struct vsock_hello, and gets a struct vsock_answer; with error 0 the rest is the
 * stream. A connection that the guest starts is refused, but one to VSOCK_DOORBELL is taken as
 * "somebody listens now" and lets those who wait try again; so is BIRTH_LISTEN (birth.h), which costs a guest less. Who waits while a clone
 * rests lets it go on: then, and not before, its driver is told that it has another context id than its template had.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/kvm/loop.h"
#include "runtime/kvm/virtio.h"

#define VSOCK_HELLO_MAGIC 0x6b6f636e /* "ncok" */

enum { VSOCK_DOORBELL = 1 };

enum {
	VSOCK_WAIT = 1 << 0, /* nobody listens yet: wait for the doorbell rather than give up */
	VSOCK_COUNT = 1 << 1, /* no stream: the machine's statistics (runtime/kvm/stats.h) are made to be those of now */
};

struct vsock_hello {
	uint32_t magic;
	uint32_t port; /* of the guest */
	uint32_t flags;
};

struct vsock_answer {
	uint32_t errnum; /* 0: connected */
};

/* What follows is the device's own. */

enum {
	VSOCK_QUEUE_RX = 0,
	VSOCK_QUEUE_TX = 1,
	VSOCK_QUEUE_EVENTS = 2,
	VSOCK_QUEUES = 3,
	VSOCK_STREAMS_MAX = 64,
	VSOCK_BUFFER = 128 * 1024, /* what the guest may send ahead of its reader */
};

enum vsock_state {
	VSOCK_FREE,
	VSOCK_HELLO, /* accepted, the hello is not complete */
	VSOCK_WAITING, /* for the doorbell */
	VSOCK_CONNECTING, /* asked the guest */
	VSOCK_OPEN,
};

/* Packets that wait for a buffer of the guest's. */
enum {
	VSOCK_SEND_REQUEST = 1 << 0,
	VSOCK_SEND_CREDIT = 1 << 1,
	VSOCK_SEND_SHUTDOWN = 1 << 2,
	VSOCK_SEND_RESET = 1 << 3, /* the stream is free afterwards */
};

struct vsock_stream {
	struct vsock *vsock;
	enum vsock_state state;
	struct loop_source source; /* the host's end */
	bool watched;
	uint32_t watched_for;
	struct vsock_hello hello;
	size_t hello_size;
	uint32_t host_port, guest_port;
	unsigned int pending;
	uint32_t shutdown; /* flags of ours that were or will be sent */
	bool guest_done; /* the guest sends no more */
	bool host_eof; /* the host sends no more */
	bool starved; /* the guest has no buffer for more of the host's data */
	uint32_t guest_space, guest_taken; /* its buffer, what it took from it, as it last said */
	uint32_t sent; /* bytes given to the guest */
	uint32_t taken, taken_told; /* bytes taken from the guest; and what it knows of that */
	uint8_t *buffer; /* of VSOCK_BUFFER bytes, made when first needed */
	uint32_t buffered_from, buffered;
};

struct vsock {
	struct virtio v;
	uint64_t cid;
	struct loop_source listener, bell; /* the second: BIRTH_WAIT, BIRTH_LISTEN (runtime/kvm/birth.h) */
	bool listening, hears; /* the loop has them */
	bool rested; /* a clone: it has rung to say so */
	bool answered; /* the guest's agent has rung; one that was restored takes nothing before */
	uint32_t next_port;
	struct vsock_stream streams[VSOCK_STREAMS_MAX];
};

struct virtio_vsock_hdr;

/* vsock_accept() - the listener is ready: take one. */
void vsock_accept(struct vsock *vsock);

/* vsock_called() - a stream waits now: a guest that stands still until then goes on. */
void vsock_called(struct vsock *vsock);

/* vsock_stream_packet() - a packet of the guest's for @stream; its data are in @v.chain behind the header. */
void vsock_stream_packet(struct vsock_stream *stream, const struct virtio_vsock_hdr *header);

/* vsock_stream_pump() - move what can be moved, send what waits, and watch for what cannot. */
void vsock_stream_pump(struct vsock_stream *stream);

/* vsock_stream_free() - drop it at once; the host's end sees the end of file. */
void vsock_stream_free(struct vsock_stream *stream);

/* vsock_packet_send() - a packet without data. @flags: of a shutdown. Return: false when the guest has no buffer for it. */
bool vsock_packet_send(struct vsock *vsock, const struct virtio_vsock_hdr *header);

/* vsock_header() - the header of a packet of this stream's, credit included. */
struct virtio_vsock_hdr vsock_header(struct vsock_stream *stream, uint16_t op);
