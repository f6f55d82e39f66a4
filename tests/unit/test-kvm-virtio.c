/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register page, as a driver writes it and as a hostile one does. The test is the driver: it
 * writes registers through the bus as a vcpu would, and rings in guest memory. Notifications go
 * through the eventfds by a tiny guest in test-kvm-guest.c's manner where KVM has to be asked.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"
#include "tests/unit/tap.h"
#include "tests/unit/virtio-driver.h"

enum { DESC = 0x10000, AVAIL = DESC + DRIVER_AVAIL, DATA = 0x13000, SIZE = 16, QUEUES = 2 };

static struct {
	struct vm vm;
	struct loop loop;
	struct bus memory;
	struct virtio v;
	uint8_t *page;
	unsigned int kicks[QUEUES], starts, resets, chains;
	int kvm;
} t = { .kvm = -1 };

static void device_kick(struct virtio *v, unsigned int queue)
{
	t.kicks[queue]++;
	while (virtq_next(&v->queues[queue].q, &v->chain) == VIRTQ_CHAIN) {
		t.chains++;
		virtq_push(&v->queues[queue].q, v->chain.head, 0);
	}
	virtio_notify(v, queue);
}

static void device_start(struct virtio *v)
{
	(void)v;
	t.starts++;
}

static void device_reset(struct virtio *v)
{
	(void)v;
	t.resets++;
}

static const struct virtio_ops device_ops = { device_kick, device_start, device_reset };

static bool held(int r)
{
	return tap_check(r >= 0, __FILE__, __LINE__, "%s", r < 0 ? fail_text() : "");
}

static bool device_new(void)
{
	static const uint8_t config[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct virtio_setup setup = {
		.ops = &device_ops,
		.id = 42,
		.features = 1ULL << 5,
		.queue_count = QUEUES,
		.queue_size = SIZE,
		.config = config,
		.config_size = sizeof(config),
		.window_gpa = 0x140000000,
		.window_size = 0x200000,
	};

	if (t.kvm < 0)
		t.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (t.kvm < 0) {
		tap_skip("no /dev/kvm");
		return false;
	}
	if (!t.page)
		t.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	memset(&t.memory, 0, sizeof(t.memory));
	t.kicks[0] = t.kicks[1] = t.starts = t.resets = t.chains = 0;
	return held(vm_init(&t.vm, t.kvm)) && held(vm_ram_add(&t.vm, 2 << 20)) &&
	       held(irq_routes_set(&t.vm)) && held(loop_init(&t.loop, t.vm.end_fd)) &&
	       held(virtio_init(&t.v, &t.vm, &t.loop, &t.memory, 0, t.page, &setup));
}

static void device_end(void)
{
	virtio_done(&t.v);
	loop_done(&t.loop);
	vm_done(&t.vm);
}

static uint32_t get(unsigned int offset)
{
	uint32_t value;

	CHECK(bus_read(&t.memory, VM_DEVICES_BASE + offset, &value, 4));
	return value;
}

static void put(unsigned int offset, uint32_t value)
{
	driver_put(&t.memory, offset, value);
}

static unsigned long long refused(void)
{
	return t.vm.stats->refused;
}

/* Let the loop's thread do what waits: here it is this one. */
static void settle(void)
{
	(void)virtio_enter(&t.v);
	virtio_leave(&t.v);
}

static void kick(unsigned int queue)
{
	t.v.queues[queue].kick.ready(&t.v.queues[queue].kick, 0);
}

/* Of the first 32 features, what the driver takes. */
static uint32_t wanted;

static void features_agree(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(VIRTIO_MMIO_DRIVER_FEATURES, wanted);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1 << (VIRTIO_F_VERSION_1 - 32));
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK | 3);
}

static void queue_describe(unsigned int queue)
{
	driver_queue(&t.memory, queue, SIZE, DESC + queue * 0x10000);
}

static void driver_ok(void)
{
	features_agree();
	queue_describe(0);
	queue_describe(1);
	put(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | 3);
	settle();
}

static void buffer_put(uint16_t index)
{
	struct vring_desc desc = { .addr = DATA, .len = 4 };
	uint16_t next = (uint16_t)(index + 1);
	uint8_t *ram = vm_guest(&t.vm, 0, 2 << 20, VM_WRITE);

	memcpy(ram + DESC, &desc, sizeof(desc));
	memcpy(ram + AVAIL + 2, &next, 2);
}

static void test_a_driver_finds_and_starts_the_device(void)
{
	if (!device_new())
		return;
	CHECK_INT(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	CHECK_INT(get(VIRTIO_MMIO_VERSION), 2);
	CHECK_INT(get(VIRTIO_MMIO_DEVICE_ID), 42);
	CHECK_INT(get(VIRTIO_MMIO_DEVICE_FEATURES), 1 << 5 | 1 << VIRTIO_RING_F_EVENT_IDX);
	put(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	CHECK_INT(get(VIRTIO_MMIO_DEVICE_FEATURES), 1);
	CHECK_INT(get(VIRTIO_MMIO_CONFIG), 0x04030201);
	CHECK_INT(get(VIRTIO_MMIO_SHM_LEN_LOW), 0x200000);
	CHECK_INT(get(VIRTIO_MMIO_SHM_BASE_HIGH), 1);
	put(VIRTIO_MMIO_SHM_SEL, 1);
	CHECK_INT(get(VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	driver_ok();
	CHECK_INT(t.starts, 1);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 15);
	CHECK_INT(get(VIRTIO_MMIO_QUEUE_READY), 1);
	buffer_put(0);
	kick(0);
	CHECK_INT(t.chains, 1);
	CHECK_INT((long long)refused(), 0);
	device_end();
}

static void test_features_that_were_not_offered_are_refused(void)
{
	if (!device_new())
		return;
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1 << 6);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(VIRTIO_MMIO_STATUS, 11);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 3);
	/* and a driver that goes on all the same does not get the device */
	put(VIRTIO_MMIO_STATUS, 7);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 3);
	settle();
	CHECK_INT(t.starts, 0);
	device_end();
}

static void test_a_legacy_driver_is_refused(void)
{
	if (!device_new())
		return;
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_STATUS, 11);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 3);
	device_end();
}

static void test_features_are_frozen_once_agreed(void)
{
	unsigned long long before;

	if (!device_new())
		return;
	driver_ok();
	before = refused();
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	CHECK_INT((long long)(refused() - before), 1);
	CHECK(t.v.driver_features == 1ULL << VIRTIO_F_VERSION_1);
	device_end();
}

static void test_queues_are_frozen_once_enabled(void)
{
	static const unsigned int registers[] = {
		VIRTIO_MMIO_QUEUE_NUM,        VIRTIO_MMIO_QUEUE_DESC_LOW,
		VIRTIO_MMIO_QUEUE_DESC_HIGH,  VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_LOW,
		VIRTIO_MMIO_QUEUE_USED_HIGH,  VIRTIO_MMIO_QUEUE_READY,
	};
	struct virtq before;

	if (!device_new())
		return;
	features_agree();
	queue_describe(0);
	before = t.v.queues[0].q;
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		put(registers[i], 0x4000);
	CHECK(memcmp(&before, &t.v.queues[0].q, sizeof(before)) == 0);
	CHECK_INT((long long)refused(), 8);
	/* nor can one be added to a device that runs */
	put(VIRTIO_MMIO_STATUS, 15);
	queue_describe(1);
	CHECK(!t.v.queues[1].q.enabled);
	device_end();
}

static void test_queues_wait_for_the_features(void)
{
	if (!device_new())
		return;
	put(VIRTIO_MMIO_STATUS, 3);
	queue_describe(0);
	CHECK_INT(get(VIRTIO_MMIO_QUEUE_READY), 0);
	device_end();
}

static void test_a_bad_queue_does_not_become_ready(void)
{
	if (!device_new())
		return;
	features_agree();
	put(VIRTIO_MMIO_QUEUE_SEL, 0);
	put(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	put(VIRTIO_MMIO_QUEUE_DESC_LOW, 0xfffff000);
	put(VIRTIO_MMIO_QUEUE_READY, 1);
	CHECK_INT(get(VIRTIO_MMIO_QUEUE_READY), 0);
	put(VIRTIO_MMIO_QUEUE_SEL, QUEUES);
	CHECK_INT(get(VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	put(VIRTIO_MMIO_QUEUE_READY, 1);
	put(VIRTIO_MMIO_QUEUE_SEL, 0xffffffff);
	put(VIRTIO_MMIO_QUEUE_NUM, 1);
	CHECK_INT(get(VIRTIO_MMIO_QUEUE_READY), 0);
	device_end();
}

static void test_kicks_before_the_driver_is_ready_do_nothing(void)
{
	if (!device_new())
		return;
	kick(0);
	features_agree();
	queue_describe(0);
	buffer_put(0);
	kick(0);
	CHECK_INT(t.kicks[0], 0);
	device_end();
}

static void test_a_broken_queue_asks_for_a_reset(void)
{
	struct vring_desc bad = { .addr = UINT64_MAX, .len = 4 };

	if (!device_new())
		return;
	driver_ok();
	buffer_put(0);
	memcpy(vm_guest(&t.vm, DESC, sizeof(bad), VM_WRITE), &bad, sizeof(bad));
	kick(0);
	CHECK(get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	CHECK_INT(get(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	put(VIRTIO_MMIO_INTERRUPT_ACK, 2);
	CHECK_INT(get(VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	/* the other queue is off as well, until then */
	kick(1);
	CHECK_INT(t.kicks[1], 0);
	driver_ok();
	CHECK_INT(t.resets, 2);
	CHECK_INT(t.starts, 2);
	buffer_put(0);
	kick(0);
	CHECK_INT(t.chains, 1);
	device_end();
}

static void test_a_reset_between_kick_and_service(void)
{
	if (!device_new())
		return;
	driver_ok();
	buffer_put(0);
	put(VIRTIO_MMIO_STATUS, 0);
	kick(0);
	CHECK_INT(t.kicks[0], 0);
	CHECK_INT(t.resets, 2);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 0);
	CHECK_INT(get(VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	device_end();
}

/* Every offset, every width, aligned or not, in every state: nothing but the known registers moves. */
static void test_every_offset_in_every_width(void)
{
	if (!device_new())
		return;
	for (int state = 0; state < 2; state++) {
		if (state == 1)
			driver_ok();
		for (unsigned int offset = 0; offset < VIRTIO_PAGE; offset++)
			for (unsigned int size = 1; size <= 8; size *= 2) {
				uint64_t value = UINT64_MAX;

				if (offset == VIRTIO_MMIO_STATUS && size == 4)
					continue;
				(void)bus_write(&t.memory, VM_DEVICES_BASE + offset, &value, size);
				(void)bus_read(&t.memory, VM_DEVICES_BASE + offset, &value, size);
			}
	}
	settle();
	CHECK_INT(get(VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	CHECK_INT(get(VIRTIO_MMIO_CONFIG), 0x04030201);
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 15);
	CHECK(t.v.queues[0].q.enabled && t.v.queues[0].q.size == SIZE);
	CHECK(!bus_write(&t.memory, VM_DEVICES_BASE + VIRTIO_PAGE, &t.kvm, 4));
	device_end();
}

static void test_a_change_of_the_configuration_is_told(void)
{
	static const uint8_t now = 9;
	uint32_t generation;

	if (!device_new())
		return;
	driver_ok();
	generation = get(VIRTIO_MMIO_CONFIG_GENERATION);
	(void)virtio_enter(&t.v);
	virtio_config_set(&t.v, 3, &now, 1);
	virtio_leave(&t.v);
	CHECK_INT(get(VIRTIO_MMIO_CONFIG), 0x09030201);
	CHECK(get(VIRTIO_MMIO_CONFIG_GENERATION) != generation);
	CHECK_INT(get(VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	device_end();
}

/* Another machine with this one's memory, and a device that knows nothing yet. */
static bool device_anew(struct virtio_state *ret)
{
	static uint8_t ram[2 << 20];

	virtio_save(&t.v, ret);
	memcpy(ram, t.vm.ram, sizeof(ram));
	device_end();
	if (!device_new())
		return false;
	memcpy(t.vm.ram, ram, sizeof(ram));
	return true;
}

static void test_a_device_goes_on_from_a_saved_state(void)
{
	struct virtio_state state;

	if (!device_new())
		return;
	driver_ok();
	buffer_put(0);
	kick(0);
	/* the next was put into the queue, and nobody has looked yet */
	buffer_put(1);
	if (!device_anew(&state))
		return;
	CHECK(held(virtio_restore(&t.v, &state)));
	CHECK_INT(get(VIRTIO_MMIO_STATUS), 15);
	CHECK_INT(get(VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	CHECK(t.v.restored);
	settle();
	CHECK_INT(t.starts, 1);
	kick(0);
	CHECK_INT(t.chains, 1);
	put(VIRTIO_MMIO_STATUS, 0);
	CHECK(!t.v.restored);
	CHECK_INT((long long)refused(), 0);
	device_end();
}

/* Return: whether it interrupts its driver. */
static bool restore_tells(const struct virtio_state *state)
{
	int theirs = t.v.irq_fd, told = eventfd(0, EFD_NONBLOCK);
	bool was_told;

	t.v.irq_fd = told;
	CHECK(held(virtio_restore(&t.v, state)));
	t.v.irq_fd = theirs;
	was_told = event_take(told);
	(void)close(told);
	return was_told;
}

/* As few interrupts as can be, and none too few. */
static void test_only_what_was_not_seen_is_told_again(void)
{
	for (int i = 0; i < 3; i++) {
		bool knows = i > 0; /* by the event index, how far its driver has looked */
		uint16_t looked = i == 2;
		struct virtio_state state;

		if (!device_new())
			return;
		wanted = knows ? 1U << VIRTIO_RING_F_EVENT_IDX : 0;
		driver_ok();
		wanted = 0;
		buffer_put(0);
		kick(0);
		CHECK_INT(t.chains, 1);
		memcpy((uint8_t *)vm_guest(&t.vm, AVAIL, 4096, VM_WRITE) + 4 + 2 * SIZE, &looked, 2);
		if (!device_anew(&state))
			return;
		CHECK_INT(restore_tells(&state), i < 2);
		device_end();
	}
}

static void test_a_state_that_cannot_be_is_refused(void)
{
	struct virtio_state good, bad;

	if (!device_new())
		return;
	driver_ok();
	if (!device_anew(&good))
		return;
	for (int i = 0; i < 7; i++) {
		bad = good;
		switch (i) {
		case 0: bad.id++; break;
		case 1: bad.status = 7; break;
		case 2: bad.features ^= 1 << 7; break;
		case 3: bad.driver_features |= 1 << 7; break;
		case 4: bad.queues[0].size = 3; break;
		case 5: bad.queues[1].desc_gpa = 0x40000000; break;
		default: bad.queues[1].used_gpa = UINT64_MAX - 15; break;
		}
		if (!device_anew(&(struct virtio_state){ .id = 0 }))
			return;
		CHECK(virtio_restore(&t.v, &bad) < 0);
	}
	device_end();
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_driver_finds_and_starts_the_device),
		TEST(test_features_that_were_not_offered_are_refused),
		TEST(test_a_legacy_driver_is_refused),
		TEST(test_features_are_frozen_once_agreed),
		TEST(test_queues_are_frozen_once_enabled),
		TEST(test_queues_wait_for_the_features),
		TEST(test_a_bad_queue_does_not_become_ready),
		TEST(test_kicks_before_the_driver_is_ready_do_nothing),
		TEST(test_a_broken_queue_asks_for_a_reset),
		TEST(test_a_reset_between_kick_and_service),
		TEST(test_every_offset_in_every_width),
		TEST(test_a_change_of_the_configuration_is_told),
		TEST(test_a_device_goes_on_from_a_saved_state),
		TEST(test_only_what_was_not_seen_is_told_again),
		TEST(test_a_state_that_cannot_be_is_refused),
		{ 0 },
	});
}
