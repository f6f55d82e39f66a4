/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random bytes of the host's kernel. A request gets at most REQUEST_MAX of them and there is no
 * loop over what a guest asks for: asking again costs the guest more than it costs us.
 * Source: virtio 1.2, section 5.4.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"

enum { REQUEST_MAX = 256, QUEUE_SIZE = 8 };

struct rng {
	struct virtio v;
};

static void rng_kick(struct virtio *v, unsigned int queue)
{
	struct virtq *q = &v->queues[queue].q;

	while (virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		uint8_t bytes[REQUEST_MAX];
		size_t wanted = v->chain.writable_bytes;
		ssize_t n;

		/* Below 256 bytes getrandom(2) is neither short nor interrupted. */
		n = getrandom(bytes, wanted < sizeof(bytes) ? wanted : sizeof(bytes), 0);
		if (n < 0)
			n = 0;
		virtq_push(q, v->chain.head,
			   (uint32_t)virtq_copy_out(&v->chain, 0, bytes, (size_t)n));
	}
	virtio_notify(v, queue);
}

static const struct virtio_ops rng_ops = { .kick = rng_kick };

static void rng_free(void *self)
{
	struct rng *rng = self;

	virtio_done(&rng->v);
	free(rng);
}
CLEANUP_DEFINE(struct rng *, rng_free)

int rng_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret)
{
	const struct virtio_setup setup = {
		.ops = &rng_ops,
		.id = VIRTIO_ID_RNG,
		.queue_count = 1,
		.queue_size = QUEUE_SIZE,
	};
	__attribute__((cleanup(rng_free_p))) struct rng *rng = calloc(1, sizeof(*rng));
	int r;

	(void)config;
	if (!rng)
		return fail(ENOMEM, "make the rng device");
	r = virtio_init(&rng->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	ret->virtio = &rng->v;
	ret->free = rng_free;
	ret->self = steal_ptr(&rng);
	return 0;
}
