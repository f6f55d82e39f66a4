/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register page. What a register reads as is always what stands in the page: a write that
 * changes the meaning of another register (the selectors, the status) updates the page before the
 * guest goes on. Bit 0 of the interrupt status is constantly set from DRIVER_OK on: the line is
 * nobody else's, so a driver that looks always has reason to look at its queues, and writing 1 to
 * the acknowledge register has no effect that anybody would see: an ioeventfd swallows it.
 */
#include "runtime/kvm/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/vm.h"

enum {
	MAGIC = 0x74726976, /* "virt" */
	VERSION = 2,
	VENDOR = 0x6c65636e, /* "ncel" */
	INTERRUPT_QUEUE = 1 << 0,
	INTERRUPT_CONFIG = 1 << 1,
	STATUS_KNOWN = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		       VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK |
		       VIRTIO_CONFIG_S_FAILED,
};

static uint32_t *reg(const struct virtio *v, unsigned int offset)
{
	return (uint32_t *)(void *)(v->page + offset);
}

static void reg_set(const struct virtio *v, unsigned int offset, uint32_t value)
{
	__atomic_store_n(reg(v, offset), value, __ATOMIC_RELEASE);
}

static struct virtio_queue *queue_selected(struct virtio *v)
{
	return v->queue_select < v->queue_count ? &v->queues[v->queue_select] : NULL;
}

/* Bring the registers that depend on a selector in line with it. */
static void page_select(const struct virtio *v)
{
	const struct virtio_queue *queue =
		v->queue_select < v->queue_count ? &v->queues[v->queue_select] : NULL;
	uint32_t features = 0;

	if (v->features_select < 2)
		features = (uint32_t)(v->features >> (32 * v->features_select));
	reg_set(v, VIRTIO_MMIO_DEVICE_FEATURES, features);
	reg_set(v, VIRTIO_MMIO_QUEUE_NUM_MAX, queue ? queue->q.size_max : 0);
	reg_set(v, VIRTIO_MMIO_QUEUE_READY, queue && queue->q.enabled);
}

static void window_select(const struct virtio *v, uint32_t id)
{
	bool there = id == 0 && v->window_size > 0;
	uint64_t size = there ? v->window_size : UINT64_MAX;
	uint64_t base = there ? v->window_gpa : UINT64_MAX;

	reg_set(v, VIRTIO_MMIO_SHM_LEN_LOW, (uint32_t)size);
	reg_set(v, VIRTIO_MMIO_SHM_LEN_HIGH, (uint32_t)(size >> 32));
	reg_set(v, VIRTIO_MMIO_SHM_BASE_LOW, (uint32_t)base);
	reg_set(v, VIRTIO_MMIO_SHM_BASE_HIGH, (uint32_t)(base >> 32));
}

static void status_set(struct virtio *v, uint32_t status)
{
	v->status = status;
	reg_set(v, VIRTIO_MMIO_STATUS, status);
}

void virtio_page_refresh(const struct virtio *v)
{
	reg_set(v, VIRTIO_MMIO_STATUS, v->status);
	reg_set(v, VIRTIO_MMIO_INTERRUPT_STATUS,
		v->status & VIRTIO_CONFIG_S_DRIVER_OK ? INTERRUPT_QUEUE : 0);
	page_select(v);
	window_select(v, 0);
}

static void interrupt(const struct virtio *v, uint32_t bit)
{
	__atomic_fetch_or(reg(v, VIRTIO_MMIO_INTERRUPT_STATUS), bit, __ATOMIC_SEQ_CST);
	event_signal(v->irq_fd);
}

static void reset(struct virtio *v)
{
	for (unsigned int i = 0; i < v->queue_count; i++)
		virtq_reset(&v->queues[i].q, v->vm, v->queues[i].q.size_max);
	v->driver_features = 0;
	v->features_select = v->driver_select = v->queue_select = 0;
	v->was_reset = true;
	v->was_started = v->running = v->restored = false;
	status_set(v, 0);
	reg_set(v, VIRTIO_MMIO_INTERRUPT_STATUS, 0);
	page_select(v);
	window_select(v, 0);
	event_signal(v->changed.fd);
}

static void refused(const struct virtio *v)
{
	vm_count(&v->vm->stats->refused);
}

static void status_write(struct virtio *v, uint32_t wanted)
{
	uint32_t added = wanted & ~v->status & STATUS_KNOWN;

	if (wanted == 0) {
		reset(v);
		return;
	}
	if (v->status & VIRTIO_CONFIG_S_FEATURES_OK || !(wanted & VIRTIO_CONFIG_S_FEATURES_OK)) {
		/* nothing to judge */
	} else if ((v->driver_features & ~v->features) || !virtio_has(v, VIRTIO_F_VERSION_1)) {
		added &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	}
	/* What was agreed cannot be skipped: without it the device stays off. */
	if ((added & VIRTIO_CONFIG_S_DRIVER_OK) &&
	    !((v->status | added) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		added &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
		refused(v);
	}
	status_set(v, v->status | added);
	if (!(added & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	for (unsigned int i = 0; i < v->queue_count; i++)
		v->queues[i].q.event_idx = virtio_has(v, VIRTIO_RING_F_EVENT_IDX);
	reg_set(v, VIRTIO_MMIO_INTERRUPT_STATUS, INTERRUPT_QUEUE);
	v->was_started = true;
	event_signal(v->changed.fd);
}

static void driver_features_write(struct virtio *v, uint32_t value)
{
	unsigned int shift = 32 * v->driver_select;

	if (v->status & VIRTIO_CONFIG_S_FEATURES_OK || v->driver_select > 1) {
		refused(v);
		return;
	}
	v->driver_features &= ~(0xffffffffULL << shift);
	v->driver_features |= (uint64_t)value << shift;
}

static void half_set(uint64_t *address, bool high, uint32_t value)
{
	*address = high ? (*address & 0xffffffffULL) | (uint64_t)value << 32
			: (*address & ~0xffffffffULL) | value;
}

/* What describes a queue: changeable until the queue is enabled, and never after DRIVER_OK. */
static void queue_write(struct virtio *v, uint64_t offset, uint32_t value)
{
	struct virtio_queue *queue = queue_selected(v);

	if (!queue || queue->q.enabled || v->status & VIRTIO_CONFIG_S_DRIVER_OK ||
	    !(v->status & VIRTIO_CONFIG_S_FEATURES_OK)) {
		refused(v);
		return;
	}
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM: queue->q.size = value; break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW: half_set(&queue->q.desc_gpa, false, value); break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: half_set(&queue->q.desc_gpa, true, value); break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW: half_set(&queue->q.avail_gpa, false, value); break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH: half_set(&queue->q.avail_gpa, true, value); break;
	case VIRTIO_MMIO_QUEUE_USED_LOW: half_set(&queue->q.used_gpa, false, value); break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH: half_set(&queue->q.used_gpa, true, value); break;
	default: /* QUEUE_READY */
		if (value != 1 || !virtq_enable(&queue->q))
			refused(v);
		page_select(v);
	}
}

static void register_write(struct virtio *v, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		v->features_select = value;
		page_select(v);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: v->driver_select = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES: driver_features_write(v, value); break;
	case VIRTIO_MMIO_QUEUE_SEL:
		v->queue_select = value;
		page_select(v);
		break;
	case VIRTIO_MMIO_QUEUE_NUM:
	case VIRTIO_MMIO_QUEUE_READY:
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH: queue_write(v, offset, value); break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: /* no queue of ours, or it would have stayed in the kernel */
		refused(v);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		__atomic_fetch_and(reg(v, VIRTIO_MMIO_INTERRUPT_STATUS),
				   ~(value & INTERRUPT_CONFIG), __ATOMIC_SEQ_CST);
		break;
	case VIRTIO_MMIO_STATUS: status_write(v, value); break;
	case VIRTIO_MMIO_SHM_SEL: window_select(v, value); break;
	default: refused(v);
	}
}

static void page_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	struct virtio *v = owner;
	uint32_t value;

	if (offset >= VIRTIO_MMIO_CONFIG + v->writable_from &&
	    offset + size <= VIRTIO_MMIO_CONFIG + v->writable_from + v->writable_size) {
		memcpy(v->page + offset, data, size);
		return;
	}
	if (size != sizeof(value) || offset % sizeof(value) != 0 || offset >= VIRTIO_MMIO_CONFIG) {
		refused(v);
		return;
	}
	memcpy(&value, data, sizeof(value));
	(void)pthread_mutex_lock(&v->lock);
	register_write(v, offset, value);
	(void)pthread_mutex_unlock(&v->lock);
}

/* Only for what KVM cannot read from the page by itself, such as an access across its end. */
static void page_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	const struct virtio *v = owner;

	memcpy(ret_data, v->page + offset, size);
}

static const struct bus_ops page_ops = { .read = page_read, .write = page_write };

/* A device that can no longer be trusted to be understood: the driver is told to start anew. */
static void check_broken(struct virtio *v)
{
	bool broken = false;

	for (unsigned int i = 0; i < v->queue_count; i++)
		broken = broken || v->queues[i].q.broken;
	if (!broken || v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	status_set(v, v->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	interrupt(v, INTERRUPT_CONFIG);
}

bool virtio_enter(struct virtio *v)
{
	(void)pthread_mutex_lock(&v->lock);
	if (v->was_reset) {
		v->was_reset = false;
		if (v->ops->reset)
			v->ops->reset(v);
	}
	if (v->was_started) {
		v->was_started = false;
		v->running = true;
		if (v->ops->start)
			v->ops->start(v);
	}
	return v->running && !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void virtio_leave(struct virtio *v)
{
	if (v->running)
		check_broken(v);
	(void)pthread_mutex_unlock(&v->lock);
}

void virtio_kicked(struct loop_source *source, uint32_t events)
{
	struct virtio_queue *queue = container_of(source, struct virtio_queue, kick);
	struct virtio *v = queue->owner;

	(void)events;
	(void)event_take(source->fd);
	if (virtio_enter(v) && queue->q.enabled)
		v->ops->kick(v, queue->index);
	virtio_leave(v);
}

static void changed_ready(struct loop_source *source, uint32_t events)
{
	struct virtio *v = container_of(source, struct virtio, changed);

	(void)events;
	(void)event_take(source->fd);
	(void)virtio_enter(v);
	virtio_leave(v);
}

void virtio_notify(struct virtio *v, unsigned int queue)
{
	if (!virtq_wants_interrupt(&v->queues[queue].q))
		return;
	if (v->queues[queue].call_fd >= 0)
		event_signal(v->queues[queue].call_fd);
	else
		interrupt(v, INTERRUPT_QUEUE);
}

void virtio_config_set(struct virtio *v, unsigned int offset, const void *data, unsigned int size)
{
	uint32_t *generation = reg(v, VIRTIO_MMIO_CONFIG_GENERATION);

	/* A reader that meets the change half done sees another number before or behind it. */
	__atomic_fetch_add(generation, 1, __ATOMIC_SEQ_CST);
	memcpy(v->page + VIRTIO_MMIO_CONFIG + offset, data, size);
	__atomic_fetch_add(generation, 1, __ATOMIC_SEQ_CST);
	if (v->running)
		interrupt(v, INTERRUPT_CONFIG);
}

static int source_add(struct virtio *v, struct loop_source *source,
		      void (*ready)(struct loop_source *, uint32_t))
{
	*source = (struct loop_source){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
					.ready = ready };
	if (source->fd < 0)
		return fail(errno, "eventfd");
	return loop_add(v->loop, source, EPOLLIN);
}

static int connect_all(struct virtio *v, struct bus *memory)
{
	uint64_t base = VM_DEVICES_BASE + (uint64_t)v->slot * VIRTIO_PAGE;
	int r;

	if (!memory)
		return 0;
	r = bus_add(memory, base, VIRTIO_PAGE, &page_ops, v);
	if (r < 0)
		return r;
	r = source_add(v, &v->changed, changed_ready);
	if (r < 0)
		return r;
	v->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->irq_fd < 0)
		return fail(errno, "eventfd");
	r = irq_assign(v->vm, VIRTIO_PIN_FIRST + v->slot, v->irq_fd);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < v->queue_count; i++) {
		r = source_add(v, &v->queues[i].kick, virtio_kicked);
		if (r < 0)
			return r;
		r = kick_assign(v->vm, base + VIRTIO_MMIO_QUEUE_NOTIFY, i, v->queues[i].kick.fd);
		if (r < 0)
			return r;
	}
	/* The usual acknowledgement changes nothing: let it end in the kernel. Nobody reads this count. */
	v->irq_sink = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->irq_sink < 0)
		return fail(errno, "eventfd");
	return kick_assign(v->vm, base + VIRTIO_MMIO_INTERRUPT_ACK, INTERRUPT_QUEUE, v->irq_sink);
}

void virtio_page_init(uint8_t *page)
{
	const uint32_t start[] = { MAGIC, VERSION, 0, VENDOR };

	memset(page, 0, VIRTIO_PAGE);
	memcpy(page, start, sizeof(start));
}

int virtio_init(struct virtio *v, struct vm *vm, struct loop *loop, struct bus *memory,
		unsigned int slot, uint8_t *page, const struct virtio_setup *setup)
{
	*v = (struct virtio){
		.vm = vm,
		.loop = loop,
		.ops = setup->ops,
		.id = setup->id,
		.slot = slot,
		.page = page,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.features = setup->features | 1ULL << VIRTIO_F_VERSION_1 |
			    1ULL << VIRTIO_RING_F_EVENT_IDX,
		.queue_count = setup->queue_count,
		.writable_from = setup->writable_from,
		.writable_size = setup->writable_size,
		.window_gpa = setup->window_gpa,
		.window_size = setup->window_size,
		.changed.fd = -1,
		.irq_fd = -1,
		.irq_sink = -1,
	};
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		v->queues[i] = (struct virtio_queue){ .owner = v, .index = i, .kick.fd = -1, .call_fd = -1 };
		virtq_reset(&v->queues[i].q, vm, setup->queue_size);
	}
	if (setup->queue_count > VIRTIO_QUEUES_MAX || setup->queue_size > VIRTQ_SIZE_MAX ||
	    setup->config_size > VIRTIO_CONFIG_MAX)
		return fail_plain(EINVAL, "a virtio device beyond our measures");
	virtio_page_init(page);
	if (setup->config_size > 0)
		memcpy(page + VIRTIO_MMIO_CONFIG, setup->config, setup->config_size);
	reg_set(v, VIRTIO_MMIO_DEVICE_ID, setup->id);
	page_select(v);
	window_select(v, 0);
	return connect_all(v, memory);
}

void virtio_done(struct virtio *v)
{
	int *fds[VIRTIO_QUEUES_MAX + 3] = { &v->changed.fd, &v->irq_fd, &v->irq_sink };

	if (!v->vm)
		return;
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		fds[3 + i] = &v->queues[i].kick.fd;
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX + 3; i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}
