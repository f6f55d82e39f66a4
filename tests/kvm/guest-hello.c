/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of a few lines: says hello on the early serial port and switches the machine off. It is
 * entered in 64-bit mode with a stack, and runs on any KVM, one in software included.
 *	gcc -std=gnu17 -Os -ffreestanding -nostdlib -static -fno-pie -no-pie -fcf-protection=none \
 *	    -fno-stack-protector -mno-red-zone -Wl,-Ttext-segment=0x200000 -Wl,--build-id=none
 */
#include <stdint.h>

enum { SERIAL = 0x3f8, SLEEP_CONTROL = 0x600, SLEEP_OFF = 0x34 };

static void out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void _start(void);

void _start(void)
{
	static const char text[] = "hello from a kernel of our own\n";

	for (const char *p = text; *p; p++)
		out(SERIAL, (uint8_t)*p);
	out(SLEEP_CONTROL, SLEEP_OFF);
	for (;;)
		__asm__ volatile("hlt");
}
