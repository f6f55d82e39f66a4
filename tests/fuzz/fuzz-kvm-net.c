/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's packets and buffers of any kind, on a device of the kernel's in a network of our own, and a host that sends into
 * the same wire. Steps of the input; of each packet the first bytes say what of it is odd.
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

enum { STEPS_MOST = 64, TO_GUEST = 0, FROM_GUEST = 1, FRAME_MOST = 70000, HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf) };

static int tap = -1, host = -1;
static struct sockaddr_ll wire;

static int tap_make(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	fuzz_must(fd >= 0 && sock >= 0 && ioctl(fd, TUNSETIFF, &request) == 0);
	request.ifr_mtu = 65521;
	fuzz_must(ioctl(sock, SIOCSIFMTU, &request) == 0);
	request.ifr_flags = IFF_UP;
	fuzz_must(ioctl(sock, SIOCSIFFLAGS, &request) == 0);
	(void)close(sock);
	return fd;
}

/* One device for all inputs: to make and remove one takes the kernel milliseconds. */
static void wire_make(void)
{
	int on = 1;

	fuzz_must(unshare(CLONE_NEWNET | (geteuid() ? CLONE_NEWUSER : 0)) == 0);
	tap = tap_make("wire");
	wire = (struct sockaddr_ll){
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex("wire"),
	};
	host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	fuzz_must(host >= 0 && setsockopt(host, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0 &&
		  bind(host, (struct sockaddr *)&wire, sizeof(wire)) == 0);
}

/* What of a frame is odd is in the input, the rest is zeros. Return: its size, the header @header before it included. */
static uint32_t frame_take(struct fuzz_input *in, uint8_t *frame, uint32_t header)
{
	uint32_t odd = fuzz_number(in, 1), size = fuzz_number(in, odd & 1 ? 1 : 2);

	memset(frame, 0, FRAME_MOST);
	if (odd & 2)
		fuzz_take(in, frame, header);
	frame[header + 12] = 8; /* IPv4 */
	if (odd & 4)
		fuzz_take(in, frame + header, 40);
	return odd & 8 ? size : size + header + ETHER_HDR_LEN;
}

static void host_send(struct fuzz_input *in)
{
	static uint8_t frame[FRAME_MOST];
	uint32_t size = frame_take(in, frame, sizeof(struct virtio_net_hdr));

	(void)send(host, frame, size, MSG_NOSIGNAL);
	machine_turn();
}

static void host_drain(void)
{
	static uint8_t frame[FRAME_MOST];

	for (int i = 0; i < 16 && recv(host, frame, sizeof(frame), 0) > 0; i++)
		;
}

static void guest_send(struct fuzz_input *in)
{
	static uint8_t frame[FRAME_MOST];
	uint32_t size = frame_take(in, frame, HEADER);

	machine_buffer(FROM_GUEST, frame, size ? size : 1);
	machine_kick(FROM_GUEST);
}

static void memory_write(struct fuzz_input *in)
{
	uint32_t at = QUEUE_AT + fuzz_number(in, 2) % (2 * QUEUE_STEP), size = fuzz_number(in, 1) % 16;

	fuzz_take(in, machine.ram + at, size);
}

static void step(struct fuzz_input *in)
{
	switch (fuzz_number(in, 1) % 8) {
	case 0:
	case 1: host_send(in); break;
	case 2:
	case 3:
		machine_buffer(TO_GUEST, NULL, fuzz_number(in, 2));
		machine_kick(TO_GUEST);
		break;
	case 4:
		machine_put((uint32_t)(fuzz_number(in, 1) * 4), fuzz_number(in, 4));
		machine_turn();
		break;
	case 5: memory_write(in); break;
	default: guest_send(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_device_config config = { .kind = VM_DEVICE_NET, .fd = { -1, -1 }, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct fuzz_input in = { data, size };
	struct device_place place;

	if (tap < 0)
		wire_make();
	config.fd[0] = tap;
	config.mtu = size & 1 ? 1400 : 0;
	machine_new();
	place = machine_place();
	fuzz_must(net_new(&place, &config, &machine.device) == 0);
	machine.v = machine.device.self;
	machine_driver();
	for (unsigned int i = 0; i < STEPS_MOST && in.size > 0; i++)
		step(&in);
	host_drain();
	machine_end();
	return 0;
}
