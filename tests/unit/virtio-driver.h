/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * virtio-driver - a test as the driver of the device in slot 0: it writes registers over the bus, as a vcpu's thread does
 */

#include <linux/virtio_mmio.h>
#include <stdint.h>

#include "runtime/kvm/bus.h"
#include "runtime/kvm/vm.h"
#include "tests/unit/tap.h"

/* A queue's rings lie behind its descriptors. */
enum { DRIVER_AVAIL = 0x1000, DRIVER_USED = 0x2000 };

static inline void driver_put(const struct bus *memory, unsigned int offset, uint32_t value)
{
	CHECK(bus_write(memory, VM_DEVICES_BASE + offset, &value, sizeof(value)));
}

/* driver_queue() - describe a queue of @size entries, whose descriptors are at @at, and enable it. */
static inline void driver_queue(const struct bus *memory, unsigned int queue, uint32_t size, uint32_t at)
{
	driver_put(memory, VIRTIO_MMIO_QUEUE_SEL, queue);
	driver_put(memory, VIRTIO_MMIO_QUEUE_NUM, size);
	driver_put(memory, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	driver_put(memory, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + DRIVER_AVAIL);
	driver_put(memory, VIRTIO_MMIO_QUEUE_USED_LOW, at + DRIVER_USED);
	driver_put(memory, VIRTIO_MMIO_QUEUE_READY, 1);
}
