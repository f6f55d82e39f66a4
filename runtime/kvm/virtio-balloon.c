/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that comes back. The guest reports ranges it has no use for, mostly of 2 MiB, and we give
 * them to the host; the next touch brings a page of zeroes. Inflating, page by page, is served as
 * well, for a driver that is asked to. Source: virtio 1.2, section 5.5.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

enum {
	QUEUE_INFLATE = 0,
	QUEUE_DEFLATE = 1,
	QUEUE_REPORT = 2,
	QUEUES = 3,
	QUEUE_SIZE = 128,
	PFNS_MAX = 256, /* in one buffer, as drivers send them */
	GUEST_PAGE = 4096,
};

struct balloon {
	struct virtio v;
};

/* Give a range back to the host, as far as it is RAM; a window's file is not ours to forget. */
static void give_back(const struct vm *vm, const uint8_t *at, size_t size)
{
	size_t offset;

	if (at < vm->ram || at >= vm->ram + vm->ram_size)
		return;
	offset = (size_t)(at - vm->ram);
	if (offset % GUEST_PAGE != 0 || size % GUEST_PAGE != 0 || size > vm->ram_size - offset)
		return;
	if (madvise(vm->ram + offset, size, MADV_DONTNEED) == 0)
		vm->stats->returned += size;
}

static void report(const struct virtio *v)
{
	const struct iovec *parts = v->chain.parts + v->chain.readable;

	for (unsigned int i = 0; i < v->chain.writable; i++)
		give_back(v->vm, parts[i].iov_base, parts[i].iov_len);
}

static void inflate(const struct virtio *v)
{
	uint32_t pfns[PFNS_MAX];
	size_t n = virtq_copy_in(&v->chain, 0, pfns, sizeof(pfns)) / sizeof(pfns[0]);

	for (size_t i = 0; i < n; i++) {
		const void *page =
			vm_guest(v->vm, (uint64_t)pfns[i] * GUEST_PAGE, GUEST_PAGE, VM_WRITE);

		if (page)
			give_back(v->vm, page, GUEST_PAGE);
	}
}

static void balloon_kick(struct virtio *v, unsigned int queue)
{
	struct virtq *q = &v->queues[queue].q;

	/* A deflated page needs nothing: touching it brings it back. */
	while (virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		if (queue == QUEUE_INFLATE)
			inflate(v);
		else if (queue == QUEUE_REPORT)
			report(v);
		virtq_push(q, v->chain.head, 0);
	}
	virtio_notify(v, queue);
}

static const struct virtio_ops balloon_ops = { .kick = balloon_kick };

static void balloon_free(void *self)
{
	struct balloon *balloon = self;

	virtio_done(&balloon->v);
	free(balloon);
}
CLEANUP_DEFINE(struct balloon *, balloon_free)

int balloon_new(const struct device_place *place, const struct vm_device_config *config,
		struct device *ret)
{
	const struct virtio_balloon_config registers = { .num_pages = 0 };
	const struct virtio_setup setup = {
		.ops = &balloon_ops,
		.id = VIRTIO_ID_BALLOON,
		.features = 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
			    1ULL << VIRTIO_BALLOON_F_REPORTING,
		.queue_count = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
		.writable_from = offsetof(struct virtio_balloon_config, actual),
		.writable_size = sizeof(registers.actual),
	};
	__attribute__((cleanup(balloon_free_p))) struct balloon *balloon =
		calloc(1, sizeof(*balloon));
	int r;

	(void)config;
	if (!balloon)
		return fail(ENOMEM, "make the balloon");
	r = virtio_init(&balloon->v, place->vm, place->loop, place->memory, place->slot,
			place->page, &setup);
	if (r < 0)
		return r;
	ret->virtio = &balloon->v;
	ret->free = balloon_free;
	ret->self = steal_ptr(&balloon);
	return 0;
}
