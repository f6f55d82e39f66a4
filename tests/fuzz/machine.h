/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * machine - a virtual machine without KVM: RAM that is an array, a loop that is turned by hand, and a driver's writes
 * to the registers of one device. What would ask KVM for interrupts (irq.c) is replaced by functions that do nothing.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "runtime/kvm/bus.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/loop.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"
#include "tests/fuzz/fuzz.h"

enum { RAM = 256 * 1024, QUEUE_AT = 0x1000, QUEUE_STEP = 0x1000, DATA = 0x10000, SIZE = 8, AVAIL = 0x400, USED = 0x800 };

static struct {
	struct vm vm;
	struct loop loop;
	struct bus memory;
	struct device device;
	struct virtio *v; /* the device's first member */
	uint8_t *ram;
	uint8_t page[VIRTIO_PAGE] __attribute__((aligned(VIRTIO_PAGE)));
	uint16_t next[VIRTIO_QUEUES_MAX];
	uint32_t data_next;
} machine;

int irq_assign(const struct vm *vm, unsigned int pin, int fd)
{
	(void)vm, (void)pin, (void)fd;
	return 0;
}

int kick_assign(const struct vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	(void)vm, (void)gpa, (void)value, (void)fd;
	return 0;
}

/* The array is of its own on the heap, so that a sanitizer sees what lies beside it. */
static inline void machine_new(void)
{
	machine.ram = calloc(1, RAM);
	fuzz_must(machine.ram);
	machine.vm = (struct vm){
		.kvm_fd = -1,
		.fd = -1,
		.end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.slot_count = 1,
		.slots = { { .gpa = 0, .size = RAM, .host = machine.ram } },
	};
	machine.vm.stats = &machine.vm.own_stats;
	memset(&machine.memory, 0, sizeof(machine.memory));
	memset(machine.next, 0, sizeof(machine.next));
	machine.data_next = 0;
	fuzz_must(loop_init(&machine.loop, machine.vm.end_fd) == 0);
}

static inline struct device_place machine_place(void)
{
	return (struct device_place){
		.vm = &machine.vm,
		.loop = &machine.loop,
		.memory = &machine.memory,
		.page = machine.page,
	};
}

static inline void machine_end(void)
{
	machine.device.free(machine.device.self);
	loop_done(&machine.loop);
	(void)close(machine.vm.end_fd);
	free(machine.ram);
}

static inline void machine_put(uint32_t offset, uint32_t value)
{
	(void)bus_write(&machine.memory, VM_DEVICES_BASE + offset, &value, sizeof(value));
}

/* All that is ready gets its turn, as in loop_run(). */
static inline void machine_turn(void)
{
	struct epoll_event events[LOOP_BATCH];
	struct loop *loop = &machine.loop;
	int n = epoll_wait(loop->fd, events, LOOP_BATCH, 0);

	for (int i = 0; i < n; i++)
		loop->batch[i] = events[i].data.ptr;
	loop->batch_count = n < 0 ? 0 : n;
	for (int i = 0; i < n; i++)
		if (loop->batch[i])
			loop->batch[i]->ready(loop->batch[i], events[i].events);
	loop->batch_count = 0;
}

/* A driver's usual way to a device that runs. */
static inline void machine_driver(void)
{
	machine_put(VIRTIO_MMIO_STATUS, 3);
	machine_put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)machine.v->features);
	machine_put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	machine_put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(machine.v->features >> 32));
	machine_put(VIRTIO_MMIO_STATUS, 11);
	for (unsigned int i = 0; i < machine.v->queue_count; i++) {
		uint32_t at = QUEUE_AT + i * QUEUE_STEP;

		machine_put(VIRTIO_MMIO_QUEUE_SEL, i);
		machine_put(VIRTIO_MMIO_QUEUE_NUM, SIZE);
		machine_put(VIRTIO_MMIO_QUEUE_DESC_LOW, at);
		machine_put(VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + AVAIL);
		machine_put(VIRTIO_MMIO_QUEUE_USED_LOW, at + USED);
		machine_put(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	machine_put(VIRTIO_MMIO_STATUS, 15);
	machine_turn();
}

/* A buffer of @size bytes into queue @queue; its data are @data, or it is for the device to write. */
static inline void machine_buffer(unsigned int queue, const void *data, uint32_t size)
{
	uint8_t *at = machine.ram + QUEUE_AT + queue * QUEUE_STEP;
	uint16_t head = machine.next[queue] % SIZE, index = (uint16_t)(machine.next[queue] + 1);
	struct vring_desc desc = { .len = size, .flags = data ? 0 : VRING_DESC_F_WRITE };

	if (machine.data_next + size > RAM - DATA)
		machine.data_next = 0;
	if (size > RAM - DATA)
		return;
	desc.addr = DATA + machine.data_next;
	machine.data_next += size;
	if (data)
		memcpy(machine.ram + desc.addr, data, size);
	memcpy(at + head * sizeof(desc), &desc, sizeof(desc));
	memcpy(at + AVAIL + 4 + 2 * head, &head, sizeof(head));
	memcpy(at + AVAIL + 2, &index, sizeof(index));
	machine.next[queue] = index;
}

static inline void machine_kick(unsigned int queue)
{
	uint64_t one = 1;

	(void)!write(machine.v->queues[queue].kick.fd, &one, sizeof(one));
	machine_turn();
}
