/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every device against noise: its queues hold chains that are formally right, over memory that is
 * random, and the device must do something harmless with them. The sanitizers judge; the test looks
 * at what a guest must not reach: read-only files, and a disk's size. The seed is fixed.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"
#include "tests/unit/tap.h"
#include "tests/unit/virtio-driver.h"

enum { RAM = 2 << 20, QUEUE_AT = 0x10000, QUEUE_STEP = 0x4000, DATA = 0x80000, SIZE = 8 };
enum { ROUNDS = 3000, DISK = 64 * 512 };

static struct {
	struct vm vm;
	struct loop loop;
	struct bus memory;
	struct device device;
	struct virtio *v; /* the device's: its first member, as each of them has it */
	uint8_t *page, *ram;
	uint16_t next[VIRTIO_QUEUES_MAX];
	uint64_t state;
	int kvm;
} t = { .kvm = -1 };

static uint64_t noise(void)
{
	t.state ^= t.state << 13;
	t.state ^= t.state >> 7;
	t.state ^= t.state << 17;
	return t.state;
}

static bool held(int r)
{
	return tap_check(r >= 0, __FILE__, __LINE__, "%s", r < 0 ? fail_text() : "");
}

static bool machine_new(void)
{
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
	t.state = 88172645463325252ULL;
	if (!held(vm_init(&t.vm, t.kvm)) || !held(vm_ram_add(&t.vm, RAM)) ||
	    !held(irq_routes_set(&t.vm)) || !held(loop_init(&t.loop, t.vm.end_fd)))
		return false;
	t.ram = vm_guest(&t.vm, 0, RAM, VM_WRITE);
	return true;
}

static void machine_end(void)
{
	t.device.free(t.device.self);
	loop_done(&t.loop);
	vm_done(&t.vm);
}

static void put(unsigned int offset, uint32_t value)
{
	driver_put(&t.memory, offset, value);
}

static void driver_ok(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)t.v->features);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(t.v->features >> 32));
	put(VIRTIO_MMIO_STATUS, 11);
	memset(t.ram + QUEUE_AT, 0, VIRTIO_QUEUES_MAX * QUEUE_STEP);
	memset(t.next, 0, sizeof(t.next));
	for (unsigned int i = 0; i < t.v->queue_count; i++)
		driver_queue(&t.memory, i, SIZE, QUEUE_AT + i * QUEUE_STEP);
	put(VIRTIO_MMIO_STATUS, 15);
	CHECK(virtio_enter(t.v));
	virtio_leave(t.v);
}

/* One to four descriptors, readable before writable, of sizes from 1 byte to 8 KiB. */
static void chain_put(unsigned int queue)
{
	uint8_t *at = t.ram + QUEUE_AT + queue * QUEUE_STEP;
	unsigned int count = 1 + noise() % 4, writable = noise() % 5;
	uint16_t head = 0, index;

	for (unsigned int i = 0; i < count; i++) {
		struct vring_desc desc = {
			.addr = DATA + noise() % 0x10000,
			.len = (uint32_t)(1 + (noise() & 1 ? noise() % 64 : noise() % 8192)),
			.flags = (uint16_t)((i + 1 < count ? VRING_DESC_F_NEXT : 0) |
					    (i >= writable ? VRING_DESC_F_WRITE : 0)),
			.next = (uint16_t)(i + 1),
		};

		memcpy(at + i * sizeof(desc), &desc, sizeof(desc));
	}
	memcpy(at + 0x1000 + 4 + 2 * (t.next[queue] % SIZE), &head, sizeof(head));
	index = ++t.next[queue];
	memcpy(at + 0x1000 + 2, &index, sizeof(index));
}

/* @shape makes the data at DATA resemble what the device expects. */
static void rounds(void (*shape)(uint8_t *at))
{
	driver_ok();
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int queue = noise() % t.v->queue_count;

		for (unsigned int i = 0; i < 64; i++) {
			uint64_t value = noise();

			memcpy(t.ram + DATA + noise() % 0x10000, &value, sizeof(value));
		}
		if (shape)
			for (unsigned int i = 0; i < 64; i++)
				shape(t.ram + DATA + noise() % 0x10000);
		chain_put(queue);
		t.v->queues[queue].kick.ready(&t.v->queues[queue].kick, 0);
		/* a device that holds buffers back for later fills its ring: begin anew */
		if (t.v->status != 15 || round % 8 == 7)
			driver_ok();
	}
}

static bool device_new(int (*new)(const struct device_place *, const struct vm_device_config *,
				  struct device *),
		       const struct vm_device_config *config)
{
	const struct device_place place = {
		.vm = &t.vm,
		.loop = &t.loop,
		.memory = &t.memory,
		.page = t.page,
	};

	virtio_page_init(t.page);
	if (!held(new (&place, config, &t.device)))
		return false;
	t.v = t.device.self;
	return true;
}

static void test_rng(void)
{
	const struct vm_device_config config = { .fd = { -1, -1 } };

	if (machine_new() && device_new(rng_new, &config)) {
		rounds(NULL);
		machine_end();
	}
}

static void test_balloon(void)
{
	const struct vm_device_config config = { .fd = { -1, -1 } };

	if (machine_new() && device_new(balloon_new, &config)) {
		rounds(NULL);
		machine_end();
	}
}

static void test_console(void)
{
	struct vm_device_config config = { .fd = { -1, -1 } };

	config.fd[0] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	config.fd[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (machine_new() && device_new(console_new, &config)) {
		rounds(NULL);
		machine_end();
	}
	(void)close(config.fd[0]);
	(void)close(config.fd[1]);
}

static void shape_blk(uint8_t *at)
{
	const struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header = { (uint32_t)(noise() % 14), 0, noise() % 80 };

	memcpy(at, &header, sizeof(header));
}

static void disk_tried(uint32_t flags)
{
	const struct vm_device_config config = { .fd = { memfd_create("disk", MFD_CLOEXEC), -1 },
						 .flags = flags };
	static uint8_t bytes[DISK], zeroes[DISK];
	struct stat st;

	CHECK(ftruncate(config.fd[0], DISK) == 0);
	if (machine_new() && device_new(blk_new, &config)) {
		rounds(shape_blk);
		CHECK(fstat(config.fd[0], &st) == 0 && st.st_size == DISK);
		CHECK(pread(config.fd[0], bytes, DISK, 0) == DISK);
		if (flags & VM_DEVICE_READ_ONLY)
			CHECK(memcmp(bytes, zeroes, DISK) == 0);
		machine_end();
	}
	(void)close(config.fd[0]);
}

static void test_blk(void)
{
	disk_tried(0);
}

static void test_blk_read_only(void)
{
	disk_tried(VM_DEVICE_READ_ONLY);
}

/* One request of four bytes, an answer of four. Return: the answer. */
static uint32_t pmem_ask(uint32_t type)
{
	uint8_t *at = t.ram + QUEUE_AT;
	const struct vring_desc chain[2] = {
		{ .addr = DATA, .len = sizeof(type), .flags = VRING_DESC_F_NEXT, .next = 1 },
		{ .addr = DATA + 16, .len = sizeof(type), .flags = VRING_DESC_F_WRITE },
	};
	uint16_t head = 0, index = (uint16_t)(t.next[0] + 1);
	uint32_t answer = 77;

	memcpy(at, chain, sizeof(chain));
	memcpy(t.ram + DATA, &type, sizeof(type));
	memcpy(t.ram + DATA + 16, &answer, sizeof(answer));
	memcpy(at + 0x1000 + 4 + 2 * (size_t)(t.next[0] % SIZE), &head, sizeof(head));
	memcpy(at + 0x1000 + 2, &index, sizeof(index));
	t.next[0] = index;
	CHECK(virtio_enter(t.v));
	t.v->ops->kick(t.v, 0);
	virtio_leave(t.v);
	memcpy(&answer, t.ram + DATA + 16, sizeof(answer));
	return answer;
}

static void test_pmem(void)
{
	const struct vm_device_config config = { .fd = { memfd_create("image", MFD_CLOEXEC), -1 },
						 .flags = VM_DEVICE_READ_ONLY };

	CHECK(ftruncate(config.fd[0], 12345) == 0);
	if (machine_new() && device_new(pmem_new, &config)) {
		uint64_t gpa;

		memcpy(&gpa, t.page + VIRTIO_MMIO_CONFIG, sizeof(gpa));
		CHECK(vm_guest(&t.vm, gpa, 2 << 20, VM_READ) != NULL);
		CHECK(vm_guest(&t.vm, gpa, 1, VM_WRITE) == NULL);
		rounds(NULL);
		driver_ok();
		CHECK_INT((long long)pmem_ask(0), 0); /* FLUSH */
		CHECK_INT((long long)pmem_ask(1), 1);
		machine_end();
	}
	(void)close(config.fd[0]);
}

static void shape_vsock(uint8_t *at)
{
	const struct virtio_vsock_hdr header = {
		.src_cid = 7,
		.dst_cid = 2,
		.src_port = 5,
		.dst_port = (uint32_t)(1024 + noise() % 4),
		.len = noise() & 1 ? (uint32_t)(noise() % 64) : (uint32_t)noise(),
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = (uint16_t)(noise() % 9),
		.flags = (uint32_t)(noise() % 4),
		.buf_alloc = (uint32_t)noise(),
		.fwd_cnt = (uint32_t)noise(),
	};

	memcpy(at, &header, sizeof(header));
}

static void test_vsock(void)
{
	const struct vm_device_config config = {
		.fd = { socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), -1 },
		.cid = 7,
	};
	const struct sockaddr_un any = { .sun_family = AF_UNIX };

	/* an address of the kernel's choice, in the abstract name space */
	CHECK(bind(config.fd[0], (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
	CHECK(listen(config.fd[0], 8) == 0);
	if (machine_new() && device_new(vsock_new, &config)) {
		rounds(shape_vsock);
		machine_end();
	}
	(void)close(config.fd[0]);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_rng),
		TEST(test_balloon),
		TEST(test_console),
		TEST(test_blk),
		TEST(test_blk_read_only),
		TEST(test_pmem),
		TEST(test_vsock),
		{ 0 },
	});
}
