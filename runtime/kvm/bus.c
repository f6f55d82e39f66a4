/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses to devices, by a linear search: there are about twenty, and what is used often never
 * comes here (notifications are ioeventfds, registers are read from a page of the guest's).
 */
#include "runtime/kvm/bus.h"

#include <errno.h>
#include <string.h>

#include "runtime/base/error.h"

int bus_add(struct bus *bus, uint64_t base, uint64_t size, const struct bus_ops *ops, void *owner)
{
	if (size == 0 || base + size < base)
		return fail_plain(EINVAL, "a device of 0x%llx bytes at 0x%llx",
				  (unsigned long long)size, (unsigned long long)base);
	if (bus->count == BUS_REGIONS_MAX)
		return fail_plain(ENOSPC, "more than %d devices", BUS_REGIONS_MAX);
	for (unsigned int i = 0; i < bus->count; i++) {
		const struct bus_region *other = &bus->regions[i];

		if (base < other->base + other->size && other->base < base + size)
			return fail_plain(EEXIST, "two devices at 0x%llx",
					  (unsigned long long)base);
	}
	bus->regions[bus->count++] = (struct bus_region){
		.base = base,
		.size = size,
		.ops = ops,
		.owner = owner,
	};
	return 0;
}

static const struct bus_region *find(const struct bus *bus, uint64_t address, unsigned int size)
{
	for (unsigned int i = 0; i < bus->count; i++) {
		const struct bus_region *region = &bus->regions[i];

		if (address >= region->base && address - region->base < region->size)
			return size <= region->size - (address - region->base) ? region : NULL;
	}
	return NULL;
}

bool bus_read(const struct bus *bus, uint64_t address, void *ret_data, unsigned int size)
{
	const struct bus_region *region = find(bus, address, size);

	memset(ret_data, 0xff, size);
	if (!region)
		return false;
	region->ops->read(region->owner, address - region->base, ret_data, size);
	return true;
}

bool bus_write(const struct bus *bus, uint64_t address, const void *data, unsigned int size)
{
	const struct bus_region *region = find(bus, address, size);

	if (!region)
		return false;
	region->ops->write(region->owner, address - region->base, data, size);
	return true;
}
