/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network card between a driver, whose part is ours, and a device of the kernel's in a network of the test's own. It needs
 * no KVM: what asks it for interrupts is replaced, as for the fuzzers.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/fuzz/machine.h"
#include "tests/unit/tap.h"

enum { TO_GUEST = 0, FROM_GUEST = 1, HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf), FRAME_MOST = 70000 };

static int device = -1, host = -1;
static uint8_t frame[FRAME_MOST];

/* Return: false: not here, and the test is skipped. */
static bool wire_make(void)
{
	struct ifreq request = { .ifr_name = "wire", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct sockaddr_ll wire = { .sll_family = AF_PACKET, .sll_protocol = htons(0x1234) };
	cleanup_fd int sock = -1;

	if (device >= 0)
		return true;
	if (unshare(CLONE_NEWNET | (geteuid() ? CLONE_NEWUSER : 0)) == 0)
		device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device < 0) {
		tap_skip("no network namespace of our own with a /dev/net/tun");
		return false;
	}
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(ioctl(device, TUNSETIFF, &request) == 0);
	request.ifr_mtu = 9000;
	CHECK(ioctl(sock, SIOCSIFMTU, &request) == 0);
	request.ifr_flags = IFF_UP;
	CHECK(ioctl(sock, SIOCSIFFLAGS, &request) == 0);
	wire.sll_ifindex = (int)if_nametoindex("wire");
	host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(0x1234));
	CHECK(bind(host, (struct sockaddr *)&wire, sizeof(wire)) == 0);
	return true;
}

static bool card_new(uint16_t mtu)
{
	const struct vm_device_config config = { .kind = VM_DEVICE_NET, .fd = { device, -1 }, .mac = { 2, 0, 0, 0, 0, 1 }, .mtu = mtu };
	struct device_place place;

	machine_new();
	place = machine_place();
	if (!CHECK(net_new(&place, &config, &machine.device) == 0))
		return false;
	machine.v = machine.device.self;
	machine_driver();
	return true;
}

/* A frame of a kind that only we use, so that the kernel's own packets are never taken for it; each byte tells its place. */
static void frame_make(uint8_t *at, uint32_t size)
{
	static const uint8_t header[ETHER_HDR_LEN] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x12, 0x34 };

	for (uint32_t i = 0; i < size; i++)
		at[i] = i < sizeof(header) ? header[i] : (uint8_t)(i * 7);
}

static uint16_t used_count(unsigned int queue)
{
	uint16_t value;

	memcpy(&value, machine.ram + QUEUE_AT + queue * QUEUE_STEP + USED + 2, sizeof(value));
	return value;
}

/* The @n-th buffer that came back. Return: where it is. */
static const uint8_t *used_get(unsigned int queue, unsigned int n, uint32_t *ret_size)
{
	const uint8_t *at = machine.ram + QUEUE_AT + queue * QUEUE_STEP;
	struct vring_used_elem used;
	struct vring_desc desc;

	memcpy(&used, at + USED + 4 + n % SIZE * sizeof(used), sizeof(used));
	memcpy(&desc, at + used.id % SIZE * sizeof(desc), sizeof(desc));
	*ret_size = used.len;
	return machine.ram + desc.addr;
}

/*
 * What the host sends until one of ours is there; the kernel may have put others of its own (router solicitations) before it,
 * so we look from the first buffer on.
 * Return: the place of the first buffer of the frame in the used ring, or -1.
 */
static int frame_find(void)
{
	for (int i = 0; i < 20; i++) {
		for (unsigned int n = 0; n < used_count(TO_GUEST); n++) {
			uint32_t size;
			const uint8_t *at = used_get(TO_GUEST, n, &size);

			if (size > HEADER + ETHER_HDR_LEN && at[HEADER + 12] == 0x12 && at[HEADER + 13] == 0x34)
				return (int)n;
		}
		machine_turn();
	}
	return -1;
}

static uint16_t buffers_said(const uint8_t *at)
{
	struct virtio_net_hdr_mrg_rxbuf header;

	memcpy(&header, at, sizeof(header));
	return header.num_buffers;
}

static void test_a_packet_for_the_guest_fills_one_buffer(void)
{
	const uint8_t *at;
	uint32_t size;
	int n;

	if (!wire_make() || !card_new(0))
		return;
	for (int i = 0; i < SIZE; i++)
		machine_buffer(TO_GUEST, NULL, 2000);
	machine_kick(TO_GUEST);
	frame_make(frame, 100);
	CHECK_INT(send(host, frame, 100, 0), 100);
	n = frame_find();
	if (CHECK(n >= 0)) {
		at = used_get(TO_GUEST, (unsigned int)n, &size);
		CHECK_INT(size, HEADER + 100);
		CHECK_INT(buffers_said(at), 1);
		CHECK(memcmp(at + HEADER, frame, 100) == 0);
	}
	machine_end();
}

static void test_a_large_one_is_spread_over_several(void)
{
	uint32_t size, done = 0;
	int n;

	if (!wire_make() || !card_new(0))
		return;
	for (int i = 0; i < SIZE; i++)
		machine_buffer(TO_GUEST, NULL, 1000);
	machine_kick(TO_GUEST);
	frame_make(frame, 2500);
	CHECK_INT(send(host, frame, 2500, 0), 2500);
	n = frame_find();
	if (CHECK(n >= 0)) {
		CHECK_INT(buffers_said(used_get(TO_GUEST, (unsigned int)n, &size)), 3);
		for (unsigned int i = 0; i < 3; i++) {
			const uint8_t *at = used_get(TO_GUEST, (unsigned int)n + i, &size);
			uint32_t skip = i ? 0 : HEADER;

			CHECK(memcmp(at + skip, frame + done, size - skip) == 0);
			done += size - skip;
		}
		CHECK_INT(done, 2500);
	}
	machine_end();
}

/* It waits, and no buffer is lost or used half. */
static void test_a_packet_waits_for_buffers(void)
{
	uint32_t size;
	int n;

	if (!wire_make() || !card_new(0))
		return;
	frame_make(frame, 2500);
	CHECK_INT(send(host, frame, 2500, 0), 2500);
	machine_buffer(TO_GUEST, NULL, 1000);
	machine_kick(TO_GUEST);
	CHECK_INT(frame_find(), -1);
	for (int i = 0; i < SIZE - 1; i++)
		machine_buffer(TO_GUEST, NULL, 1000);
	machine_kick(TO_GUEST);
	n = frame_find();
	CHECK(n >= 0 && buffers_said(used_get(TO_GUEST, (unsigned int)n, &size)) == 3);
	machine_end();
}

static ssize_t guest_sends(const struct virtio_net_hdr_mrg_rxbuf *header, uint32_t size)
{
	static uint8_t packet[FRAME_MOST], seen[FRAME_MOST];
	ssize_t n;

	memcpy(packet, header, HEADER);
	frame_make(packet + HEADER, size > HEADER ? size - HEADER : 0);
	machine_buffer(FROM_GUEST, packet, size);
	machine_kick(FROM_GUEST);
	n = recv(host, seen, sizeof(seen), 0);
	return n <= 0 || memcmp(seen, packet + HEADER, (size_t)n) == 0 ? n : -2;
}

static void test_the_guests_packets_come_out_whole(void)
{
	const struct virtio_net_hdr_mrg_rxbuf plain = { .num_buffers = 0 };

	if (!wire_make() || !card_new(0))
		return;
	CHECK_INT(guest_sends(&plain, HEADER + 60), 60);
	CHECK_INT(guest_sends(&plain, HEADER + 9000), 9000);
	CHECK_INT(used_count(FROM_GUEST), 2);
	CHECK_INT(machine.vm.stats->lost, 0);
	machine_end();
}

/* Each goes nowhere, comes back to the driver, and leaves the card working. */
static void test_what_is_no_packet_is_lost(void)
{
	static const struct {
		struct virtio_net_hdr_mrg_rxbuf header;
		uint32_t size;
	} cases[] = {
		{ .size = 1 },
		{ .size = HEADER },
		{ .size = HEADER + 5 }, /* not even a header of Ethernet's */
		{ .size = HEADER + 65535 + ETHER_HDR_LEN + 5 },
		{ .header.hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60000, .csum_offset = 60000 }, .size = HEADER + 60 },
		{ .header.hdr = { .hdr_len = 60000 }, .size = HEADER + 60 },
		{ .header.hdr = { .gso_type = 77, .gso_size = 1 }, .size = HEADER + 60 },
		{ .header.hdr = { .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0 }, .size = HEADER + 60 },
	};
	const struct virtio_net_hdr_mrg_rxbuf plain = { .num_buffers = 0 };

	if (!wire_make() || !card_new(0))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		tap_check(guest_sends(&cases[i].header, cases[i].size) == -1, __FILE__, __LINE__, "case %u", i);
		tap_check_int(used_count(FROM_GUEST), (long long)i + 1, __FILE__, __LINE__, "comes back");
	}
	CHECK_INT(guest_sends(&plain, HEADER + 60), 60);
	machine_end();
}

static void test_the_largest_packet_is_told_where_it_is_known(void)
{
	uint32_t features;

	if (!wire_make() || !card_new(1400))
		return;
	CHECK(machine.v->features & 1ULL << VIRTIO_NET_F_MTU);
	CHECK(bus_read(&machine.memory, VM_DEVICES_BASE + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_net_config, mtu), &features, 2));
	CHECK_INT(features & 0xffff, 1400);
	machine_end();
	if (!card_new(0))
		return;
	CHECK(!(machine.v->features & 1ULL << VIRTIO_NET_F_MTU));
	machine_end();
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_packet_for_the_guest_fills_one_buffer),
		TEST(test_a_large_one_is_spread_over_several),
		TEST(test_a_packet_waits_for_buffers),
		TEST(test_the_guests_packets_come_out_whole),
		TEST(test_what_is_no_packet_is_lost),
		TEST(test_the_largest_packet_is_told_where_it_is_known),
		{ 0 },
	});
}
