/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vm - the machine as KVM knows it: its descriptors, its memory, and its end
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/kvm/stats.h"

/*
 * The guest's physical address space. RAM lies at 0, and what is above VM_GAP_START goes on at
 * VM_GAP_END; files that are mapped into the guest (windows) follow above all RAM.
 */
#define VM_GAP_START    0xc0000000ULL
#define VM_DEVICES_BASE 0xd0000000ULL /* one page a virtio device */
#define VM_IOAPIC_BASE  0xfec00000ULL
#define VM_LAPIC_BASE   0xfee00000ULL
#define VM_KVM_PAGES    0xfffbc000ULL /* four pages that KVM on Intel wants for itself */
#define VM_GAP_END      0x100000000ULL
#define VM_WINDOW_ALIGN (1ULL << 30)

enum { VM_SLOTS_MAX = 24 };

/* Once in its life a machine may stand still (birth.h). */
enum vm_rest { VM_REST_AHEAD, VM_REST_NOW, VM_REST_OVER };

enum vm_access { VM_READ, VM_WRITE };

struct vm_slot {
	uint64_t gpa, size;
	uint8_t *host;
	bool read_only;
};

/*
 * struct vm - owned by the thread that made it; once vcpus run, slots do not change
 *
 * @end_fd: an eventfd that becomes readable when the machine has ended
 * @go_fd: another, readable when it need not stand still any more
 */
struct vm {
	int kvm_fd; /* not ours to close */
	int fd;
	int end_fd, go_fd;
	_Atomic uint32_t end;
	_Atomic uint32_t rest; /* enum vm_rest */
	struct vm_slot slots[VM_SLOTS_MAX];
	unsigned int slot_count;
	uint8_t *ram;
	uint64_t ram_size;
	bool ram_stays; /* what the guest has touched is in memory, and not in swap */
	uint64_t window_next;
	struct vm_stats *stats; /* never NULL after vm_init() */
	struct vm_stats own_stats;
	int64_t born_us; /* CLOCK_MONOTONIC */
	void (*kvm_count)(void *argument, struct vm_kvm_stats *ret); /* what KVM counted; set before any device serves */
	void (*vcpus_kick)(void *argument); /* make each leave the guest for a moment; set like that */
	void *vcpus_argument; /* of both */
};

/* vm_begin() - its end and its statistics alone, for one that is not KVM's. Return: as vm_init(). */
int vm_begin(struct vm *vm);

/*
 * vm_init() - make an empty machine with KVM's interrupt controllers
 * @kvm_fd: /dev/kvm; must stay open until vm_done()
 *
 * Return: 0 or a recorded failure; vm_done() may be called either way.
 */
int vm_init(struct vm *vm, int kvm_fd);

/* vm_done() - release everything; no vcpu of it may be left. All zero with fds -1 is a no-op. */
void vm_done(struct vm *vm);

/* vm_ram_add() - give it @size bytes of RAM at 0, in large pages where the host can. Return: 0 or a recorded failure. */
int vm_ram_add(struct vm *vm, uint64_t size);

/* vm_ram_keep() - let none of its RAM go to swap; of use, not of need. Sets ram_stays where that can be. */
void vm_ram_keep(struct vm *vm);

/* vm_ram_low() - how much of the RAM lies below the gap. */
uint64_t vm_ram_low(const struct vm *vm);

/*
 * vm_map() - show @size bytes at @host to the guest at @gpa
 *
 * Both are multiples of a page; @host must outlive the machine. Return: 0 or a recorded failure.
 */
int vm_map(struct vm *vm, uint64_t gpa, uint64_t size, void *host, bool read_only);

/* vm_window_reserve() - an address range above all RAM for @size bytes; call after vm_ram_add(). Return: 0 or a recorded failure. */
int vm_window_reserve(struct vm *vm, uint64_t size, uint64_t *ret_gpa);

/*
 * vm_guest() - guest memory as the monitor may touch it: the only door
 * @access: VM_WRITE is refused where the guest itself cannot write
 *
 * Return: a pointer good for @len bytes, or NULL: wraps, leaves its slot, or is no memory. What it
 * points to may change at any moment: copy once, then judge the copy.
 */
void *vm_guest(const struct vm *vm, uint64_t gpa, uint64_t len, enum vm_access access);

/* vm_end() - the machine is over; only the first reason counts. Any thread. */
void vm_end(struct vm *vm, enum vm_end_reason why);

static inline bool vm_has_ended(struct vm *vm)
{
	return atomic_load_explicit(&vm->end, memory_order_acquire) != VM_END_NONE;
}

/*
 * vm_stand() - its processors are to stand still: the caller's from here on, the others when they are kicked
 *
 * vm_go() ends that for good, before it or after it. Any thread. Return: false when its rest is not ahead of it any more.
 */
bool vm_stand(struct vm *vm);
void vm_go(struct vm *vm);

static inline enum vm_rest vm_rest(struct vm *vm)
{
	return (enum vm_rest)atomic_load_explicit(&vm->rest, memory_order_acquire);
}

/* vm_go_await() - a vcpu's thread: until its rest is over, or the machine's end. Return: for how many ms. */
int64_t vm_go_await(struct vm *vm);

/* vm_stats_share() - keep the statistics in this memfd from now on. Return: 0 or a recorded failure. */
int vm_stats_share(struct vm *vm, int fd);

/* vm_count_kvm() - bring those statistics up to date that KVM keeps. The loop's thread. */
void vm_count_kvm(struct vm *vm);

/* vm_kick() - make each processor leave the guest for a moment, and so see what has changed. The loop's thread. */
void vm_kick(struct vm *vm);

/* vm_hello() - the guest's agent listens, for the first time: keep what it took until here. The loop's thread. */
void vm_hello(struct vm *vm);

/* vm_count() - one more in a counter of vm->stats. Any thread. */
static inline void vm_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}
