/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * acpi - the tables by which a stock kernel finds its processors and devices without probing
 */

#include <stdbool.h>
#include <stdint.h>

struct bus;
struct vm;

#define ACPI_BASE 0xe0000ULL /* in the area that the memory map calls reserved */
#define ACPI_SIZE 0x10000ULL

/* The guest's only fixed ports of ours: sleep control, sleep status, reset. */
enum {
	ACPI_PORT = 0x600,
	ACPI_PORTS = 3,
	ACPI_SLEEP_CONTROL = 0,
	ACPI_SLEEP_STATUS = 1,
	ACPI_RESET = 2,
};

/*
 * acpi_tables_write() - hardware-reduced ACPI for @vcpus processors and @devices virtio slots
 *
 * Return: 0 with the address of the root pointer in @ret_rsdp, or a recorded failure.
 */
int acpi_tables_write(const struct vm *vm, unsigned int vcpus, unsigned int devices,
		      uint64_t *ret_rsdp);

/* acpi_ports_add() - serve the ports: power off and reset end the machine. Return: 0 or a recorded failure. */
int acpi_ports_add(struct bus *ports, struct vm *vm);
