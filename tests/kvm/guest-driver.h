/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * guest-driver - what a guest of a few lines needs: ports, registers, virtio devices driven as they should be, and proof that the
 * monitor is alive. For one file that is a whole kernel (guest-hostile.c).
 */
#include <linux/virtio_mmio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SLOTS = 9,
	RNG = 1,
	SERIAL = 0x3f8,
	SLEEP_CONTROL = 0x600,
	SLEEP_OFF = 0x34,
	CMDLINE = 0x228, /* cmd_line_ptr in boot_params */
	QUEUES = 5,
	SIZE = 64,
	BUFFER = 8192,
	PATIENCE = 400000000, /* of the processor's clock: a tenth of a second and more */
	NEXT = 1,
	WRITE = 2,
	INDIRECT = 4,
};
#define DEVICES 0xd0000000UL
#define RAM     0x1000000UL

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
struct queue {
	struct descriptor table[SIZE] __attribute__((aligned(16)));
	struct {
		uint16_t flags, index, ring[SIZE], event;
	} available __attribute__((aligned(4)));
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, length;
		} ring[SIZE];
		uint16_t event;
	} used __attribute__((aligned(4)));
	uint16_t size; /* as negotiated; 0: there is none */
};

static volatile struct queue queues[QUEUES];
static uint8_t buffers[8][BUFFER] __attribute__((aligned(4096)));
static uint64_t seed;

static uint64_t noise(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A number that is likely to be on an edge. */
static uint64_t edge(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 65, 127, 255, 256, 4095, 4096, 4097, 32767, 32768, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, RAM - 1, RAM, RAM + 1, DEVICES, 0xe0000, 0xfec00000, 0xfee00000, 1UL << 63, ~0UL, ~0UL - 4095,
	};
	uint64_t n = noise();

	return n & 1 ? edges[(n >> 8) % (sizeof(edges) / sizeof(edges[0]))] : n >> (n >> 58);
}

/* --- ports, registers ---------------------------------------------------------------------------------- */

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void say(const char *text)
{
	for (; *text; text++)
		out(SERIAL, (uint8_t)*text);
}

static _Noreturn void off(void)
{
	out(SLEEP_CONTROL, SLEEP_OFF);
	for (;;)
		__asm__ volatile("hlt");
}

static volatile uint32_t *reg(unsigned int slot, unsigned int offset)
{
	return (volatile uint32_t *)(DEVICES + slot * 4096UL + offset);
}

static void poke(uint64_t address, unsigned int width, uint64_t value)
{
	switch (width) {
	case 0: *(volatile uint8_t *)address = (uint8_t)value; break;
	case 1: *(volatile uint16_t *)address = (uint16_t)value; break;
	case 2: *(volatile uint32_t *)address = (uint32_t)value; break;
	default: *(volatile uint64_t *)address = value; break;
	}
}

static void peek(uint64_t address, unsigned int width)
{
	switch (width) {
	case 0: (void)*(volatile uint8_t *)address; break;
	case 1: (void)*(volatile uint16_t *)address; break;
	case 2: (void)*(volatile uint32_t *)address; break;
	default: (void)*(volatile uint64_t *)address; break;
	}
}

static uint64_t clock(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* --- a driver, as it should be ---------------------------------------------------------------------------- */

/* A reset takes a moment, all else is so at once. */
static bool status_set(unsigned int slot, uint32_t status)
{
	uint64_t begin = clock();

	*reg(slot, VIRTIO_MMIO_STATUS) = status;
	while (*reg(slot, VIRTIO_MMIO_STATUS) != status)
		if (status != 0 || clock() - begin > PATIENCE)
			return false;
	return true;
}

static void queue_place(unsigned int slot, uint64_t table, uint64_t available, uint64_t used)
{
	*reg(slot, VIRTIO_MMIO_QUEUE_DESC_LOW) = (uint32_t)table;
	*reg(slot, VIRTIO_MMIO_QUEUE_DESC_HIGH) = (uint32_t)(table >> 32);
	*reg(slot, VIRTIO_MMIO_QUEUE_AVAIL_LOW) = (uint32_t)available;
	*reg(slot, VIRTIO_MMIO_QUEUE_AVAIL_HIGH) = (uint32_t)(available >> 32);
	*reg(slot, VIRTIO_MMIO_QUEUE_USED_LOW) = (uint32_t)used;
	*reg(slot, VIRTIO_MMIO_QUEUE_USED_HIGH) = (uint32_t)(used >> 32);
}

/* @features: agreed to of the low half; version 1 is always. Return: whether the device takes them. */
static bool begin(unsigned int slot, uint32_t features)
{
	if (!status_set(slot, 0) || !status_set(slot, 1) || !status_set(slot, 3))
		return false;
	*reg(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 0;
	*reg(slot, VIRTIO_MMIO_DRIVER_FEATURES) = features;
	*reg(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL) = 1;
	*reg(slot, VIRTIO_MMIO_DRIVER_FEATURES) = 1;
	return status_set(slot, 11);
}

static void queues_make(unsigned int slot)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		volatile struct queue *q = &queues[i];
		uint32_t most;

		*reg(slot, VIRTIO_MMIO_QUEUE_SEL) = i;
		most = *reg(slot, VIRTIO_MMIO_QUEUE_NUM_MAX);
		q->size = (uint16_t)(most < SIZE ? most : SIZE);
		q->available.index = q->used.index = q->available.flags = 0;
		if (!q->size)
			continue;
		*reg(slot, VIRTIO_MMIO_QUEUE_NUM) = q->size;
		queue_place(slot, (uintptr_t)q->table, (uintptr_t)&q->available, (uintptr_t)&q->used);
		*reg(slot, VIRTIO_MMIO_QUEUE_READY) = 1;
	}
}

static bool start(unsigned int slot, uint32_t features)
{
	if (!begin(slot, features))
		return false;
	queues_make(slot);
	return status_set(slot, 15);
}

static uint32_t offered(unsigned int slot)
{
	*reg(slot, VIRTIO_MMIO_DEVICE_FEATURES_SEL) = 0;
	return *reg(slot, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void give(unsigned int slot, unsigned int i, uint16_t head)
{
	volatile struct queue *q = &queues[i];

	q->available.ring[q->available.index % SIZE] = head;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->available.index++;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = i;
}

static void settle(void)
{
	for (volatile int i = 0; i < 2000; i++)
		;
}

/* --- proof of life ---------------------------------------------------------------------------------------- */

static bool is_alive(void)
{
	volatile struct queue *q = &queues[0];
	uint8_t sum = 0;

	if (!start(RNG, 0))
		return false;
	for (int i = 0; i < 64; i++)
		buffers[0][i] = 0;
	q->table[0] = (struct descriptor){ .address = (uintptr_t)buffers[0], .length = 64, .flags = WRITE };
	give(RNG, 0, 0);
	for (uint64_t begin = clock(); q->used.index == 0 && clock() - begin < PATIENCE;)
		;
	for (int i = 0; i < 64; i++)
		sum |= buffers[0][i];
	return q->used.index == 1 && q->used.ring[0].length == 64 && sum != 0;
}
