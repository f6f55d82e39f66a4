/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands come on a vcpu's thread, which may do little: the seed is made beforehand, by whoever builds the
 * machine, and the clock is read without a system call or with one that every thread may make.
 */
#include "runtime/kvm/birth.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/vm.h"

_Static_assert(BIRTH_BASE + BIRTH_SIZE == VM_DEVICES_BASE, "the page lies in front of the devices");

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void command(struct birth *birth, uint32_t value)
{
	struct birth_page *page = birth->page;

	if (page->how == BIRTH_TEMPLATE && value == BIRTH_POINT) {
		vm_end(birth->vm, VM_END_TEMPLATE);
	} else if (page->how == BIRTH_CLONE && value == BIRTH_TIME) {
		page->realtime_ns = now_ns();
	} else if (page->how == BIRTH_CLONE && value == BIRTH_DONE) {
		explicit_bzero(page->seed, sizeof(page->seed));
		page->how = BIRTH_COLD;
	} else if (page->how == BIRTH_CLONE && value == BIRTH_WAIT && vm_stand(birth->vm)) {
		event_signal(birth->bell_fd);
	} else if (value == BIRTH_LISTEN) {
		event_signal(birth->bell_fd);
	} else {
		vm_count(&birth->vm->stats->refused);
	}
}

static void page_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	struct birth *birth = owner;
	uint32_t value;

	if (offset != BIRTH_COMMAND || size != sizeof(value)) {
		vm_count(&birth->vm->stats->refused);
		return;
	}
	memcpy(&value, data, sizeof(value));
	command(birth, value);
}

/* Only for what KVM cannot read by itself, such as an access across its end. */
static void page_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	const struct birth *birth = owner;

	memcpy(ret_data, (const uint8_t *)birth->page + offset, size);
}

static const struct bus_ops page_ops = { .read = page_read, .write = page_write };

int birth_add(struct birth *birth, struct vm *vm, struct bus *memory, const struct birth_page *fill)
{
	void *page = mmap(NULL, BIRTH_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (page == MAP_FAILED)
		return fail(errno, "map the page about the machine's birth");
	*birth = (struct birth){ .vm = vm, .page = page, .bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (birth->bell_fd < 0)
		return fail(errno, "eventfd");
	*birth->page = *fill;
	birth->page->magic = BIRTH_MAGIC;
	if (fill->how == BIRTH_CLONE && getrandom(birth->page->seed, BIRTH_SEED, 0) != BIRTH_SEED)
		return fail(errno, "getrandom");
	r = vm_map(vm, BIRTH_BASE, BIRTH_SIZE, page, true);
	return r < 0 ? r : bus_add(memory, BIRTH_BASE, BIRTH_SIZE, &page_ops, birth);
}

void birth_done(struct birth *birth)
{
	if (!birth->page)
		return;
	(void)munmap(birth->page, BIRTH_SIZE);
	birth->page = NULL;
	if (birth->bell_fd >= 0)
		(void)close(birth->bell_fd);
}
