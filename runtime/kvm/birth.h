/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * birth - a page by which the agent learns how its machine came to be, and a clone what makes it another
 *
 * It lies in front of the devices' registers and is read-only memory for the guest: reading it is no exit,
 * writing a command to its last word is one. The agent maps it by /dev/mem; a guest that does not know of it
 * misses nothing. What is secret in it is there for the clone's first moments only: after BIRTH_DONE the page
 * holds no seed, and no command but the bell has an effect any more.
 */

#include <stdint.h>

#define BIRTH_BASE  0xcffff000ULL
#define BIRTH_MAGIC 0x68746269 /* "ibth" */

enum { BIRTH_SIZE = 4096, BIRTH_SEED = 64, BIRTH_COMMAND = BIRTH_SIZE - 4 };

enum birth_how {
	BIRTH_COLD, /* booted, and goes on: there is nothing to do */
	BIRTH_TEMPLATE, /* booted to be copied: BIRTH_POINT when all is ready, after which it is a clone */
	BIRTH_CLONE,
};

enum birth_command {
	BIRTH_POINT = 1, /* here the template is taken */
	BIRTH_TIME = 2, /* let the page have the time of now */
	BIRTH_DONE = 3,
	BIRTH_WAIT = 4, /* stand still until the host has a word for it */
	BIRTH_LISTEN = 5, /* somebody listens for the host now; however it came to be, and after BIRTH_DONE, too */
};

/*
 * struct birth_page - what the guest reads
 *
 * @cid: what its vsock device says
 * @device_first, @device_count: the slots from the first on, up to the number, have devices that the template
 *      had not, and its kernel did not find
 * @realtime_ns: of the host's clock
 */
struct birth_page {
	uint32_t magic, how;
	uint32_t device_first, device_count;
	uint64_t cid;
	uint64_t realtime_ns;
	uint8_t seed[BIRTH_SEED];
};

struct bus;
struct vm;

/*
 * struct birth - the monitor's side; @page NULL is none
 *
 * @bell_fd: an eventfd, which BIRTH_WAIT and BIRTH_LISTEN make readable: whoever speaks to the guest hears it (runtime/kvm/vsock.h)
 */
struct birth {
	struct vm *vm;
	struct birth_page *page;
	int bell_fd;
};

/*
 * birth_add() - put the page into the machine
 * @fill: magic and seed are added
 *
 * Return: 0 or a recorded failure; birth_done() may be called either way, when the machine is gone.
 */
int birth_add(struct birth *birth, struct vm *vm, struct bus *memory, const struct birth_page *fill);
void birth_done(struct birth *birth);
