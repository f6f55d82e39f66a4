/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network card over a tap interface's queue. Checksums and segmentation are left to the host's
 * kernel, which both sides' headers describe to each other. The guest's packets go out straight from
 * its memory; packets for it are read once and spread over as many of its buffers as they need.
 * Source: virtio 1.2, section 5.1; Documentation/networking/tuntap.rst.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

enum {
	QUEUE_TO_GUEST = 0,
	QUEUE_FROM_GUEST = 1,
	QUEUES = 2,
	QUEUE_SIZE = 256,
	HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	PACKET_MAX = HEADER + 65535 + 14 + 4, /* with its Ethernet header and a VLAN tag */
	TURN = 64, /* packets before others on this thread have their turn */
};

struct net {
	struct virtio v;
	struct loop_source tap; /* the configuration's */
	bool watched;
	size_t waiting; /* size of the packet that waits for buffers; 0: none */
	uint8_t packet[PACKET_MAX];
};

static void watch(struct net *net, bool on)
{
	if (on && !net->watched)
		net->watched = loop_add(net->v.loop, &net->tap, EPOLLIN) == 0;
	else if (!on && net->watched)
		loop_remove(net->v.loop, &net->tap);
	net->watched = net->watched && on;
}

/* Spread the waiting packet over buffers. Return: false when there are too few, and then none is taken. */
static bool deliver(struct net *net)
{
	struct virtio *v = &net->v;
	struct virtq *q = &v->queues[QUEUE_TO_GUEST].q;
	struct {
		uint16_t head;
		uint32_t size;
	} taken[QUEUE_SIZE];
	void *header = NULL;
	size_t done = 0;
	uint16_t count = 0;

	while (done < net->waiting && count < QUEUE_SIZE) {
		if (virtq_next(q, &v->chain) != VIRTQ_CHAIN)
			break;
		if (count == 0 && v->chain.writable > 0)
			header = v->chain.parts[v->chain.readable].iov_base;
		if (count == 0 &&
		    (v->chain.writable == 0 || v->chain.parts[v->chain.readable].iov_len < HEADER))
			header = NULL;
		taken[count].head = v->chain.head;
		taken[count].size = (uint32_t)virtq_copy_out(&v->chain, 0, net->packet + done,
							     net->waiting - done);
		done += taken[count++].size;
		/* Without mergeable buffers a packet must fit into one: what does not is cut. */
		if (!virtio_has(v, VIRTIO_NET_F_MRG_RXBUF))
			done = net->waiting;
	}
	if (done < net->waiting && count < QUEUE_SIZE) {
		while (count-- > 0)
			virtq_undo(q);
		return false;
	}
	if (header)
		memcpy((uint8_t *)header + offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers),
		       &count, sizeof(count));
	for (uint16_t i = 0; i < count; i++)
		virtq_push(q, taken[i].head, taken[i].size);
	net->waiting = 0;
	return true;
}

static void to_guest(struct net *net)
{
	bool buffers = net->waiting == 0 || deliver(net);

	for (unsigned int i = 0; i < TURN && buffers; i++) {
		ssize_t n = read(net->tap.fd, net->packet, sizeof(net->packet));

		if (n <= HEADER)
			break;
		net->waiting = (size_t)n;
		buffers = deliver(net);
	}
	virtio_notify(&net->v, QUEUE_TO_GUEST);
	watch(net, buffers);
}

static void from_guest(struct net *net)
{
	struct virtio *v = &net->v;
	struct virtq *q = &v->queues[QUEUE_FROM_GUEST].q;

	for (unsigned int i = 0; i < QUEUE_SIZE && virtq_next(q, &v->chain) == VIRTQ_CHAIN; i++) {
		size_t size = v->chain.readable_bytes;

		/* What the interface does not take is lost, as on a wire. */
		if (size > HEADER && size <= PACKET_MAX &&
		    writev(net->tap.fd, v->chain.parts, (int)v->chain.readable) < 0)
			vm_count(&v->vm->stats->lost);
		virtq_push(q, v->chain.head, 0);
	}
	virtio_notify(v, QUEUE_FROM_GUEST);
}

static void net_kick(struct virtio *v, unsigned int queue)
{
	struct net *net = container_of(v, struct net, v);

	if (queue == QUEUE_FROM_GUEST)
		from_guest(net);
	else
		to_guest(net);
}

static void tap_ready(struct loop_source *source, uint32_t events)
{
	struct net *net = container_of(source, struct net, tap);

	if (virtio_enter(&net->v) && !(events & (EPOLLERR | EPOLLHUP)))
		to_guest(net);
	else
		watch(net, false);
	virtio_leave(&net->v);
}

/* What the driver takes from the host, the interface may hand over. */
static void net_start(struct virtio *v)
{
	struct net *net = container_of(v, struct net, v);
	unsigned int offload = 0;

	if (virtio_has(v, VIRTIO_NET_F_GUEST_CSUM)) {
		offload = TUN_F_CSUM;
		if (virtio_has(v, VIRTIO_NET_F_GUEST_TSO4))
			offload |= TUN_F_TSO4;
		if (virtio_has(v, VIRTIO_NET_F_GUEST_TSO6))
			offload |= TUN_F_TSO6;
	}
	(void)ioctl(net->tap.fd, TUNSETOFFLOAD, offload);
	to_guest(net);
}

static void net_reset(struct virtio *v)
{
	struct net *net = container_of(v, struct net, v);

	net->waiting = 0;
	watch(net, false);
}

static const struct virtio_ops net_ops = {
	.kick = net_kick,
	.start = net_start,
	.reset = net_reset,
};

static void net_free(void *self)
{
	struct net *net = self;

	virtio_done(&net->v);
	free(net);
}
CLEANUP_DEFINE(struct net *, net_free)

int net_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret)
{
	struct virtio_net_config registers = { .status = VIRTIO_NET_S_LINK_UP };
	const struct virtio_setup setup = {
		.ops = &net_ops,
		.id = VIRTIO_ID_NET,
		.features = (config->mtu ? 1ULL << VIRTIO_NET_F_MTU : 0) | 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
			    1ULL << VIRTIO_NET_F_MRG_RXBUF | 1ULL << VIRTIO_NET_F_CSUM |
			    1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4 |
			    1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
			    1ULL << VIRTIO_NET_F_HOST_TSO6,
		.queue_count = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
	};
	__attribute__((cleanup(net_free_p))) struct net *net = calloc(1, sizeof(*net));
	int header = HEADER, r;

	if (!net)
		return fail(ENOMEM, "make the network card");
	net->tap = (struct loop_source){ .fd = config->fd[0], .ready = tap_ready };
	if (ioctl(net->tap.fd, TUNSETVNETHDRSZ, &header) < 0)
		/* cppcheck-suppress memleak ; its cleanup attribute */
		return fail(errno, "TUNSETVNETHDRSZ: is descriptor %d a tap?", net->tap.fd);
	if (fcntl(net->tap.fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		/* cppcheck-suppress memleak ; its cleanup attribute */
		return fail(errno, "set the tap non-blocking");
	memcpy(registers.mac, config->mac, sizeof(registers.mac));
	registers.mtu = config->mtu;
	r = virtio_init(&net->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .self = steal_ptr(&net), .free = net_free };
	return 0;
}
