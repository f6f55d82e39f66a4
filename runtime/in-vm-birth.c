/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clone begins in the middle of in_vm_born(), with the memory of its template and so of all of that
 * template's clones. What follows makes it another machine, before anything of a container is there: no random
 * number, clock or address that a payload can see comes from the template. What cannot be made new ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/in-vm.h"
#include "runtime/kvm/birth.h"

#define DRIVER "/sys/bus/platform/drivers/virtio-mmio"

enum { CID_TRIES = 25000, CID_PAUSE_NS = 200000, SETTLE_S = 4 };

struct pool {
	struct rand_pool_info head;
	unsigned char bytes[BIRTH_SEED];
};

/* Among the agent's own pages: an address of its own would take three more of the kernel's for its page tables. */
static _Alignas(BIRTH_SIZE) uint8_t page_place[BIRTH_SIZE];

/* NULL: this machine has none. It stays mapped: to take it away would cost a clone memory. */
static volatile struct birth_page *page;

static void page_map(void)
{
	cleanup_fd int memory = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *at;

	if (memory < 0)
		return;
	at = mmap(page_place, BIRTH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, BIRTH_BASE);
	if (at == MAP_FAILED)
		return;
	page = at;
	if (page->magic != BIRTH_MAGIC)
		page = NULL;
}

static void command(uint32_t value)
{
	*(volatile uint32_t *)((volatile uint8_t *)page + BIRTH_COMMAND) = value;
}

/* The kernel mixes the seed in and draws all that follows from it: what two clones had in common is worth nothing then. */
static int random_renew(int random)
{
	struct pool pool = { .head = { .entropy_count = BIRTH_SEED * 8, .buf_size = BIRTH_SEED } };
	int r = 0;

	for (unsigned int i = 0; i < BIRTH_SEED; i++)
		pool.bytes[i] = page->seed[i];
	if (ioctl(random, RNDADDENTROPY, &pool) < 0 || ioctl(random, RNDRESEEDCRNG) < 0)
		r = fail(errno, "renew the random numbers");
	explicit_bzero(&pool, sizeof(pool));
	return r;
}

static int clock_renew(void)
{
	struct timespec now;
	uint64_t ns;

	command(BIRTH_TIME);
	ns = page->realtime_ns;
	now = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
	return clock_settime(CLOCK_REALTIME, &now) < 0 ? fail(errno, "set the clock") : 0;
}

/* The device has told the driver; it resets what it takes for connections, too, so there must be none yet. */
static int cid_await(int vsock, uint64_t wanted)
{
	const struct timespec pause = { .tv_nsec = CID_PAUSE_NS };

	for (int i = 0; i < CID_TRIES; i++) {
		unsigned int cid;

		if (ioctl(vsock, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0)
			return fail(errno, "ask for the machine's number");
		if (cid == wanted)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return fail_plain(ETIMEDOUT, "the machine still has its template's number");
}

/*
 * What the kernel still has to do is done once, here, and not by each clone in memory of its own: two seconds after the balloon's
 * driver is there it begins to report free pages, and writes to what describes each of them.
 */
static void settle(void)
{
	const struct timespec pause = { .tv_sec = SETTLE_S };

	(void)nanosleep(&pause, NULL);
}

/* What a clone needs is opened by its template: to open and to close takes a kernel twenty pages that it would write to. */
static int needed_open(int *ret_random, int *ret_vsock)
{
	*ret_random = open("/dev/random", O_RDWR | O_CLOEXEC);
	*ret_vsock = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
	if (*ret_random < 0 || *ret_vsock < 0)
		return fail(errno, "open '%s'", *ret_random < 0 ? "/dev/random" : "/dev/vsock");
	return 0;
}

/* Nobody sees its clock or its number before the host speaks to it; and only then the time is known that it is to have. */
static int clone_begin(int random, int vsock)
{
	int r = random_renew(random);

	command(BIRTH_WAIT);
	if (r == 0)
		r = clock_renew();
	if (r == 0)
		r = cid_await(vsock, page->cid);
	command(BIRTH_DONE);
	return r;
}

int in_vm_born(struct in_vm_slots *ret)
{
	int random, vsock, r;

	*ret = (struct in_vm_slots){ .count = 0 };
	page_map();
	if (!page || page->how != BIRTH_TEMPLATE)
		return 0;
	r = needed_open(&random, &vsock);
	if (r < 0)
		return fail_in(r, "become a template");
	settle();
	command(BIRTH_POINT); /* each clone goes on from here */
	if (page->how != BIRTH_CLONE)
		return 0;
	*ret = (struct in_vm_slots){ .first = page->device_first, .count = page->device_count };
	r = clone_begin(random, vsock);
	return r < 0 ? fail_in(r, "become a machine of its own") : 0;
}

bool in_vm_ring(void)
{
	if (page)
		command(BIRTH_LISTEN);
	return page;
}

/* In the template these slots were empty, and the driver looks only once. */
int in_vm_slots_bind(const struct in_vm_slots *slots)
{
	cleanup_fd int driver = -1;

	if (slots->first >= slots->count)
		return 0;
	driver = open(DRIVER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (driver < 0)
		return fail(errno, "open '" DRIVER "'");
	for (uint32_t i = slots->first; i < slots->count; i++) {
		char name[32];
		int r;

		(void)snprintf(name, sizeof(name), "LNRO0005:%02x", i);
		r = fd_write_file(driver, "bind", name);
		if (r < 0)
			return fail_in(r, "device %u", i);
	}
	return 0;
}
