/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * serial - the bytes a kernel says before it has drivers; for debugging, each one is an exit
 */

struct bus;

enum { SERIAL_PORT = 0x3f8, SERIAL_PORTS = 8 };

struct serial {
	int fd;
};

/* serial_init() - a transmitter at the first serial port that writes to @fd, which stays the caller's. Return: 0 or a recorded failure. */
int serial_init(struct serial *serial, struct bus *ports, int fd);
