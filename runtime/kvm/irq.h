/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * irq - signals between guest and monitor that need no exit: eventfds in both directions
 */

#include <stdint.h>

struct vm;

enum { IRQ_PINS = 24 }; /* of the one IOAPIC: interrupt numbers 0 to 23 */

/* irq_routes_set() - all interrupts go to the IOAPIC, none to the old controllers. Return: 0 or a recorded failure. */
int irq_routes_set(const struct vm *vm);

/* irq_assign() - writing to the eventfd @fd raises interrupt @pin (an edge). Return: 0 or a recorded failure. */
int irq_assign(const struct vm *vm, unsigned int pin, int fd);

/* kick_assign() - a 32-bit write of @value to @gpa signals the eventfd @fd, and is no exit. Return: 0 or a recorded failure. */
int kick_assign(const struct vm *vm, uint64_t gpa, uint32_t value, int fd);
