/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * event - an eventfd that is not waited for: between threads, and between KVM and us. Source: eventfd(2).
 */

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* event_signal() - make it readable. Only a count at the brim refuses that, and is readable already. */
static inline void event_signal(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

/* event_take() - how often does not count. Return: whether it was signalled since the last time. */
static inline bool event_take(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}
