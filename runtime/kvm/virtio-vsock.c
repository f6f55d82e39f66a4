/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of vsock: queues and packets. What belongs to one stream is in vsock-stream.c.
 * Nothing that the guest sends makes us keep anything that is not bounded: a packet for no stream of
 * ours is answered with a reset when there is room for one, and forgotten otherwise.
 * Source: virtio 1.2, section 5.10.
 */
#include "runtime/kvm/vsock.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/birth.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/vm.h"

enum { QUEUE_SIZE = 256, HOST_CID = 2, PORT_FIRST = 1024 };

bool vsock_packet_send(struct vsock *vsock, const struct virtio_vsock_hdr *header)
{
	struct virtio *v = &vsock->v;
	struct virtq *q = &v->queues[VSOCK_QUEUE_RX].q;
	size_t n;

	if (virtq_next(q, &v->chain) != VIRTQ_CHAIN)
		return false;
	n = virtq_copy_out(&v->chain, 0, header, sizeof(*header));
	virtq_push(q, v->chain.head, (uint32_t)n);
	return true;
}

static void reset_reply(struct vsock *vsock, const struct virtio_vsock_hdr *to)
{
	const struct virtio_vsock_hdr header = {
		.src_cid = HOST_CID,
		.dst_cid = vsock->cid,
		.src_port = to->dst_port,
		.dst_port = to->src_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = VIRTIO_VSOCK_OP_RST,
	};

	if (to->op != VIRTIO_VSOCK_OP_RST)
		(void)vsock_packet_send(vsock, &header);
}

/* Somebody in the guest listens now: ask again for those who wait. */
static void doorbell(struct vsock *vsock)
{
	vm_hello(vsock->v.vm);
	vsock->answered = true;
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++) {
		struct vsock_stream *stream = &vsock->streams[i];

		if (stream->state != VSOCK_WAITING)
			continue;
		stream->state = VSOCK_CONNECTING;
		stream->pending |= VSOCK_SEND_REQUEST;
		vsock_stream_pump(stream);
	}
}

static struct vsock_stream *stream_find(struct vsock *vsock, const struct virtio_vsock_hdr *header)
{
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++) {
		struct vsock_stream *stream = &vsock->streams[i];

		if (stream->state >= VSOCK_CONNECTING && stream->host_port == header->dst_port &&
		    stream->guest_port == header->src_port)
			return stream;
	}
	return NULL;
}

/* The buffer in v.chain, whose header was copied once. */
static void packet_take(struct vsock *vsock, const struct virtio_vsock_hdr *header)
{
	struct vsock_stream *stream;

	if (header->src_cid != vsock->cid || header->dst_cid != HOST_CID ||
	    header->type != VIRTIO_VSOCK_TYPE_STREAM) {
		reset_reply(vsock, header);
		return;
	}
	stream = stream_find(vsock, header);
	if (stream) {
		vsock_stream_packet(stream, header);
		return;
	}
	reset_reply(vsock, header);
	if (header->op == VIRTIO_VSOCK_OP_REQUEST && header->dst_port == VSOCK_DOORBELL)
		doorbell(vsock);
}

static void from_guest(struct vsock *vsock)
{
	struct virtio *v = &vsock->v;
	struct virtq *q = &v->queues[VSOCK_QUEUE_TX].q;

	/* At most a ring full: others on this thread want their turn. */
	for (unsigned int i = 0; i < QUEUE_SIZE && virtq_next(q, &v->chain) == VIRTQ_CHAIN; i++) {
		uint16_t head = v->chain.head;
		struct virtio_vsock_hdr header;

		if (virtq_copy_in(&v->chain, 0, &header, sizeof(header)) == sizeof(header) &&
		    header.len <= v->chain.readable_bytes - sizeof(header))
			packet_take(vsock, &header); /* uses v.chain for answers */
		virtq_push(q, head, 0);
	}
	virtio_notify(v, VSOCK_QUEUE_TX);
}

static void pump_all(struct vsock *vsock)
{
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++)
		if (vsock->streams[i].state != VSOCK_FREE)
			vsock_stream_pump(&vsock->streams[i]);
}

static void vsock_kick(struct virtio *v, unsigned int queue)
{
	struct vsock *vsock = container_of(v, struct vsock, v);

	if (queue == VSOCK_QUEUE_TX)
		from_guest(vsock);
	else if (queue == VSOCK_QUEUE_RX)
		pump_all(vsock);
	virtio_notify(v, VSOCK_QUEUE_RX);
}

/* The driver of a clone still has the template's context id: this lets it read its own. */
static void clone_tell(struct virtio *v)
{
	const struct virtio_vsock_event event = { .id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET };

	if (virtq_next(&v->queues[VSOCK_QUEUE_EVENTS].q, &v->chain) != VIRTQ_CHAIN)
		return;
	virtq_push(&v->queues[VSOCK_QUEUE_EVENTS].q, v->chain.head,
		   (uint32_t)virtq_copy_out(&v->chain, 0, &event, sizeof(event)));
	virtio_notify(v, VSOCK_QUEUE_EVENTS);
}

void vsock_called(struct vsock *vsock)
{
	bool waits = false;

	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++)
		waits = waits || vsock->streams[i].state == VSOCK_WAITING;
	if (!waits || !vsock->rested || vm_rest(vsock->v.vm) != VM_REST_NOW)
		return;
	clone_tell(&vsock->v);
	vm_go(vsock->v.vm);
}

/* Who connects before the driver is there waits in the socket's backlog. */
static void vsock_start(struct virtio *v)
{
	struct vsock *vsock = container_of(v, struct vsock, v);

	if (!vsock->listening)
		vsock->listening = loop_add(v->loop, &vsock->listener, EPOLLIN) == 0;
	if (!vsock->hears && vsock->bell.fd >= 0)
		vsock->hears = loop_add(v->loop, &vsock->bell, EPOLLIN) == 0;
}

static void vsock_reset(struct virtio *v)
{
	struct vsock *vsock = container_of(v, struct vsock, v);

	if (vsock->listening)
		loop_remove(v->loop, &vsock->listener);
	if (vsock->hears)
		loop_remove(v->loop, &vsock->bell);
	vsock->listening = vsock->hears = vsock->answered = false;
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++)
		vsock_stream_free(&vsock->streams[i]);
}

static const struct virtio_ops vsock_ops = {
	.kick = vsock_kick,
	.start = vsock_start,
	.reset = vsock_reset,
};

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct vsock *vsock = container_of(source, struct vsock, listener);

	(void)events;
	if (virtio_enter(&vsock->v))
		vsock_accept(vsock);
	virtio_leave(&vsock->v);
}

/* A clone's first ring is that it rests: nothing lets it go on before that is heard, so the next is another. */
static void bell_ready(struct loop_source *source, uint32_t events)
{
	struct vsock *vsock = container_of(source, struct vsock, bell);

	(void)events;
	if (!event_take(source->fd))
		return;
	if (!virtio_enter(&vsock->v)) {
		/* it rings before its driver is there */
	} else if (vsock->v.restored && !vsock->rested) {
		vsock->rested = true;
		vm_kick(vsock->v.vm);
		vsock_called(vsock);
	} else {
		doorbell(vsock);
		virtio_notify(&vsock->v, VSOCK_QUEUE_RX);
	}
	virtio_leave(&vsock->v);
}

static void vsock_free(void *self)
{
	struct vsock *vsock = self;

	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++)
		vsock_stream_free(&vsock->streams[i]);
	virtio_done(&vsock->v);
	free(vsock);
}
CLEANUP_DEFINE(struct vsock *, vsock_free)

int vsock_new(const struct device_place *place, const struct vm_device_config *config,
	      struct device *ret)
{
	const struct virtio_vsock_config registers = { .guest_cid = config->cid };
	const struct virtio_setup setup = {
		.ops = &vsock_ops,
		.id = VIRTIO_ID_VSOCK,
		.queue_count = VSOCK_QUEUES,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
	};
	__attribute__((cleanup(vsock_free_p))) struct vsock *vsock = calloc(1, sizeof(*vsock));
	int r;

	if (!vsock)
		return fail(ENOMEM, "make the vsock device");
	vsock->cid = config->cid;
	vsock->next_port = PORT_FIRST;
	vsock->listener = (struct loop_source){ .fd = config->fd[0], .ready = listener_ready };
	vsock->bell = (struct loop_source){
		.fd = place->birth ? place->birth->bell_fd : -1, .ready = bell_ready,
	};
	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++)
		vsock->streams[i] = (struct vsock_stream){ .vsock = vsock, .source.fd = -1 };
	r = virtio_init(&vsock->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .virtio = &vsock->v, .self = vsock, .free = vsock_free };
	vsock = NULL;
	return 0;
}
