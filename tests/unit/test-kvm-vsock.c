/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bell (runtime/kvm/birth.h) and who waits for it: a clone's agent rings twice, that it rests and that it listens. The test is
 * driver, agent and the loop's thread.
 */
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/birth.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/vsock.h"
#include "tests/unit/tap.h"
#include "tests/unit/virtio-driver.h"

enum { RAM = 2 << 20, QUEUE_AT = 0x10000, QUEUE_STEP = 0x4000, DATA = 0x80000, SIZE = 8, CID = 77, PORT = 700 };

static struct {
	struct vm vm;
	struct loop loop;
	struct bus memory;
	struct birth birth;
	struct device device;
	struct vsock *vsock;
	uint8_t *page, *ram;
	int kvm, listener, client, interrupted, irq_fd;
	unsigned int kicks;
} t = { .kvm = -1 };

static bool held(int r)
{
	return tap_check(r >= 0, __FILE__, __LINE__, "%s", r < 0 ? fail_text() : "");
}

static void kicked(void *argument)
{
	(void)argument;
	t.kicks++;
}

static void put(unsigned int offset, uint32_t value)
{
	driver_put(&t.memory, offset, value);
}

static void command(uint32_t value)
{
	CHECK(bus_write(&t.memory, BIRTH_BASE + BIRTH_COMMAND, &value, sizeof(value)));
}

/* One buffer of 64 bytes in each queue that the device fills. */
static void driver_ok(void)
{
	put(VIRTIO_MMIO_STATUS, 0);
	put(VIRTIO_MMIO_STATUS, 3);
	put(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	put(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	put(VIRTIO_MMIO_STATUS, 11);
	for (unsigned int i = 0; i < VSOCK_QUEUES; i++) {
		const struct vring_desc desc = { .addr = DATA + i * 64, .len = 64, .flags = VRING_DESC_F_WRITE };
		const uint16_t one = i != VSOCK_QUEUE_TX;
		uint32_t at = QUEUE_AT + i * QUEUE_STEP;

		memcpy(t.ram + at, &desc, sizeof(desc));
		memcpy(t.ram + at + 0x1000 + 2, &one, sizeof(one));
		driver_queue(&t.memory, i, SIZE, at);
	}
	put(VIRTIO_MMIO_STATUS, 15);
	CHECK(virtio_enter(&t.vsock->v));
	virtio_leave(&t.vsock->v);
}

static bool begin(enum birth_how how)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	const struct birth_page fill = { .how = how, .cid = CID };
	struct vm_device_config config = { .cid = CID };
	struct device_place place = { .vm = &t.vm, .loop = &t.loop, .memory = &t.memory, .birth = &t.birth };

	if (t.kvm < 0)
		t.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (t.kvm < 0) {
		tap_skip("no /dev/kvm");
		return false;
	}
	t.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	t.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	t.interrupted = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t.kicks = 0;
	memset(&t.memory, 0, sizeof(t.memory));
	if (!t.page)
		t.page = mmap(NULL, VIRTIO_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	virtio_page_init(t.page);
	place.page = t.page;
	config.fd[0] = t.listener;
	/* an address of the kernel's choice, in the abstract name space */
	if (!CHECK(bind(t.listener, (const struct sockaddr *)&any, sizeof(any.sun_family)) == 0 && listen(t.listener, 8) == 0) ||
	    !held(vm_init(&t.vm, t.kvm)) || !held(vm_ram_add(&t.vm, RAM)) || !held(irq_routes_set(&t.vm)) ||
	    !held(loop_init(&t.loop, t.vm.end_fd)) || !held(birth_add(&t.birth, &t.vm, &t.memory, &fill)) ||
	    !held(vsock_new(&place, &config, &t.device)))
		return false;
	t.vm.vcpus_kick = kicked;
	t.ram = vm_guest(&t.vm, 0, RAM, VM_WRITE);
	t.vsock = t.device.self;
	t.irq_fd = t.vsock->v.irq_fd;
	driver_ok();
	t.vsock->v.irq_fd = t.interrupted;
	t.vsock->v.restored = how == BIRTH_CLONE;
	return true;
}

static void end(void)
{
	t.vsock->v.irq_fd = t.irq_fd;
	t.device.free(t.device.self);
	loop_done(&t.loop);
	vm_done(&t.vm);
	birth_done(&t.birth);
	(void)close(t.listener);
	(void)close(t.client);
	(void)close(t.interrupted);
}

/* Somebody on the host asks for a stream, and would wait. */
static void host_calls(void)
{
	const struct vsock_hello hello = { .magic = VSOCK_HELLO_MAGIC, .port = PORT, .flags = VSOCK_WAIT };
	struct sockaddr_un at;
	socklen_t size = sizeof(at);

	CHECK(getsockname(t.listener, (struct sockaddr *)&at, &size) == 0);
	CHECK(connect(t.client, (const struct sockaddr *)&at, size) == 0);
	CHECK(write(t.client, &hello, sizeof(hello)) == sizeof(hello));
	t.vsock->listener.ready(&t.vsock->listener, EPOLLIN);
	t.vsock->streams[0].source.ready(&t.vsock->streams[0].source, EPOLLIN);
	CHECK_INT(t.vsock->streams[0].state, VSOCK_WAITING);
}

static void bell_hear(void)
{
	t.vsock->bell.ready(&t.vsock->bell, EPOLLIN);
}

/* Buffers of this queue that the guest has got back. */
static unsigned int used(unsigned int queue)
{
	uint16_t index;

	memcpy(&index, t.ram + QUEUE_AT + queue * QUEUE_STEP + 0x2000 + 2, sizeof(index));
	return index;
}

static bool was_interrupted(void)
{
	return event_take(t.interrupted);
}

/* It goes on, and its driver is told that it has another number. */
static void check_called(void)
{
	uint32_t id;

	CHECK_INT(vm_rest(&t.vm), VM_REST_OVER);
	CHECK_INT(used(VSOCK_QUEUE_EVENTS), 1);
	memcpy(&id, t.ram + DATA + VSOCK_QUEUE_EVENTS * 64, sizeof(id));
	CHECK_INT(id, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	CHECK(was_interrupted());
	CHECK_INT(t.kicks, 1);
	/* and of the stream it hears when it listens */
	CHECK_INT(used(VSOCK_QUEUE_RX), 0);
}

/* It is another machine, listens, and hears of the stream. */
static void check_answers(void)
{
	struct virtio_vsock_hdr header;

	command(BIRTH_DONE);
	command(BIRTH_LISTEN);
	bell_hear();
	CHECK_INT(used(VSOCK_QUEUE_RX), 1);
	memcpy(&header, t.ram + DATA + VSOCK_QUEUE_RX * 64, sizeof(header));
	CHECK_INT(header.op, VIRTIO_VSOCK_OP_REQUEST);
	CHECK_INT((long long)header.dst_cid, CID);
	CHECK_INT(header.dst_port, PORT);
	CHECK(was_interrupted());
}

static void test_a_clone_rests_until_a_stream_waits(void)
{
	if (!begin(BIRTH_CLONE))
		return;
	command(BIRTH_WAIT);
	bell_hear();
	CHECK_INT(vm_rest(&t.vm), VM_REST_NOW);
	CHECK_INT(t.kicks, 1);
	CHECK(!was_interrupted());
	host_calls();
	check_called();
	check_answers();
	CHECK_INT(t.kicks, 1);
	end();
}

static void test_a_stream_that_was_there_before(void)
{
	if (!begin(BIRTH_CLONE))
		return;
	host_calls();
	CHECK_INT(vm_rest(&t.vm), VM_REST_AHEAD);
	CHECK_INT(used(VSOCK_QUEUE_EVENTS), 0);
	command(BIRTH_WAIT);
	bell_hear();
	check_called();
	check_answers();
	end();
}

/* Otherwise the ring would be taken for the next one, and the other processors would not be kicked. */
static void test_nothing_calls_it_before_its_ring_is_heard(void)
{
	if (!begin(BIRTH_CLONE))
		return;
	command(BIRTH_WAIT);
	host_calls();
	CHECK_INT(vm_rest(&t.vm), VM_REST_NOW);
	CHECK_INT(used(VSOCK_QUEUE_EVENTS), 0);
	bell_hear();
	check_called();
	end();
}

static void test_a_machine_that_boots_rings_once(void)
{
	if (!begin(BIRTH_COLD))
		return;
	command(BIRTH_WAIT);
	CHECK_INT(t.vm.stats->refused, 1);
	CHECK_INT(vm_rest(&t.vm), VM_REST_AHEAD);
	command(BIRTH_LISTEN);
	bell_hear();
	CHECK_INT(t.vm.stats->said_hello, 1);
	CHECK_INT(t.kicks, 0);
	CHECK_INT(used(VSOCK_QUEUE_EVENTS), 0);
	end();
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_clone_rests_until_a_stream_waits),
		TEST(test_a_stream_that_was_there_before),
		TEST(test_nothing_calls_it_before_its_ring_is_heard),
		TEST(test_a_machine_that_boots_rings_once),
		{ 0 },
	});
}
