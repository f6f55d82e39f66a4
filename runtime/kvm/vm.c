/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's descriptors and memory. All RAM is one anonymous mapping, aligned to 2 MiB and
 * advised to be in large pages: each second-level fault then brings 512 pages, so that a boot takes
 * some forty of them rather than thirty thousand. vm_guest() searches few slots linearly and is the
 * only function that turns an address of the guest into one of ours.
 */
#include "runtime/kvm/vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/event.h"

enum { KVM_API = 12 };

#define LARGE_PAGE (2ULL << 20)

/* What we cannot do without; each has been in every KVM since Linux 4.x, but say it by name. */
static int capabilities_check(int kvm_fd)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{ KVM_CAP_IRQCHIP, "interrupt controllers" },
		{ KVM_CAP_USER_MEMORY, "memory slots" },
		{ KVM_CAP_READONLY_MEM, "read-only memory slots" },
		{ KVM_CAP_IRQFD, "irqfd" },
		{ KVM_CAP_IOEVENTFD, "ioeventfd" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
		{ KVM_CAP_EXT_CPUID, "cpuid" },
	};
	int version = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);

	if (version < 0)
		return fail(errno, "KVM_GET_API_VERSION");
	if (version != KVM_API)
		return fail_plain(ENOTSUP, "KVM's interface is version %d, not %d", version,
				  KVM_API);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return fail_plain(ENOTSUP, "this KVM has no %s", needed[i].name);
	return 0;
}

static int64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int vm_begin(struct vm *vm)
{
	*vm = (struct vm){ .kvm_fd = -1, .fd = -1, .end_fd = -1, .go_fd = -1, .born_us = now_us() };
	vm->stats = &vm->own_stats;
	vm->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	vm->go_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return vm->end_fd < 0 || vm->go_fd < 0 ? fail(errno, "eventfd") : 0;
}

int vm_init(struct vm *vm, int kvm_fd)
{
	uint64_t pages = VM_KVM_PAGES;
	int r = vm_begin(vm);

	if (r == 0)
		r = capabilities_check(kvm_fd);
	if (r < 0)
		return r;
	vm->kvm_fd = kvm_fd;
	do /* a signal while it waits for others' grace periods makes it give up */
		vm->fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return fail(errno, "KVM_CREATE_VM");
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &pages) < 0)
		return fail(errno, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, VM_KVM_PAGES + 4096) < 0)
		return fail(errno, "KVM_SET_TSS_ADDR");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return fail(errno, "KVM_CREATE_IRQCHIP");
	return 0;
}

void vm_done(struct vm *vm)
{
	if (vm->fd >= 0)
		(void)close(vm->fd);
	if (vm->end_fd >= 0)
		(void)close(vm->end_fd);
	if (vm->go_fd >= 0)
		(void)close(vm->go_fd);
	if (vm->ram)
		(void)munmap(vm->ram, vm->ram_size);
	if (vm->stats && vm->stats != &vm->own_stats)
		(void)munmap(vm->stats, sizeof(*vm->stats));
	*vm = (struct vm){ .kvm_fd = -1, .fd = -1, .end_fd = -1, .go_fd = -1 };
}

int vm_map(struct vm *vm, uint64_t gpa, uint64_t size, void *host, bool read_only)
{
	struct kvm_userspace_memory_region region = {
		.slot = vm->slot_count,
		.flags = read_only ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	if (vm->slot_count == VM_SLOTS_MAX)
		return fail_plain(ENOSPC, "more than %d pieces of guest memory", VM_SLOTS_MAX);
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return fail(errno, "KVM_SET_USER_MEMORY_REGION at 0x%llx, 0x%llx bytes",
			    (unsigned long long)gpa, (unsigned long long)size);
	vm->slots[vm->slot_count++] = (struct vm_slot){
		.gpa = gpa,
		.size = size,
		.host = host,
		.read_only = read_only,
	};
	return 0;
}

/* Reserve more than asked, then give back what is before and behind the aligned part. */
static void *map_aligned(uint64_t size)
{
	uint64_t whole = size + LARGE_PAGE;
	uint8_t *start = mmap(NULL, whole, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t before;

	if (start == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)start & (LARGE_PAGE - 1);
	if (before > 0)
		(void)munmap(start, before);
	(void)munmap(start + before + size, LARGE_PAGE - before);
	/* cppcheck-suppress deallocret ; what was given back is beside it */
	return start + before;
}

int vm_ram_add(struct vm *vm, uint64_t size)
{
	uint64_t low = size < VM_GAP_START ? size : VM_GAP_START;
	uint64_t end;
	int r;

	vm->ram = map_aligned(size);
	if (!vm->ram)
		return fail(errno, "map %llu bytes of guest memory", (unsigned long long)size);
	vm->ram_size = size;
	/* Of use, not of need: a kernel without large pages says EINVAL. */
	(void)madvise(vm->ram, size, MADV_HUGEPAGE);
	(void)madvise(vm->ram, size, MADV_DONTDUMP);
	r = vm_map(vm, 0, low, vm->ram, false);
	if (r < 0)
		return r;
	if (size > low) {
		r = vm_map(vm, VM_GAP_END, size - low, vm->ram + low, false);
		if (r < 0)
			return r;
	}
	end = VM_GAP_END + (size - low);
	vm->window_next = (end + VM_WINDOW_ALIGN - 1) & ~(VM_WINDOW_ALIGN - 1);
	return 0;
}

void vm_ram_keep(struct vm *vm)
{
	vm->ram_stays = mlock2(vm->ram, vm->ram_size, MLOCK_ONFAULT) == 0;
}

uint64_t vm_ram_low(const struct vm *vm)
{
	return vm->ram_size < VM_GAP_START ? vm->ram_size : VM_GAP_START;
}

int vm_window_reserve(struct vm *vm, uint64_t size, uint64_t *ret_gpa)
{
	uint64_t room = (size + VM_WINDOW_ALIGN - 1) & ~(VM_WINDOW_ALIGN - 1);

	/* 2^39 is what the smallest processors with second-level page tables can address. */
	if (size == 0 || size % LARGE_PAGE != 0 || room < size ||
	    room > (1ULL << 39) - vm->window_next)
		return fail_plain(EINVAL, "cannot show %llu bytes to the guest",
				  (unsigned long long)size);
	*ret_gpa = vm->window_next;
	vm->window_next += room;
	return 0;
}

void *vm_guest(const struct vm *vm, uint64_t gpa, uint64_t len, enum vm_access access)
{
	for (unsigned int i = 0; i < vm->slot_count; i++) {
		const struct vm_slot *slot = &vm->slots[i];

		if (gpa < slot->gpa || gpa - slot->gpa >= slot->size)
			continue;
		if (len > slot->size - (gpa - slot->gpa))
			return NULL;
		if (access == VM_WRITE && slot->read_only)
			return NULL;
		return slot->host + (gpa - slot->gpa);
	}
	return NULL;
}

void vm_end(struct vm *vm, enum vm_end_reason why)
{
	uint32_t running = VM_END_NONE;

	if (!atomic_compare_exchange_strong(&vm->end, &running, why))
		return;
	__atomic_store_n(&vm->stats->end, (uint32_t)why, __ATOMIC_RELEASE);
	event_signal(vm->end_fd);
}

bool vm_stand(struct vm *vm)
{
	uint32_t ahead = VM_REST_AHEAD;

	return atomic_compare_exchange_strong(&vm->rest, &ahead, VM_REST_NOW);
}

void vm_go(struct vm *vm)
{
	atomic_store(&vm->rest, VM_REST_OVER);
	event_signal(vm->go_fd);
}

int64_t vm_go_await(struct vm *vm)
{
	struct pollfd ends[] = { { .fd = vm->go_fd, .events = POLLIN }, { .fd = vm->end_fd, .events = POLLIN } };
	int64_t since = now_us();

	while (poll(ends, ARRAY_SIZE(ends), -1) < 0 && errno == EINTR)
		;
	return (now_us() - since) / 1000;
}

int vm_stats_share(struct vm *vm, int fd)
{
	struct vm_stats *shared;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at the statistics' file");
	if (st.st_size < (off_t)sizeof(*shared))
		return fail_plain(EINVAL, "the statistics' file is too small");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return fail(errno, "map the statistics");
	*shared = *vm->stats;
	vm->stats = shared;
	return 0;
}

void vm_count_kvm(struct vm *vm)
{
	if (vm->kvm_count)
		vm->kvm_count(vm->vcpus_argument, &vm->stats->kvm);
}

void vm_kick(struct vm *vm)
{
	if (vm->vcpus_kick)
		vm->vcpus_kick(vm->vcpus_argument);
}

void vm_hello(struct vm *vm)
{
	struct vm_stats *stats = vm->stats;
	uint64_t exits = 0;

	if (stats->said_hello)
		return;
	vm_count_kvm(vm);
	for (size_t i = 0; i < VM_EXIT_KINDS; i++)
		exits += __atomic_load_n(&stats->exits[i], __ATOMIC_RELAXED);
	stats->hello_us = (uint64_t)(now_us() - vm->born_us);
	stats->hello_exits = exits;
	stats->hello_kvm = stats->kvm;
	__atomic_store_n(&stats->said_hello, 1, __ATOMIC_RELEASE);
}
