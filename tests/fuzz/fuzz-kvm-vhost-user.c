/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor that was taken over: any requests, with any payload and descriptors, to a disk of ours, and any bytes in
 * the memory that it shares. Steps of the input: what is sent or written, and what of it is odd.
 */
#include <sys/socket.h>

#include "runtime/kvm/vhost-user.h"
#include "tests/fuzz/machine.h"

enum { STEPS_MOST = 64, DISK = 1 << 16, FDS_MOST = 9 };

static struct vhost_user user;
static int peer = -1, memory = -1, disk = -1, kick = -1;
static uint8_t *shared;

static void once(void)
{
	memory = memfd_create("memory", MFD_CLOEXEC);
	disk = memfd_create("disk", MFD_CLOEXEC);
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fuzz_must(ftruncate(memory, RAM) == 0 && ftruncate(disk, DISK) == 0);
	shared = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	fuzz_must(shared != MAP_FAILED && kick >= 0);
}

/* @kind: the usual one for it, or none, or too many */
static void fds_add(struct msghdr *message, struct cmsghdr *control, unsigned int kind, unsigned int count)
{
	int fds[FDS_MOST] = { 0 };

	for (unsigned int i = 0; i < count; i++)
		fds[i] = kind & 1 ? memory : kick;
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(control), fds, sizeof(int) * count);
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
}

static void message_send(struct fuzz_input *in)
{
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(int) * FDS_MOST)];
	} control = { .room = { 0 } };
	uint8_t text[VHOST_USER_MESSAGE + 64];
	uint32_t kind = fuzz_number(in, 1), head[3] = { fuzz_number(in, 1), 1, fuzz_number(in, kind & 2 ? 2 : 1) };
	uint32_t carried = head[2] < VHOST_USER_MESSAGE ? head[2] : VHOST_USER_MESSAGE;
	struct iovec part = { .iov_base = text, .iov_len = sizeof(head) + carried };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	unsigned int count = kind >> 4 > FDS_MOST ? FDS_MOST : kind >> 4;

	if (kind & 4)
		head[1] = 1 | 1 << 3; /* it wants an answer */
	if (kind & 8)
		head[1] = fuzz_number(in, 4);
	memcpy(text, head, sizeof(head));
	fuzz_take(in, text + sizeof(head), carried);
	if (count > 0)
		fds_add(&message, &control.head, kind, count);
	(void)sendmsg(peer, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	machine_turn();
	while (recv(peer, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

static void memory_write(struct fuzz_input *in)
{
	uint32_t at = fuzz_number(in, 3) % RAM, size = fuzz_number(in, 1);

	if (size <= RAM - at)
		fuzz_take(in, shared + at, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_device_config config = { .kind = VM_DEVICE_BLK, .tag = "serial" };
	struct fuzz_input in = { data, size };
	struct device_place place;
	int pair[2];

	if (memory < 0)
		once();
	machine_new();
	user = (struct vhost_user){ .source.fd = -1, .vm = { .fd = -1, .end_fd = -1, .stats = machine.vm.stats } };
	place = machine_place();
	place.vm = &user.vm;
	place.memory = NULL;
	config.fd[0] = disk;
	fuzz_must(blk_new(&place, &config, &user.device) == 0);
	fuzz_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	peer = pair[1];
	fuzz_must(vhost_user_init(&user, &machine.loop, pair[0], &machine.vm) == 0);
	for (unsigned int i = 0; i < STEPS_MOST && in.size > 0 && !vm_has_ended(&machine.vm); i++) {
		uint64_t one = 1;

		switch (fuzz_number(&in, 1) % 4) {
		case 0: memory_write(&in); break;
		case 1:
			(void)!write(kick, &one, sizeof(one));
			machine_turn();
			break;
		default: message_send(&in);
		}
	}
	vhost_user_done(&user);
	(void)close(peer);
	loop_done(&machine.loop);
	(void)close(machine.vm.end_fd);
	free(machine.ram);
	return 0;
}
