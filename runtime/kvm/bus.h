/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * bus - which device answers at an address; one bus for ports, one for memory addresses
 */

#include <stdbool.h>
#include <stdint.h>

enum { BUS_REGIONS_MAX = 24 };

/*
 * struct bus_ops - a device's answer to one access; called by any vcpu's thread
 *
 * @offset: from the region's base; the whole access lies inside the region
 * @size: 1, 2, 4 or 8 bytes
 */
struct bus_ops {
	void (*read)(void *owner, uint64_t offset, void *ret_data, unsigned int size);
	void (*write)(void *owner, uint64_t offset, const void *data, unsigned int size);
};

struct bus_region {
	uint64_t base, size;
	const struct bus_ops *ops;
	void *owner;
};

/* All zero is an empty bus. Regions are added before vcpus run and stay. */
struct bus {
	struct bus_region regions[BUS_REGIONS_MAX];
	unsigned int count;
};

/* bus_add() - a device at [@base, @base + @size). Return: 0, or a recorded failure: it overlaps another, or the bus is full. */
int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *owner);

/*
 * bus_read(), bus_write() - one access of the guest
 *
 * Return: false when nobody is there: a read then gives all ones, a write is lost.
 */
bool bus_read(const struct bus *bus, uint64_t address, void *ret_data, unsigned int size);
bool bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned int size);
