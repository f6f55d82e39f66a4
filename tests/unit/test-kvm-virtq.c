/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue as a hostile driver would have it. Guest memory is an array here: no KVM is needed, and
 * the sanitizer sees every byte that is touched outside it.
 */
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "runtime/kvm/virtq.h"
#include "runtime/kvm/vm.h"
#include "tests/unit/tap.h"

enum { RAM = 64 * 1024, SIZE = 8, DESC = 0x1000, AVAIL = 0x2000, USED = 0x3000, DATA = 0x4000 };

static struct {
	struct vm vm;
	struct virtq q;
	struct virtq_chain chain;
	uint8_t *ram;
} t;

static void setup(void)
{
	free(t.ram);
	t.ram = aligned_alloc(4096, RAM);
	memset(t.ram, 0, RAM);
	t.vm = (struct vm){ .slot_count = 1 };
	t.vm.stats = &t.vm.own_stats;
	t.vm.slots[0] = (struct vm_slot){ .gpa = 0, .size = RAM, .host = t.ram };
	virtq_reset(&t.q, &t.vm, SIZE);
	t.q.size = SIZE;
	t.q.desc_gpa = DESC;
	t.q.avail_gpa = AVAIL;
	t.q.used_gpa = USED;
}

static void started(void)
{
	setup();
	CHECK(virtq_enable(&t.q));
}

static void desc_put(unsigned int i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };

	memcpy(t.ram + DESC + i * sizeof(d), &d, sizeof(d));
}

static void avail_put(uint16_t index, uint16_t head)
{
	memcpy(t.ram + AVAIL + 4 + 2 * (index % SIZE), &head, 2);
	index++;
	memcpy(t.ram + AVAIL + 2, &index, 2);
}

static uint16_t used16(unsigned int offset)
{
	uint16_t value;

	memcpy(&value, t.ram + USED + offset, 2);
	return value;
}

static void test_a_chain_is_taken_and_given_back(void)
{
	char text[8] = "";

	started();
	memcpy(t.ram + DATA, "ping", 4);
	desc_put(0, DATA, 4, VRING_DESC_F_NEXT, 3);
	desc_put(3, DATA + 0x100, 16, VRING_DESC_F_WRITE, 0);
	avail_put(0, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	CHECK_INT(t.chain.readable, 1);
	CHECK_INT(t.chain.writable, 1);
	CHECK_INT(virtq_copy_in(&t.chain, 1, text, 7), 3);
	CHECK_STR(text, "ing");
	CHECK_INT(virtq_copy_out(&t.chain, 10, "0123456789", 10), 6);
	CHECK(memcmp(t.ram + DATA + 0x10a, "012345", 6) == 0);
	virtq_push(&t.q, t.chain.head, 16);
	CHECK_INT(used16(2), 1);
	CHECK_INT(used16(8), 16);
	CHECK(virtq_wants_interrupt(&t.q));
	CHECK(!virtq_wants_interrupt(&t.q));
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
}

static void test_a_chain_can_be_taken_again(void)
{
	started();
	desc_put(0, DATA, 4, 0, 0);
	avail_put(0, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	virtq_undo(&t.q);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
}

static void test_the_index_wraps(void)
{
	started();
	desc_put(0, DATA, 4, 0, 0);
	t.q.next = t.q.done = t.q.told = 0xffff;
	avail_put(0xffff, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	virtq_push(&t.q, 0, 0);
	CHECK_INT(used16(2), 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
}

static void test_the_driver_is_told_when_it_asked(void)
{
	uint16_t event = 1;

	started();
	t.q.event_idx = true;
	desc_put(0, DATA, 4, 0, 0);
	memcpy(t.ram + AVAIL + 4 + 2 * SIZE, &event, 2);
	for (uint16_t i = 0; i < 3; i++) {
		avail_put(i, 0);
		CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
		virtq_push(&t.q, 0, 0);
		CHECK_INT(virtq_wants_interrupt(&t.q), i == 1);
	}
	/* and we ask for the next buffer as soon as there is none */
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
	CHECK_INT(used16(4 + 8 * SIZE), 3);
}

/* What the driver has seen is certain only where it says how far it has looked. */
static void test_what_the_driver_has_seen(void)
{
	uint16_t looked = 1;

	setup();
	CHECK(virtq_is_seen(&t.q));
	started();
	CHECK(!virtq_is_seen(&t.q));
	t.q.event_idx = true;
	CHECK(virtq_is_seen(&t.q));
	desc_put(0, DATA, 4, 0, 0);
	avail_put(0, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	CHECK(virtq_is_seen(&t.q));
	virtq_push(&t.q, 0, 0);
	CHECK(!virtq_is_seen(&t.q));
	memcpy(t.ram + AVAIL + 4 + 2 * SIZE, &looked, 2);
	CHECK(virtq_is_seen(&t.q));
}

/* A clone's page is its template's until something else is written to it. */
static void test_what_is_there_is_not_written_again(void)
{
	started();
	t.q.event_idx = true;
	t.q.next = 3;
	avail_put(2, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
	CHECK_INT(used16(4 + 8 * SIZE), 3);
	CHECK(mprotect(t.ram, RAM, PROT_READ) == 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
	CHECK(mprotect(t.ram, RAM, PROT_READ | PROT_WRITE) == 0);
}

/* Sizes and addresses at enabling. */
static void test_bad_measures_are_refused(void)
{
	static const struct {
		uint32_t size;
		uint64_t desc, avail, used;
	} bad[] = {
		{ 0, DESC, AVAIL, USED },
		{ 3, DESC, AVAIL, USED },
		{ SIZE * 2, DESC, AVAIL, USED },
		{ 0x10008, DESC, AVAIL, USED },
		{ 0x80000000, DESC, AVAIL, USED },
		{ SIZE, DESC + 8, AVAIL, USED },
		{ SIZE, DESC, AVAIL + 1, USED },
		{ SIZE, DESC, AVAIL, USED + 2 },
		{ SIZE, RAM, AVAIL, USED },
		{ SIZE, RAM - 16, AVAIL, USED },
		{ SIZE, DESC, RAM - 16, USED },
		{ SIZE, DESC, AVAIL, RAM - 64 },
		{ SIZE, 0xfffffffffffffff0, AVAIL, USED },
		{ SIZE, DESC, 0xfffffffffffffffe, USED },
		{ SIZE, DESC, AVAIL, 0xfffffffffffffffc },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup();
		t.q.size = bad[i].size;
		t.q.desc_gpa = bad[i].desc;
		t.q.avail_gpa = bad[i].avail;
		t.q.used_gpa = bad[i].used;
		tap_check(!virtq_enable(&t.q), __FILE__, __LINE__, "case %zu", i);
		CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_EMPTY);
	}
}

static void test_the_used_ring_is_not_in_read_only_memory(void)
{
	setup();
	t.vm.slots[0].read_only = true;
	CHECK(!virtq_enable(&t.q));
}

static void expect_broken(int line)
{
	tap_check(virtq_next(&t.q, &t.chain) == VIRTQ_BROKEN, __FILE__, line, "broken");
	/* and for ever after, whatever stands there now */
	desc_put(0, DATA, 4, 0, 0);
	avail_put(0, 0);
	tap_check(virtq_next(&t.q, &t.chain) == VIRTQ_BROKEN, __FILE__, line, "still broken");
	tap_check_int((long long)t.vm.stats->broken, 1, __FILE__, line, "counted");
	virtq_push(&t.q, 0, 4);
	tap_check_int(used16(2), 0, __FILE__, line, "nothing is written to it");
}

static void test_bad_chains_break_the_queue(void)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} bad[] = {
		{ RAM, 4, 0, 0 },
		{ RAM - 2, 4, 0, 0 },
		{ 0xffffffffffffffff, 4, 0, 0 },
		{ 0xfffffffffffffffe, 4, 0, 0 },
		{ DATA, 0xffffffff, 0, 0 },
		{ DATA, 0, 0, 0 },
		{ DATA, 4, VRING_DESC_F_INDIRECT, 0 },
		{ DATA, 4, VRING_DESC_F_NEXT, 0 }, /* itself */
		{ DATA, 4, VRING_DESC_F_NEXT, SIZE }, /* beyond the table */
		{ DATA, 4, VRING_DESC_F_NEXT, 0xffff },
		{ DATA, 4, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1 }, /* read after write */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		started();
		desc_put(0, bad[i].addr, bad[i].len, bad[i].flags, bad[i].next);
		desc_put(1, DATA, 4, 0, 0);
		avail_put(0, 0);
		expect_broken(__LINE__);
	}
}

static void test_a_head_beyond_the_table_breaks_the_queue(void)
{
	started();
	avail_put(0, SIZE);
	expect_broken(__LINE__);
}

static void test_a_loop_of_all_breaks_the_queue(void)
{
	started();
	for (uint16_t i = 0; i < SIZE; i++)
		desc_put(i, DATA, 4, VRING_DESC_F_NEXT, (uint16_t)((i + 1) % SIZE));
	avail_put(0, 0);
	expect_broken(__LINE__);
}

static void test_more_buffers_than_fit_break_the_queue(void)
{
	started();
	desc_put(0, DATA, 4, 0, 0);
	avail_put(SIZE, 0); /* SIZE + 1 waiting */
	expect_broken(__LINE__);
}

static void test_a_full_chain_is_taken(void)
{
	started();
	for (uint16_t i = 0; i < SIZE; i++)
		desc_put(i, DATA + i, 1, i == SIZE - 1 ? 0 : VRING_DESC_F_NEXT, (uint16_t)(i + 1));
	avail_put(0, 0);
	CHECK_INT(virtq_next(&t.q, &t.chain), VIRTQ_CHAIN);
	CHECK_INT(t.chain.readable, SIZE);
	CHECK_INT(t.chain.readable_bytes, SIZE);
}

/* The other processor of the guest: the same descriptor is good now, and then it is not. */
static void *driver_lies(void *stop)
{
	volatile struct vring_desc *d = (volatile struct vring_desc *)(void *)(t.ram + DESC);
	static const uint64_t addresses[] = { DATA, RAM - 1, UINT64_MAX, 0, VM_GAP_END };
	static const uint32_t sizes[] = { 4, RAM, UINT32_MAX, 0, 16 };

	for (unsigned int i = 0; !atomic_load((atomic_bool *)stop); i++) {
		d[0].addr = addresses[i % 5];
		d[0].len = sizes[i / 5 % 5];
		d[0].flags = (uint16_t)(i / 25 % 4);
		d[0].next = (uint16_t)(i / 100 % (SIZE + 2));
		d[1].addr = addresses[i / 3 % 5];
		d[1].len = sizes[i % 5];
	}
	return NULL;
}

static bool chain_is_inside(void)
{
	size_t readable = 0, writable = 0;

	for (unsigned int i = 0; i < t.chain.readable + t.chain.writable; i++) {
		const uint8_t *at = t.chain.parts[i].iov_base;
		size_t size = t.chain.parts[i].iov_len;

		if (at < t.ram || at >= t.ram + RAM || size == 0 || size > (size_t)(t.ram + RAM - at))
			return false;
		*(i < t.chain.readable ? &readable : &writable) += size;
	}
	return readable == t.chain.readable_bytes && writable == t.chain.writable_bytes;
}

/* What is judged is what is used: each descriptor is fetched once, and its copy counts. */
static void test_a_descriptor_that_changes_meanwhile(void)
{
	unsigned int taken = 0, broken = 0, outside = 0;
	atomic_bool stop = false;
	pthread_t liar;

	started();
	avail_put(0, 0);
	CHECK_INT(pthread_create(&liar, NULL, driver_lies, &stop), 0);
	/* long enough for both to run at once, or in turns on a machine with one processor */
	for (time_t end = time(NULL) + 3; time(NULL) < end;) {
		virtq_reset(&t.q, &t.vm, SIZE);
		t.q.size = SIZE;
		t.q.desc_gpa = DESC;
		t.q.avail_gpa = AVAIL;
		t.q.used_gpa = USED;
		if (!virtq_enable(&t.q))
			break;
		if (virtq_next(&t.q, &t.chain) == VIRTQ_CHAIN) {
			taken++;
			outside += !chain_is_inside();
		} else {
			broken++;
		}
	}
	atomic_store(&stop, true);
	(void)pthread_join(liar, NULL);
	CHECK(taken > 0 && broken > 0);
	CHECK_INT(outside, 0);
}

static void test_a_slice_of_the_parts(void)
{
	char a[4], b[4], c[4];
	const struct iovec parts[] = { { a, 4 }, { b, 4 }, { c, 4 } };
	struct iovec got[3];

	CHECK_INT(virtq_slice(parts, 3, 0, 12, got), 3);
	CHECK_INT(virtq_slice(parts, 3, 5, 4, got), 2);
	CHECK(got[0].iov_base == b + 1 && got[0].iov_len == 3);
	CHECK(got[1].iov_base == c && got[1].iov_len == 1);
	CHECK_INT(virtq_slice(parts, 3, 8, 100, got), 1);
	CHECK_INT(virtq_slice(parts, 3, 12, 1, got), 0);
	CHECK_INT(virtq_slice(parts, 3, 0, 0, got), 0);
}

static void test_the_door_to_guest_memory(void)
{
	setup();
	t.vm.slots[1] = (struct vm_slot){
		.gpa = VM_GAP_END,
		.size = 0x1000,
		.host = t.ram,
		.read_only = true,
	};
	t.vm.slot_count = 2;
	CHECK(vm_guest(&t.vm, 0, RAM, VM_WRITE) == t.ram);
	CHECK(vm_guest(&t.vm, RAM - 1, 1, VM_WRITE) == t.ram + RAM - 1);
	CHECK(vm_guest(&t.vm, 0, RAM + 1, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, RAM - 1, 2, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, RAM, 1, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, 1, UINT64_MAX, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, UINT64_MAX, 1, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, VM_GAP_END - 1, 2, VM_READ) == NULL);
	CHECK(vm_guest(&t.vm, VM_GAP_END, 0x1000, VM_READ) == t.ram);
	CHECK(vm_guest(&t.vm, VM_GAP_END, 1, VM_WRITE) == NULL);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_chain_is_taken_and_given_back),
		TEST(test_a_chain_can_be_taken_again),
		TEST(test_the_index_wraps),
		TEST(test_the_driver_is_told_when_it_asked),
		TEST(test_what_the_driver_has_seen),
		TEST(test_what_is_there_is_not_written_again),
		TEST(test_bad_measures_are_refused),
		TEST(test_the_used_ring_is_not_in_read_only_memory),
		TEST(test_bad_chains_break_the_queue),
		TEST(test_a_head_beyond_the_table_breaks_the_queue),
		TEST(test_a_loop_of_all_breaks_the_queue),
		TEST(test_more_buffers_than_fit_break_the_queue),
		TEST(test_a_full_chain_is_taken),
		TEST(test_a_descriptor_that_changes_meanwhile),
		TEST(test_a_slice_of_the_parts),
		TEST(test_the_door_to_guest_memory),
		{ 0 },
	});
}
