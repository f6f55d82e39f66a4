/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of a 16550 only what "earlyprintk=serial" looks at: a line status that is always ready to send, and
 * a register to send by. What cannot be written at once is lost: a vcpu waits for nobody's terminal
 * longer than one write, and a signal ends that.
 */
#include "runtime/kvm/serial.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "runtime/kvm/bus.h"

enum {
	REGISTER_DATA = 0,
	REGISTER_LINE_STATUS = 5,
	STATUS_SENT = 0x60, /* holding register and transmitter are empty */
};

static void serial_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	(void)owner;
	memset(ret_data, 0, size);
	if (offset == REGISTER_LINE_STATUS)
		*(uint8_t *)ret_data = STATUS_SENT;
}

static void serial_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	const struct serial *serial = owner;

	if (offset == REGISTER_DATA && size == 1 && write(serial->fd, data, 1) < 0)
		return;
}

static const struct bus_ops serial_ops = { .read = serial_read, .write = serial_write };

int serial_init(struct serial *serial, struct bus *ports, int fd)
{
	serial->fd = fd;
	return bus_add(ports, SERIAL_PORT, SERIAL_PORTS, &serial_ops, serial);
}
