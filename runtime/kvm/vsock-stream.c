/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stream: a unix socket on this side, credit and packets on the other. Data of the guest's are
 * written to the socket straight from its memory; what the socket does not take is copied to a
 * buffer whose size is the credit the guest was given, so it can never run over: a guest that sends
 * more than its credit is reset. Data of the host's are read straight into the guest's buffers, and
 * only while the guest has credit for them and buffers to put them in.
 */
#include "runtime/kvm/vsock.h"

#include <errno.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/kvm/vm.h"

enum { HOST_CID = 2, TURNS = 16 };

static void stream_ready(struct loop_source *source, uint32_t events);
static void stream_refused(struct vsock_stream *stream);

struct virtio_vsock_hdr vsock_header(struct vsock_stream *stream, uint16_t op)
{
	stream->taken_told = stream->taken;
	return (struct virtio_vsock_hdr){
		.src_cid = HOST_CID,
		.dst_cid = stream->vsock->cid,
		.src_port = stream->host_port,
		.dst_port = stream->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.buf_alloc = VSOCK_BUFFER,
		.fwd_cnt = stream->taken,
	};
}

/* Watch the host's end for exactly @events; for nothing, not even its end, when 0. */
static void watch(struct vsock_stream *stream, uint32_t events)
{
	struct loop *loop = stream->vsock->v.loop;

	if (events == stream->watched_for && (events != 0) == stream->watched)
		return;
	if (events == 0) {
		if (stream->watched)
			loop_remove(loop, &stream->source);
		stream->watched = false;
	} else if (stream->watched) {
		(void)loop_change(loop, &stream->source, events);
	} else {
		stream->watched = loop_add(loop, &stream->source, events) == 0;
	}
	stream->watched_for = events;
}

void vsock_stream_free(struct vsock_stream *stream)
{
	if (stream->state == VSOCK_FREE)
		return;
	watch(stream, 0);
	if (stream->source.fd >= 0)
		(void)close(stream->source.fd);
	free(stream->buffer);
	*stream = (struct vsock_stream){ .vsock = stream->vsock, .source.fd = -1 };
}

void vsock_accept(struct vsock *vsock)
{
	struct vsock_stream *stream = NULL;
	int fd = accept4(vsock->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX && !stream; i++)
		if (vsock->streams[i].state == VSOCK_FREE)
			stream = &vsock->streams[i];
	if (!stream) {
		(void)close(fd);
		return;
	}
	stream->state = VSOCK_HELLO;
	stream->source = (struct loop_source){ .fd = fd, .ready = stream_ready };
	stream->host_port = vsock->next_port++;
	watch(stream, EPOLLIN);
}

static void answer(const struct vsock_stream *stream, uint32_t errnum)
{
	const struct vsock_answer text = { .errnum = errnum };

	/* The first bytes in an empty socket: they fit, or nobody is there. */
	if (write(stream->source.fd, &text, sizeof(text)) < 0)
		return;
}

static void hello_read(struct vsock_stream *stream)
{
	uint8_t *to = (uint8_t *)&stream->hello + stream->hello_size;
	ssize_t n = read(stream->source.fd, to, sizeof(stream->hello) - stream->hello_size);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		vsock_stream_free(stream);
		return;
	}
	stream->hello_size += (size_t)n;
	if (stream->hello_size < sizeof(stream->hello))
		return;
	if (stream->hello.magic != VSOCK_HELLO_MAGIC) {
		answer(stream, EPROTO);
		vsock_stream_free(stream);
		return;
	}
	if (stream->hello.flags & VSOCK_COUNT) {
		vm_count_kvm(stream->vsock->v.vm);
		answer(stream, 0);
		vsock_stream_free(stream);
		return;
	}
	stream->guest_port = stream->hello.port;
	/* Its driver is about to forget all streams it knows. */
	if (stream->vsock->v.restored && !stream->vsock->answered) {
		stream->state = VSOCK_CONNECTING;
		stream_refused(stream);
		vsock_called(stream->vsock);
		return;
	}
	stream->state = VSOCK_CONNECTING;
	stream->pending |= VSOCK_SEND_REQUEST;
	vsock_stream_pump(stream);
}

/* Write buffered bytes. Return: false when the host's end is gone. */
static bool buffer_drain(struct vsock_stream *stream)
{
	while (stream->buffered > 0) {
		uint32_t run = VSOCK_BUFFER - stream->buffered_from;
		ssize_t n;

		if (run > stream->buffered)
			run = stream->buffered;
		n = write(stream->source.fd, stream->buffer + stream->buffered_from, run);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		stream->buffered -= (uint32_t)n;
		stream->buffered_from = (stream->buffered_from + (uint32_t)n) % VSOCK_BUFFER;
		stream->taken += (uint32_t)n;
	}
	return true;
}

/* The guest says no, or ends it. */
static void stream_refused(struct vsock_stream *stream)
{
	if (stream->state == VSOCK_CONNECTING) {
		if (stream->hello.flags & VSOCK_WAIT) {
			stream->state = VSOCK_WAITING;
			watch(stream, EPOLLRDHUP);
			return;
		}
		answer(stream, ECONNREFUSED);
	}
	if (stream->state == VSOCK_OPEN)
		(void)buffer_drain(stream);
	vsock_stream_free(stream);
}

static void stream_reset(struct vsock_stream *stream)
{
	stream->pending = VSOCK_SEND_RESET;
	stream->buffered = 0;
}

static uint32_t credit(const struct vsock_stream *stream)
{
	uint32_t ahead = stream->sent - stream->guest_taken;

	return ahead < stream->guest_space ? stream->guest_space - ahead : 0;
}

/* Keep @len bytes from @offset of the packet in hand. Return: false when they exceed the credit. */
static bool buffer_keep(struct vsock_stream *stream, size_t offset, uint32_t len)
{
	uint32_t at = (stream->buffered_from + stream->buffered) % VSOCK_BUFFER;
	const struct virtq_chain *chain = &stream->vsock->v.chain;
	uint32_t run = VSOCK_BUFFER - at;

	if (len > VSOCK_BUFFER - stream->buffered)
		return false;
	if (!stream->buffer)
		stream->buffer = malloc(VSOCK_BUFFER);
	if (!stream->buffer)
		return false;
	if (run > len)
		run = len;
	(void)virtq_copy_in(chain, offset, stream->buffer + at, run);
	(void)virtq_copy_in(chain, offset + run, stream->buffer, len - run);
	stream->buffered += len;
	return true;
}

static void data_take(struct vsock_stream *stream, uint32_t len)
{
	const struct virtq_chain *chain = &stream->vsock->v.chain;
	size_t offset = sizeof(struct virtio_vsock_hdr);

	if (stream->state != VSOCK_OPEN)
		return;
	if (stream->buffered == 0 && len > 0) {
		struct iovec parts[VIRTQ_SIZE_MAX];
		unsigned int n = virtq_slice(chain->parts, chain->readable, offset, len, parts);
		ssize_t written = writev(stream->source.fd, parts, (int)n);

		if (written < 0 && errno != EAGAIN && errno != EINTR) {
			stream_reset(stream);
			return;
		}
		if (written > 0) {
			stream->taken += (uint32_t)written;
			offset += (size_t)written;
			len -= (uint32_t)written;
		}
	}
	if (len > 0 && (stream->guest_done || !buffer_keep(stream, offset, len)))
		stream_reset(stream);
}

void vsock_stream_packet(struct vsock_stream *stream, const struct virtio_vsock_hdr *header)
{
	stream->guest_space = header->buf_alloc;
	stream->guest_taken = header->fwd_cnt;
	switch (header->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		if (stream->state != VSOCK_CONNECTING) {
			stream_reset(stream);
			break;
		}
		stream->state = VSOCK_OPEN;
		answer(stream, 0);
		break;
	case VIRTIO_VSOCK_OP_RST: stream_refused(stream); return;
	case VIRTIO_VSOCK_OP_RW: data_take(stream, header->len); break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST: stream->pending |= VSOCK_SEND_CREDIT; break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE: break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		stream->guest_done =
			stream->guest_done || header->flags & VIRTIO_VSOCK_SHUTDOWN_SEND;
		/* Who takes no more has nothing left to wait for but what it sent before. */
		if (header->flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
			stream->host_eof = true;
		break;
	default: stream_reset(stream);
	}
	vsock_stream_pump(stream);
}

/* Read from the host into one buffer of the guest's. Return: whether it is worth trying again. */
static bool data_give(struct vsock_stream *stream)
{
	struct virtio *v = &stream->vsock->v;
	struct virtq *q = &v->queues[VSOCK_QUEUE_RX].q;
	struct iovec parts[VIRTQ_SIZE_MAX];
	struct virtio_vsock_hdr header;
	unsigned int count;
	ssize_t n;

	stream->starved = virtq_next(q, &v->chain) != VIRTQ_CHAIN;
	if (stream->starved)
		return false;
	count = virtq_slice(v->chain.parts + v->chain.readable, v->chain.writable, sizeof(header),
			    credit(stream), parts);
	n = count > 0 ? readv(stream->source.fd, parts, (int)count) : -1;
	if (n <= 0) {
		virtq_undo(q);
		if (count == 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return false;
		stream->host_eof = true;
		return false;
	}
	header = vsock_header(stream, VIRTIO_VSOCK_OP_RW);
	header.len = (uint32_t)n;
	stream->sent += (uint32_t)n;
	(void)virtq_copy_out(&v->chain, 0, &header, sizeof(header));
	virtq_push(q, v->chain.head, (uint32_t)(sizeof(header) + (size_t)n));
	return true;
}

/* What must be said to the guest, in this order. Return: false when the stream is free now. */
static bool pending_send(struct vsock_stream *stream)
{
	static const struct {
		unsigned int bit;
		uint16_t op;
	} packets[] = {
		{ VSOCK_SEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ VSOCK_SEND_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE },
		{ VSOCK_SEND_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN },
		{ VSOCK_SEND_RESET, VIRTIO_VSOCK_OP_RST },
	};

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct virtio_vsock_hdr header;

		if (!(stream->pending & packets[i].bit))
			continue;
		header = vsock_header(stream, packets[i].op);
		header.flags = packets[i].bit == VSOCK_SEND_SHUTDOWN ? stream->shutdown : 0;
		if (!vsock_packet_send(stream->vsock, &header))
			return true;
		stream->pending &= ~packets[i].bit;
		if (packets[i].bit == VSOCK_SEND_RESET) {
			vsock_stream_free(stream);
			return false;
		}
	}
	return true;
}

/* Ends that were reached and not yet passed on. */
static void ends_pass(struct vsock_stream *stream)
{
	if (stream->guest_done && stream->buffered == 0) {
		(void)shutdown(stream->source.fd, SHUT_WR);
		if (stream->host_eof)
			stream_reset(stream); /* both have ended: this confirms it */
	}
	if (stream->host_eof && !(stream->shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)) {
		stream->shutdown |= VIRTIO_VSOCK_SHUTDOWN_SEND;
		stream->pending |= VSOCK_SEND_SHUTDOWN;
	}
}

void vsock_stream_pump(struct vsock_stream *stream)
{
	uint32_t wanted = 0;
	bool more = true;

	if (stream->state == VSOCK_OPEN) {
		if (!buffer_drain(stream))
			stream_reset(stream);
		/* Nothing may overtake what waits for a buffer. */
		for (int i = 0; i < TURNS && more && !stream->host_eof && !stream->pending; i++)
			more = credit(stream) > 0 && data_give(stream);
		ends_pass(stream);
		if (stream->taken - stream->taken_told >= VSOCK_BUFFER / 2)
			stream->pending |= VSOCK_SEND_CREDIT;
	}
	if (!pending_send(stream))
		return;
	if (stream->state == VSOCK_OPEN) {
		/* For credit and for buffers the guest comes by itself. */
		if (!stream->host_eof && !stream->pending && !stream->starved && credit(stream) > 0)
			wanted |= EPOLLIN;
		if (stream->buffered > 0)
			wanted |= EPOLLOUT;
	} else if (stream->state == VSOCK_HELLO) {
		wanted = EPOLLIN;
	} else if (stream->state == VSOCK_WAITING) {
		wanted = EPOLLRDHUP;
	}
	watch(stream, wanted);
}

static void stream_ready(struct loop_source *source, uint32_t events)
{
	struct vsock_stream *stream = container_of(source, struct vsock_stream, source);
	struct virtio *v = &stream->vsock->v;

	(void)events;
	if (!virtio_enter(v))
		watch(stream, 0);
	else if (stream->state == VSOCK_HELLO)
		hello_read(stream);
	else if (stream->state == VSOCK_WAITING)
		vsock_stream_free(stream); /* gave up waiting */
	else
		vsock_stream_pump(stream);
	virtio_notify(v, VSOCK_QUEUE_RX);
	virtio_leave(v);
}
