/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One table says for each request what it carries and who does it. A request that is not in it, or of
 * another shape, ends the connection: the hypervisor asks only for what we said we can. All is done in
 * the loop's thread, and a ring that was stopped has nothing in flight: devices answer at once.
 */
#include "runtime/kvm/vhost-user-request.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
	REQUESTS,
};

enum {
	FEATURE_PROTOCOL = 30,
	PROTOCOL_MQ = 0, /* GET_QUEUE_NUM is asked, where there is more than one */
	PROTOCOL_REPLY_ACK = 3,
	PROTOCOL_CONFIG = 9,
	FILE_NONE = 1 << 8, /* of a vring's descriptor: there is none */
	FILE_INDEX = 0xff,
	CONFIG_HEAD = 12, /* offset, size, flags in front of a configuration's bytes */
};

struct vring_number {
	uint32_t index, value;
};

struct vring_addresses {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct memory_table {
	uint32_t count, padding;
	struct {
		uint64_t gpa, size, address, offset;
	} regions[VHOST_USER_REGIONS];
};

_Static_assert(sizeof(struct vhost_user_head) + sizeof(struct memory_table) <= VHOST_USER_MESSAGE, "a message");
_Static_assert(sizeof(struct vhost_user_head) + CONFIG_HEAD + VIRTIO_CONFIG_MAX <= VHOST_USER_MESSAGE, "a message");

static struct virtio *device_of(const struct vhost_user *user)
{
	return user->device.virtio;
}

static int bad(const char *what)
{
	return fail_plain(EPROTO, "%s", what);
}

static int reply(const struct vhost_user *user, const void *payload, uint32_t size)
{
	uint8_t message[VHOST_USER_MESSAGE];
	struct vhost_user_head head;

	memcpy(&head, user->message, sizeof(head));
	head.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	head.size = size;
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), payload, size);
	/* Its buffer is larger than all answers together that it may wait for. */
	if (write(user->source.fd, message, sizeof(head) + size) != (ssize_t)(sizeof(head) + size))
		return fail(errno, "answer");
	return 0;
}

static int reply_u64(const struct vhost_user *user, uint64_t value)
{
	return reply(user, &value, sizeof(value));
}

static struct virtio_queue *queue_of(const struct vhost_user *user, uint64_t index)
{
	struct virtio *v = device_of(user);

	return index < v->queue_count ? &v->queues[index] : NULL;
}

/* --- rings ---------------------------------------------------------------------------------------- */

static bool any_enabled(const struct virtio *v)
{
	for (unsigned int i = 0; i < v->queue_count; i++)
		if (v->queues[i].q.enabled)
			return true;
	return false;
}

/* Return: the address in the guest's memory, or one that is in nobody's. */
static uint64_t translate(const struct vhost_user *user, uint64_t address)
{
	for (unsigned int i = 0; i < user->region_count; i++) {
		const struct vhost_user_region *region = &user->regions[i];

		if (address >= region->address && address - region->address < region->size)
			return region->gpa + (address - region->address);
	}
	return UINT64_MAX;
}

/* Whatever still misses comes with a later request. */
static int ring_start(struct vhost_user *user, struct virtio_queue *queue)
{
	struct virtio *v = device_of(user);
	struct virtq *q = &queue->q;
	unsigned int i = queue->index;
	int r;

	if (q->enabled || queue->kick.fd < 0 || (user->rings_off && !user->rings[i].wanted))
		return 0;
	q->desc_gpa = translate(user, user->rings[i].desc);
	q->avail_gpa = translate(user, user->rings[i].avail);
	q->used_gpa = translate(user, user->rings[i].used);
	q->next = q->done = q->told = user->rings[i].base;
	q->event_idx = virtio_has(v, VIRTIO_RING_F_EVENT_IDX);
	if (!virtq_enable(q))
		return fail_plain(EPROTO, "ring %u of %u entries is not in the guest's memory: 0x%llx, 0x%llx, 0x%llx", i, q->size,
				  (unsigned long long)q->desc_gpa, (unsigned long long)q->avail_gpa,
				  (unsigned long long)q->used_gpa);
	r = loop_add(user->loop, &queue->kick, EPOLLIN);
	if (r < 0)
		return r;
	v->was_started = v->was_started || !v->running;
	/* What the driver put there before anybody listened was notified to nobody. */
	if (virtio_enter(v))
		v->ops->kick(v, i);
	virtio_leave(v);
	return 0;
}

/* Its place is kept for the next start. The last one to stop takes the driver with it. */
static void ring_stop(struct vhost_user *user, struct virtio_queue *queue)
{
	struct virtio *v = device_of(user);

	if (!queue->q.enabled)
		return;
	loop_remove(user->loop, &queue->kick);
	user->rings[queue->index].base = queue->q.next;
	virtq_reset(&queue->q, v->vm, queue->q.size_max);
	if (any_enabled(v))
		return;
	v->running = v->was_started = false;
	v->was_reset = true;
	v->status = 0;
	(void)virtio_enter(v);
	virtio_leave(v);
}

void vhost_user_fd_drop(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* --- requests: each has its payload, of the size in the table --------------------------------------- */

static int features_get(struct vhost_user *user, const void *payload)
{
	(void)payload;
	return reply_u64(user, device_of(user)->features | 1ULL << FEATURE_PROTOCOL);
}

static int features_set(struct vhost_user *user, const void *payload)
{
	struct virtio *v = device_of(user);
	uint64_t wanted;

	memcpy(&wanted, payload, sizeof(wanted));
	user->rings_off = wanted >> FEATURE_PROTOCOL & 1;
	wanted &= ~(1ULL << FEATURE_PROTOCOL);
	if (wanted & ~v->features)
		return bad("features that were not offered");
	if (any_enabled(v) && wanted != v->driver_features)
		return bad("other features while a ring is in use");
	v->driver_features = wanted;
	return 0;
}

/* A file system's tag is told by QEMU itself, which has a warning for whoever would. */
static uint64_t protocol_features(const struct vhost_user *user)
{
	uint64_t config = device_of(user)->id == VIRTIO_ID_FS ? 0 : 1ULL << PROTOCOL_CONFIG;

	return 1ULL << PROTOCOL_MQ | 1ULL << PROTOCOL_REPLY_ACK | config;
}

static int protocol_get(struct vhost_user *user, const void *payload)
{
	(void)payload;
	return reply_u64(user, protocol_features(user));
}

static int protocol_set(struct vhost_user *user, const void *payload)
{
	uint64_t wanted;

	memcpy(&wanted, payload, sizeof(wanted));
	return wanted & ~protocol_features(user) ? bad("protocol features that were not offered") : 0;
}

static int queue_count_get(struct vhost_user *user, const void *payload)
{
	(void)payload;
	return reply_u64(user, device_of(user)->queue_count);
}

static int nothing(struct vhost_user *user, const void *payload)
{
	(void)user;
	(void)payload;
	return 0;
}

void vhost_user_memory_forget(struct vhost_user *user)
{
	for (unsigned int i = 0; i < user->vm.slot_count; i++)
		(void)munmap(user->vm.slots[i].host, user->vm.slots[i].size);
	user->vm.slot_count = user->region_count = 0;
}

/* A file that is cut short later is the machine's end, as for any memory that is not there (nacelle-vmm.c). */
static bool in_file(int fd, uint64_t offset, uint64_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= 0 && offset <= (uint64_t)st.st_size &&
	       size <= (uint64_t)st.st_size - offset;
}

static int memory_set(struct vhost_user *user, const void *payload)
{
	struct memory_table table;

	memcpy(&table, payload, sizeof(table));
	if (table.count > VHOST_USER_REGIONS || table.count != user->fd_count)
		return bad("a table of memory without its files");
	if (any_enabled(device_of(user)))
		return bad("other memory while a ring is in use");
	vhost_user_memory_forget(user);
	for (unsigned int i = 0; i < table.count; i++) {
		void *host;

		if (table.regions[i].gpa + table.regions[i].size < table.regions[i].gpa)
			return bad("memory beyond all addresses");
		if (!in_file(user->fds[i], table.regions[i].offset, table.regions[i].size))
			return bad("memory beyond its file");
		host = mmap(NULL, table.regions[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, user->fds[i],
			    (off_t)table.regions[i].offset);
		if (host == MAP_FAILED)
			return fail(errno, "map the guest's memory");
		user->vm.slots[user->vm.slot_count++] = (struct vm_slot){
			.gpa = table.regions[i].gpa,
			.size = table.regions[i].size,
			.host = host,
		};
		user->regions[user->region_count++] = (struct vhost_user_region){
			.gpa = table.regions[i].gpa,
			.size = table.regions[i].size,
			.address = table.regions[i].address,
		};
	}
	return 0;
}

/* The ring that something is set of, which must stand still meanwhile; NULL is recorded. @what: "the size of" */
static struct virtio_queue *ring_at_rest(const struct vhost_user *user, uint32_t index, const char *what)
{
	struct virtio_queue *queue = queue_of(user, index);

	if (queue && !queue->q.enabled)
		return queue;
	(void)fail_plain(EPROTO, "%s a ring that is not there, or in use", what);
	return NULL;
}

static int vring_size_set(struct vhost_user *user, const void *payload)
{
	struct vring_number number;
	struct virtio_queue *queue;

	memcpy(&number, payload, sizeof(number));
	queue = ring_at_rest(user, number.index, "the size of");
	if (!queue)
		return -EPROTO;
	queue->q.size = number.value;
	return 0;
}

static int vring_addresses_set(struct vhost_user *user, const void *payload)
{
	struct vring_addresses a;

	memcpy(&a, payload, sizeof(a));
	if (!ring_at_rest(user, a.index, "the addresses of"))
		return -EPROTO;
	user->rings[a.index].desc = a.desc;
	user->rings[a.index].used = a.used;
	user->rings[a.index].avail = a.avail;
	return 0;
}

static int vring_base_set(struct vhost_user *user, const void *payload)
{
	struct vring_number number;

	memcpy(&number, payload, sizeof(number));
	if (!ring_at_rest(user, number.index, "the place in"))
		return -EPROTO;
	user->rings[number.index].base = (uint16_t)number.value;
	return 0;
}

/* The ring that a number is about; NULL is recorded. */
static struct virtio_queue *ring_numbered(const struct vhost_user *user, const void *payload, struct vring_number *ret)
{
	struct virtio_queue *queue;

	memcpy(ret, payload, sizeof(*ret));
	queue = queue_of(user, ret->index);
	if (!queue)
		(void)bad("a ring that is not there");
	return queue;
}

static int vring_base_get(struct vhost_user *user, const void *payload)
{
	struct vring_number number;
	struct virtio_queue *queue = ring_numbered(user, payload, &number);

	if (!queue)
		return -EPROTO;
	ring_stop(user, queue);
	vhost_user_fd_drop(&queue->kick.fd);
	vhost_user_fd_drop(&queue->call_fd);
	number.value = user->rings[number.index].base;
	return reply(user, &number, sizeof(number));
}

/* The descriptor of a ring that came with the message, now the caller's; @ret_fd: -1 for none. */
static int vring_file(struct vhost_user *user, const void *payload, struct virtio_queue **ret_queue, int *ret_fd)
{
	uint64_t word;

	memcpy(&word, payload, sizeof(word));
	*ret_queue = queue_of(user, word & FILE_INDEX);
	if (!*ret_queue || user->fd_count != (word & FILE_NONE ? 0 : 1))
		return bad("a descriptor for a ring that is not there, or none for one that is");
	*ret_fd = user->fd_count ? steal_fd(&user->fds[0]) : -1;
	return 0;
}

static int vring_kick_set(struct vhost_user *user, const void *payload)
{
	struct virtio_queue *queue;
	int fd = -1, r = vring_file(user, payload, &queue, &fd);

	if (r < 0)
		return r;
	if (queue->q.enabled)
		loop_remove(user->loop, &queue->kick);
	vhost_user_fd_drop(&queue->kick.fd);
	queue->kick = (struct loop_source){ .fd = fd, .ready = virtio_kicked };
	if (fd < 0)
		return bad("a ring to be polled");
	return queue->q.enabled ? loop_add(user->loop, &queue->kick, EPOLLIN) : ring_start(user, queue);
}

static int vring_call_set(struct vhost_user *user, const void *payload)
{
	struct virtio_queue *queue;
	int fd = -1, r = vring_file(user, payload, &queue, &fd);

	if (r < 0)
		return r;
	vhost_user_fd_drop(&queue->call_fd);
	queue->call_fd = fd;
	return 0;
}

static int vring_enable(struct vhost_user *user, const void *payload)
{
	struct vring_number number;
	struct virtio_queue *queue = ring_numbered(user, payload, &number);

	if (!queue)
		return -EPROTO;
	user->rings[number.index].wanted = number.value;
	if (number.value)
		return ring_start(user, queue);
	ring_stop(user, queue);
	return 0;
}

static int config_get(struct vhost_user *user, const void *payload)
{
	uint8_t answer[CONFIG_HEAD + VIRTIO_CONFIG_MAX];
	struct {
		uint32_t offset, size, flags;
	} head;

	memcpy(&head, payload, sizeof(head));
	if (head.offset > VIRTIO_CONFIG_MAX || head.size > VIRTIO_CONFIG_MAX - head.offset)
		return bad("a piece of the configuration that is not there");
	memcpy(answer, &head, sizeof(head));
	memcpy(answer + sizeof(head), device_of(user)->page + VIRTIO_MMIO_CONFIG + head.offset, head.size);
	return reply(user, answer, CONFIG_HEAD + head.size);
}

static const struct {
	int (*run)(struct vhost_user *user, const void *payload);
	uint32_t size; /* of its payload, at least; more only for a configuration and a shorter table of memory */
	bool answers;
} requests[REQUESTS] = {
	[GET_FEATURES] = { features_get, 0, true },
	[SET_FEATURES] = { features_set, sizeof(uint64_t), false },
	[SET_OWNER] = { nothing, 0, false },
	[SET_MEM_TABLE] = { memory_set, 2 * sizeof(uint32_t), false },
	[SET_VRING_NUM] = { vring_size_set, sizeof(struct vring_number), false },
	[SET_VRING_ADDR] = { vring_addresses_set, sizeof(struct vring_addresses), false },
	[SET_VRING_BASE] = { vring_base_set, sizeof(struct vring_number), false },
	[GET_VRING_BASE] = { vring_base_get, sizeof(struct vring_number), true },
	[SET_VRING_KICK] = { vring_kick_set, sizeof(uint64_t), false },
	[SET_VRING_CALL] = { vring_call_set, sizeof(uint64_t), false },
	[SET_VRING_ERR] = { nothing, sizeof(uint64_t), false }, /* its descriptor is closed with the message */
	[GET_PROTOCOL_FEATURES] = { protocol_get, 0, true },
	[SET_PROTOCOL_FEATURES] = { protocol_set, sizeof(uint64_t), false },
	[GET_QUEUE_NUM] = { queue_count_get, 0, true },
	[SET_VRING_ENABLE] = { vring_enable, sizeof(struct vring_number), false },
	[GET_CONFIG] = { config_get, CONFIG_HEAD, true },
};

int vhost_user_serve(struct vhost_user *user)
{
	struct vhost_user_head head;
	int r;

	memcpy(&head, user->message, sizeof(head));
	if (head.request >= REQUESTS || !requests[head.request].run)
		return fail_plain(EPROTO, "request %u is none that we offered", head.request);
	if (head.size < requests[head.request].size)
		return fail_plain(EPROTO, "request %u is too short", head.request);
	/* What is behind a short payload is read as zeroes. */
	memset(user->message + sizeof(head) + head.size, 0, sizeof(user->message) - sizeof(head) - head.size);
	r = requests[head.request].run(user, user->message + sizeof(head));
	if (r < 0 || requests[head.request].answers || !(head.flags & VHOST_USER_NEED_REPLY))
		return r;
	return reply_u64(user, 0);
}
