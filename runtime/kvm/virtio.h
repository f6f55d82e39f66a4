/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * virtio - a device behind a page of registers (virtio-mmio, version 2)
 *
 * The registers live in a page of ours that the guest sees as read-only memory: reading one is no
 * exit at all. Writes come out as exits, but notifications and the usual interrupt acknowledgement
 * are ioeventfds and stay in the kernel. Source: virtio 1.2, section 4.2.
 *
 * Two kinds of threads meet here. A vcpu's thread writes registers: it changes the transport's state
 * and nothing else. The loop's thread does the device's work. `lock` is held in both cases; what a
 * device must do at a start or reset is done by the loop's thread before anything else.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/kvm/loop.h"
#include "runtime/kvm/virtq.h"

struct bus;
struct vm;

enum {
	VIRTIO_QUEUES_MAX = 5,
	VIRTIO_PAGE = 4096,
	VIRTIO_CONFIG_MAX = 256,
	VIRTIO_PIN_FIRST = 5, /* slot n has interrupt 5 + n */
};

struct virtio;

/*
 * struct virtio_ops - called by the loop's thread with the lock held
 *
 * @kick: the driver has put something into queue @queue, which is enabled
 * @start: the driver is ready (may be NULL)
 * @reset: the driver is gone; queues are empty already; also before the first start (may be NULL)
 */
struct virtio_ops {
	void (*kick)(struct virtio *v, unsigned int queue);
	void (*start)(struct virtio *v);
	void (*reset)(struct virtio *v);
};

struct virtio_queue {
	struct virtio *owner;
	unsigned int index;
	struct virtq q;
	struct loop_source kick; /* an eventfd */
	int call_fd; /* raises its interrupt, where each queue has one of its own (vhost-user.c); else -1 */
};

struct virtio {
	struct vm *vm;
	struct loop *loop;
	const struct virtio_ops *ops;
	uint32_t id;
	unsigned int slot;
	uint8_t *page;
	pthread_mutex_t lock;
	uint64_t features, driver_features;
	uint32_t features_select, driver_select, queue_select;
	uint32_t status;
	unsigned int queue_count;
	struct virtio_queue queues[VIRTIO_QUEUES_MAX];
	struct loop_source changed; /* an eventfd: a start or a reset is to be told the device */
	bool was_reset, was_started, running;
	unsigned int writable_from, writable_size; /* of the configuration, by the driver */
	int irq_fd; /* raises its interrupt */
	int irq_sink; /* swallows acknowledgements */
	uint64_t window_gpa, window_size; /* the one shared memory region; size 0: none */
	bool restored; /* its driver's state is of a template, until it starts anew */
	struct virtq_chain chain; /* the buffer in hand: too large for a stack */
};

/* struct virtio_state - what driver and device agreed on, and how far they are with each queue */
struct virtio_state {
	uint32_t id, status;
	uint64_t features, driver_features;
	uint32_t features_select, driver_select, queue_select, generation;
	struct {
		uint64_t desc_gpa, avail_gpa, used_gpa;
		uint32_t size, enabled;
		uint16_t next, done, told, reserved;
	} queues[VIRTIO_QUEUES_MAX];
};

/* struct virtio_setup - what a device says of itself */
struct virtio_setup {
	const struct virtio_ops *ops;
	uint32_t id;
	uint64_t features; /* of the device; those of the ring and the transport are added */
	unsigned int queue_count;
	uint16_t queue_size;
	const void *config;
	unsigned int config_size;
	unsigned int writable_from,
		writable_size; /* what of it a driver may write: nothing else moves */
	uint64_t window_gpa, window_size;
};

/*
 * virtio_page_init() - the registers of an empty slot: a transport that says "no device"
 * @page: its page, which the guest sees
 */
void virtio_page_init(uint8_t *page);

/*
 * virtio_init() - put a device into a slot
 * @v: outlives the machine's vcpus; embedded in the device's own struct
 * @memory: NULL: its registers are another hypervisor's, who tells what is in them (vhost-user.h)
 * @page: as above
 *
 * Return: 0 or a recorded failure; virtio_done() may be called either way.
 */
int virtio_init(struct virtio *v, struct vm *vm, struct loop *loop, struct bus *memory,
		unsigned int slot, uint8_t *page, const struct virtio_setup *setup);
void virtio_done(struct virtio *v);

/* virtio_page_refresh() - bring the registers in line with what the struct says. */
void virtio_page_refresh(const struct virtio *v);

/* virtio_save() - a device of a machine that stands still. */
void virtio_save(const struct virtio *v, struct virtio_state *ret);

/*
 * virtio_restore() - into a new device of the same kind, before vcpus and loop run
 *
 * The device is told that it starts, and looks at each of its queues; the driver gets an interrupt unless it is certain that it has
 * seen all: what was under way in either direction is not lost. Return: 0 or a recorded failure: @state is not one that such a device can be in.
 */
int virtio_restore(struct virtio *v, const struct virtio_state *state);

/* virtio_has() - was this feature bit agreed on? */
static inline bool virtio_has(const struct virtio *v, unsigned int bit)
{
	return v->driver_features >> bit & 1;
}

/* virtio_kicked() - what a queue's kick calls when it is ready. */
void virtio_kicked(struct loop_source *source, uint32_t events);

/* virtio_notify() - after pushes to queue @queue: an interrupt, if the driver wants it. With the lock held. */
void virtio_notify(struct virtio *v, unsigned int queue);

/* virtio_config_set() - change a piece of the device's configuration and tell the driver. With the lock held. */
void virtio_config_set(struct virtio *v, unsigned int offset, const void *data, unsigned int size);

/*
 * virtio_enter() - a device's own source was ready: lock, and settle what the driver did meanwhile
 *
 * Return: whether the driver is there. virtio_leave() in either case.
 */
bool virtio_enter(struct virtio *v);
void virtio_leave(struct virtio *v);
