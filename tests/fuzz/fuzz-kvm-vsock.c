/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's packets of any kind, and programs of the host that come, talk and go meanwhile. What the monitor keeps for a
 * stream stays within the credit that it gave.
 */
#include <linux/virtio_vsock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/kvm/vsock.h"
#include "tests/fuzz/machine.h"

enum { STEPS_MOST = 64, CLIENTS = 4, CID = 3, PORT = 1024, PACKET_MOST = 40000 };

static int listener, clients[CLIENTS];
static struct sockaddr_un address;
static socklen_t address_size;

static void host_listen(void)
{
	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	address_size = sizeof(address);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* without a name the kernel finds one */
	fuzz_must(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 && listen(listener, 8) == 0 &&
		  getsockname(listener, (struct sockaddr *)&address, &address_size) == 0);
}

static void host_connect(unsigned int i, uint32_t flags)
{
	const struct vsock_hello hello = { .magic = VSOCK_HELLO_MAGIC, .port = PORT + i, .flags = flags };

	if (clients[i] >= 0)
		(void)close(clients[i]);
	clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody takes them while the driver is away: then the backlog is full at some time. */
	if (connect(clients[i], (struct sockaddr *)&address, address_size) < 0)
		return;
	/* a hello that is broken off, in one case of eight */
	(void)send(clients[i], &hello, flags & 4 ? 5 : sizeof(hello), MSG_NOSIGNAL);
	machine_turn();
	machine_turn();
}

static void host_talk(unsigned int i, struct fuzz_input *in)
{
	static char text[70000];
	uint32_t how = fuzz_number(in, 1);

	if (clients[i] < 0)
		return;
	if (how & 1)
		(void)send(clients[i], text, how * 256, MSG_NOSIGNAL);
	if (how & 2)
		(void)recv(clients[i], text, sizeof(text), 0);
	if (how & 4)
		(void)shutdown(clients[i], SHUT_WR);
	if (how & 8)
		(void)close(steal_fd(&clients[i]));
	machine_turn();
}

/* Mostly what a driver would say; the first bytes say what of it is not. */
static void guest_packet(struct fuzz_input *in)
{
	static uint8_t packet[sizeof(struct virtio_vsock_hdr) + PACKET_MOST];
	uint32_t odd = fuzz_number(in, 1), size = fuzz_number(in, 2) % PACKET_MOST, which = fuzz_number(in, 1);
	struct virtio_vsock_hdr header = {
		.src_cid = odd & 1 ? 7 : CID,
		.dst_cid = odd & 2 ? 1 : 2,
		.src_port = odd & 4 ? which : PORT + which % CLIENTS,
		.dst_port = odd & 8 ? VSOCK_DOORBELL : PORT + (which >> 4),
		.len = odd & 16 ? fuzz_number(in, 4) : size,
		.type = odd & 32 ? 9 : VIRTIO_VSOCK_TYPE_STREAM,
		.op = (uint16_t)fuzz_number(in, 1),
		.flags = fuzz_number(in, 1),
		.buf_alloc = fuzz_number(in, 2) << 4,
		.fwd_cnt = fuzz_number(in, 2),
	};

	memcpy(packet, &header, sizeof(header));
	machine_buffer(VSOCK_QUEUE_TX, packet, odd & 64 ? size % 60 + 1 : (uint32_t)sizeof(header) + size);
	machine_kick(VSOCK_QUEUE_TX);
}

static void step(struct fuzz_input *in)
{
	uint32_t what = fuzz_number(in, 1), i = (what >> 4) % CLIENTS;

	switch (what % 7) {
	case 0: host_connect(i, what >> 5); break;
	case 1: host_talk(i, in); break;
	case 2:
		machine_buffer(VSOCK_QUEUE_RX, NULL, fuzz_number(in, 2));
		machine_kick(VSOCK_QUEUE_RX);
		break;
	case 3:
		machine_put((uint32_t)(fuzz_number(in, 1) * 4), fuzz_number(in, 4));
		machine_turn();
		break;
	default: guest_packet(in);
	}
}

static void streams_check(void)
{
	const struct vsock *vsock = machine.device.self;

	for (unsigned int i = 0; i < VSOCK_STREAMS_MAX; i++) {
		fuzz_must(vsock->streams[i].buffered <= VSOCK_BUFFER &&
			  vsock->streams[i].buffered_from < VSOCK_BUFFER);
		fuzz_must(vsock->streams[i].state != VSOCK_FREE || !vsock->streams[i].buffer);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_device_config config = { .kind = VM_DEVICE_VSOCK, .cid = CID };
	struct fuzz_input in = { data, size };
	struct device_place place;

	(void)signal(SIGPIPE, SIG_IGN); /* as vmm.c has it */
	host_listen();
	for (unsigned int i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	config.fd[0] = listener;
	machine_new();
	place = machine_place();
	fuzz_must(vsock_new(&place, &config, &machine.device) == 0);
	machine.v = machine.device.self;
	machine_driver();
	for (unsigned int i = 0; i < STEPS_MOST && in.size > 0; i++) {
		step(&in);
		streams_check();
	}
	machine_end();
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (clients[i] >= 0)
			(void)close(clients[i]);
	(void)close(listener);
	return 0;
}
