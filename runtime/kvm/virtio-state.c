/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device's state is what its driver wrote to the registers and the places in the queues; the queues
 * themselves are the guest's memory. The addresses are judged as they were when the driver wrote them.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"

enum {
	STATUS_ALL = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		     VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK,
};

static uint32_t *generation(const struct virtio *v)
{
	return (uint32_t *)(void *)(v->page + VIRTIO_MMIO_CONFIG_GENERATION);
}

void virtio_save(const struct virtio *v, struct virtio_state *ret)
{
	*ret = (struct virtio_state){
		.id = v->id,
		.status = v->status,
		.features = v->features,
		.driver_features = v->driver_features,
		.features_select = v->features_select,
		.driver_select = v->driver_select,
		.queue_select = v->queue_select,
		.generation = *generation(v),
	};
	for (unsigned int i = 0; i < v->queue_count; i++) {
		const struct virtq *q = &v->queues[i].q;

		ret->queues[i].desc_gpa = q->desc_gpa;
		ret->queues[i].avail_gpa = q->avail_gpa;
		ret->queues[i].used_gpa = q->used_gpa;
		ret->queues[i].size = q->size;
		ret->queues[i].enabled = q->enabled;
		ret->queues[i].next = q->next;
		ret->queues[i].done = q->done;
		ret->queues[i].told = q->told;
	}
}

static int queue_restore(struct virtio *v, unsigned int i, const struct virtio_state *state)
{
	struct virtq *q = &v->queues[i].q;

	q->desc_gpa = state->queues[i].desc_gpa;
	q->avail_gpa = state->queues[i].avail_gpa;
	q->used_gpa = state->queues[i].used_gpa;
	q->size = state->queues[i].size;
	if (state->queues[i].enabled && !virtq_enable(q))
		return fail_plain(EINVAL, "queue %u is not in the guest's memory", i);
	q->event_idx = virtio_has(v, VIRTIO_RING_F_EVENT_IDX);
	q->next = state->queues[i].next;
	q->done = state->queues[i].done;
	q->told = state->queues[i].told;
	return 0;
}

/* A device whose driver has seen all is left alone: an interrupt costs a clone memory, and finds nothing. */
static int signal_all(struct virtio *v)
{
	const uint64_t one = 1;
	bool told = write(v->changed.fd, &one, sizeof(one)) == (ssize_t)sizeof(one), unseen = false;

	for (unsigned int i = 0; i < v->queue_count; i++)
		unseen = unseen || !virtq_is_seen(&v->queues[i].q);
	if (told && unseen)
		told = write(v->irq_fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
	for (unsigned int i = 0; told && i < v->queue_count; i++)
		told = write(v->queues[i].kick.fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
	return told ? 0 : fail(errno, "wake the device");
}

int virtio_restore(struct virtio *v, const struct virtio_state *state)
{
	/* One whose driver was not ready has nothing that could be kept. */
	if (state->id != v->id || state->features != v->features ||
	    state->driver_features & ~v->features || state->status != STATUS_ALL)
		return fail_plain(EINVAL, "it is not what it was, or was not in use");
	v->status = state->status;
	v->driver_features = state->driver_features;
	v->features_select = state->features_select;
	v->driver_select = state->driver_select;
	v->queue_select = state->queue_select;
	*generation(v) = state->generation;
	for (unsigned int i = 0; i < v->queue_count; i++) {
		int r = queue_restore(v, i, state);

		if (r < 0)
			return r;
	}
	v->was_started = v->restored = true;
	virtio_page_refresh(v);
	return signal_all(v);
}
