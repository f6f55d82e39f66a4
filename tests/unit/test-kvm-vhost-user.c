/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk of ours is served to somebody who speaks as QEMU does, over a real socket: a buffer comes through a ring in
 * shared memory, and what a hypervisor may not ask ends the machine. And QEMU's command line.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/kvm/qemu.h"
#include "runtime/kvm/vhost-user.h"
#include "tests/unit/tap.h"

enum {
	DISK = 1 << 20,
	MEMORY = 1 << 20,
	RING = 8,
	DESC = 0x1000,
	AVAIL = 0x2000,
	USED = 0x3000,
	DATA = 0x4000,
};
#define ADDRESS 0x7f0000000000ULL /* where the other side has its memory, it says */

static struct vm machine;
static struct loop loop;
static struct vhost_user user;
static uint8_t *memory;
static int peer, disk, memory_fd, kick, call;

static void begin(void)
{
	static uint8_t page[VIRTIO_PAGE];
	int pair[2] = { -1, -1 };
	const struct device_place place = { .vm = &user.vm, .loop = &loop, .page = page };
	struct vm_device_config config = { .kind = VM_DEVICE_BLK, .tag = "serial" };

	CHECK_INT(vm_begin(&machine), 0);
	CHECK_INT(loop_init(&loop, machine.end_fd), 0);
	user = (struct vhost_user){ .source.fd = -1, .vm = { .fd = -1, .end_fd = -1, .stats = machine.stats } };
	disk = config.fd[0] = memfd_create("disk", MFD_CLOEXEC);
	CHECK_INT(ftruncate(disk, DISK), 0);
	CHECK_INT(blk_new(&place, &config, &user.device), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_INT(vhost_user_init(&user, &loop, pair[0], &machine), 0);
	peer = pair[1];
	memory_fd = memfd_create("memory", MFD_CLOEXEC);
	CHECK_INT(ftruncate(memory_fd, MEMORY), 0);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	kick = eventfd(0, EFD_NONBLOCK);
	call = eventfd(0, EFD_NONBLOCK);
}

static void end(void)
{
	vhost_user_done(&user);
	loop_done(&loop);
	vm_done(&machine);
	(void)munmap(memory, MEMORY);
	for (int *fd = (int[]){ peer, disk, memory_fd, kick, call, -1 }; *fd >= 0; fd++)
		(void)close(*fd);
}

/* @fd: sent along, or -1 */
static void say(uint32_t request, const void *payload, uint32_t size, int fd)
{
	uint8_t text[512];
	const uint32_t head[3] = { request, 1, size };
	union fd_message room;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(head) + size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	memcpy(text, head, sizeof(head));
	if (size > 0)
		memcpy(text + sizeof(head), payload, size);
	fd_message_put(&message, &room, &fd, fd >= 0);
	CHECK_INT(sendmsg(peer, &message, MSG_NOSIGNAL), (long long)part.iov_len);
	user.source.ready(&user.source, EPOLLIN);
}

static void say_u64(uint32_t request, uint64_t value, int fd)
{
	say(request, &value, sizeof(value), fd);
}

static void say_number(uint32_t request, uint32_t index, uint32_t value)
{
	say(request, (uint32_t[]){ index, value }, 8, -1);
}

/* The answer's payload into @ret. Return: its size. */
static int answer(void *ret, size_t size)
{
	uint32_t head[3] = { 0 };

	CHECK_INT(recv(peer, head, sizeof(head), MSG_DONTWAIT), sizeof(head));
	CHECK_INT(head[1], 5); /* version 1, a reply */
	CHECK(head[2] <= size);
	return head[2] <= size ? (int)recv(peer, ret, head[2], MSG_DONTWAIT) : -1;
}

static void say_memory(int fd)
{
	const struct {
		uint32_t count, padding;
		uint64_t gpa, size, address, offset;
	} table = { 1, 0, 0, MEMORY, ADDRESS, 0 };

	say(5, &table, sizeof(table), fd);
}

static void say_ring(uint64_t desc)
{
	const struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addresses = { 0, 0, desc, ADDRESS + USED, ADDRESS + AVAIL, 0 };

	say_number(8, 0, RING);
	say_number(10, 0, 0);
	say(9, &addresses, sizeof(addresses), -1);
	say_u64(13, 0, call);
	say_u64(12, 0, kick);
}

/* One request for the disk's serial number, in three pieces. */
static void request_put(void)
{
	struct vring_desc *desc = (struct vring_desc *)(void *)(memory + DESC);
	uint16_t *avail = (uint16_t *)(void *)(memory + AVAIL);
	const struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_GET_ID };

	memcpy(memory + DATA, &header, sizeof(header));
	memory[DATA + 0x200] = 0xff;
	desc[0] = (struct vring_desc){ DATA, sizeof(header), VRING_DESC_F_NEXT, 1 };
	desc[1] = (struct vring_desc){ DATA + 0x100, VIRTIO_BLK_ID_BYTES, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2 };
	desc[2] = (struct vring_desc){ DATA + 0x200, 1, VRING_DESC_F_WRITE, 0 };
	avail[2 + avail[1] % RING] = 0;
	avail[1]++;
}

static void agree(void)
{
	uint64_t offered = 0;

	say(1, NULL, 0, -1);
	CHECK_INT(answer(&offered, sizeof(offered)), 8);
	CHECK(offered >> 30 & 1);
	say_u64(2, offered & ~(1ULL << VIRTIO_RING_F_EVENT_IDX), -1);
	say_memory(memory_fd);
}

static void test_a_ring_in_shared_memory_is_served(void)
{
	uint32_t number[2] = { 0, 9 };
	uint64_t count = 0;

	begin();
	agree();
	request_put();
	say_ring(ADDRESS + DESC);
	CHECK_INT(((uint16_t *)(void *)(memory + USED))[1], 0); /* not before it is enabled */
	say_number(18, 0, 1);
	CHECK_INT(((uint16_t *)(void *)(memory + USED))[1], 1); /* put there before anybody was asked */
	CHECK_INT(memory[DATA + 0x200], VIRTIO_BLK_S_OK);
	CHECK_STR((char *)memory + DATA + 0x100, "serial");
	CHECK_INT(read(call, &count, sizeof(count)), 8);

	request_put();
	count = 1;
	CHECK_INT(write(kick, &count, sizeof(count)), 8);
	user.device.virtio->queues[0].kick.ready(&user.device.virtio->queues[0].kick, EPOLLIN);
	CHECK_INT(((uint16_t *)(void *)(memory + USED))[1], 2);

	say(11, number, 8, -1); /* stop: where was it? */
	CHECK_INT(answer(number, sizeof(number)), 8);
	CHECK_INT(number[1], 2);
	say_ring(ADDRESS + DESC);
	CHECK_INT(machine.end, VM_END_NONE);
	end();
}

static void test_a_configuration_is_told(void)
{
	uint8_t text[12 + 256];
	uint64_t sectors;

	begin();
	say(24, (uint32_t[3 + 2]){ 0, 8, 0 }, 20, -1);
	CHECK_INT(answer(text, sizeof(text)), 20);
	memcpy(&sectors, text + 12, sizeof(sectors));
	CHECK_INT((long long)sectors, DISK / 512);
	end();
}

static void ended(void)
{
	CHECK_INT(machine.end, VM_END_MONITOR);
	end();
}

static void test_what_a_hypervisor_may_not_ask_ends_the_machine(void)
{
	begin(), say(99, NULL, 0, -1), ended();
	begin(), say(6, NULL, 0, -1), ended(); /* a log of writes was not offered */
	begin(), say_u64(2, 1ULL << 63, -1), ended();
	begin(), say_u64(16, 1ULL << 5, -1), ended();
	begin(), say(24, (uint32_t[]){ 200, 57, 0 }, 12, -1), ended();
	begin(), say(24, (uint32_t[]){ UINT32_MAX, 8, 0 }, 12, -1), ended();
	begin(), say_memory(-1), ended();
	begin(), say_number(8, 1, RING), ended(); /* there is one ring */
	begin(), say_u64(12, 1 << 8, -1), ended(); /* polling */
	begin(), say_u64(12, 0, -1), ended();
	begin(), say(9, (uint32_t[]){ 0, 0 }, 8, -1), ended(); /* too short */
}

static void test_rings_stay_inside_the_memory_and_the_memory_where_it_is(void)
{
	begin(), agree(), say_ring(ADDRESS + MEMORY), say_number(18, 0, 1), ended();
	begin(), agree(), say_ring(ADDRESS - DESC), say_number(18, 0, 1), ended();
	begin(), agree(), say_ring(ADDRESS + MEMORY - 16), say_number(18, 0, 1), ended();
	begin(), say_ring(ADDRESS + DESC), ended(); /* no memory at all */
	begin(), agree(), say_ring(ADDRESS + DESC), say_number(18, 0, 1), say_memory(memory_fd), ended();
	begin(), (void)!ftruncate(memory_fd, MEMORY - 4096), say_memory(memory_fd), ended();
	begin(), agree(), say_ring(ADDRESS + DESC), say_number(18, 0, 1), say_number(8, 0, 4), ended();
}

static void test_who_hangs_up_is_no_failure(void)
{
	begin();
	CHECK_INT(shutdown(peer, SHUT_WR), 0);
	user.source.ready(&user.source, EPOLLIN);
	CHECK_INT(machine.end, VM_END_NONE);
	end();
}

/* Whether the words stand beside each other in the command line. */
static bool has_words(const struct str_list *list, const char *word, const char *start)
{
	for (size_t i = 0; i + 1 < list->count; i++)
		if (str_eq(list->items[i], word) && str_starts(list->items[i + 1], start))
			return true;
	return false;
}

static void test_the_command_line_says_what_the_machine_is(void)
{
	struct vm_config config = {
		.vcpus = 2, .memory = 64 << 20, .initrd_fd = 9, .serial_fd = -1, .cmdline = "quiet", .hypervisor = "/q",
		.hypervisor_kvm = 1, .hypervisor_parameter_count = 2, .hypervisor_parameters = "-name\0x", .device_count = 4,
		.devices = { { .kind = VM_DEVICE_VSOCK }, { .kind = VM_DEVICE_FS, .tag = "t" },
			     { .kind = VM_DEVICE_NET, .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = 1400 }, { .kind = VM_DEVICE_RNG } },
	};
	struct str_list list = { .items = NULL };

	CHECK_INT(qemu_command(&config, &list), 0);
	CHECK_STR(list.items[0], "/q");
	CHECK(has_words(&list, "-smp", "2"));
	CHECK(has_words(&list, "-m", "64M"));
	CHECK(has_words(&list, "-accel", "kvm"));
	CHECK(has_words(&list, "-append", "quiet"));
	CHECK(has_words(&list, "-device", "vhost-user-fs-device,chardev=c1,tag=t"));
	CHECK(has_words(&list, "-netdev", "tap,id=n2,fd=7,"));
	CHECK(has_words(&list, "-device", "virtio-net-device,netdev=n2,mac=02:00:00:00:00:01,host_mtu=1400"));
	CHECK_STR(list.items[list.count - 2], "-name");
	CHECK_STR(list.items[list.count - 1], "x");
	str_list_done(&list);

	config.hypervisor_kvm = 0;
	CHECK_INT(qemu_command(&config, &list), 0);
	CHECK(has_words(&list, "-accel", "tcg"));
	CHECK(has_words(&list, "-append", "quiet tsc_early_khz="));
	str_list_done(&list);

	config.devices[3].kind = VM_DEVICE_PMEM;
	CHECK(qemu_command(&config, &list) < 0);
	str_list_done(&list);
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_ring_in_shared_memory_is_served),
		TEST(test_a_configuration_is_told),
		TEST(test_what_a_hypervisor_may_not_ask_ends_the_machine),
		TEST(test_rings_stay_inside_the_memory_and_the_memory_where_it_is),
		TEST(test_who_hangs_up_is_no_failure),
		TEST(test_the_command_line_says_what_the_machine_is),
		{ 0 },
	});
}
