/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of a few lines, for a virtual machine with nothing else in it: says on the serial port what its command line is, and
 * switches the machine off. It is entered in 64-bit mode with a stack, the first 4 GiB mapped onto themselves.
 *
 *	make -C examples/kernel && sudo nacelle run examples/kernel/kernel.json
 */
#include <stdint.h>

enum {
	SERIAL = 0x3f8,
	SLEEP_CONTROL = 0x600, /* ACPI's, in the machine's tables (FADT) */
	SLEEP_OFF = 0x34,
	BOOT_CMDLINE = 0x228, /* cmd_line_ptr in Linux' boot_params, which the loader hands over */
};

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void say(const char *text)
{
	for (; *text; text++)
		out(SERIAL, (uint8_t)*text);
}

void kernel(const uint8_t *boot_params);

void kernel(const uint8_t *boot_params)
{
	say("hello from a kernel of our own: ");
	say((const char *)(uintptr_t)*(const uint32_t *)(const void *)(boot_params + BOOT_CMDLINE));
	say("\n");
	out(SLEEP_CONTROL, SLEEP_OFF);
	for (;;)
		__asm__ volatile("hlt");
}

/* Who is entered by the 64-bit protocol finds boot_params in %rsi. */
__asm__(".globl _start\n_start: mov %rsi, %rdi\n call kernel\n");
