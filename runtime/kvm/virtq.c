/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking a queue in memory that a hostile guest shares with us. What bounds each loop is never read
 * from the guest: at most `size` buffers are pending, at most `size` descriptors make a chain. RAM
 * never moves while the machine runs, so the rings' addresses are turned into pointers once.
 */
#include "runtime/kvm/virtq.h"

#include <linux/virtio_ring.h>
#include <string.h>

#include "runtime/kvm/vm.h"

/* Places in the rings, in units of 16 bits (the used ring's elements are 8 bytes from byte 4). */
enum {
	RING_FLAGS = 0,
	RING_INDEX = 1,
	RING_ENTRIES = 2,
};

static uint16_t get16(const uint16_t *p, int order)
{
	return __atomic_load_n(p, order);
}

static void put16(uint16_t *p, uint16_t value, int order)
{
	__atomic_store_n(p, value, order);
}

void virtq_reset(struct virtq *q, const struct vm *vm, uint16_t size_max)
{
	*q = (struct virtq){ .vm = vm, .size_max = size_max };
}

bool virtq_enable(struct virtq *q)
{
	uint32_t n = q->size;

	if (q->enabled)
		return true;
	if (n == 0 || n > q->size_max || (n & (n - 1)) != 0)
		return false;
	if (q->desc_gpa % 16 || q->avail_gpa % 2 || q->used_gpa % 4)
		return false;
	/* Both rings have room for the event index, whether it is agreed on or not. */
	q->desc = vm_guest(q->vm, q->desc_gpa, 16ULL * n, VM_READ);
	q->avail = vm_guest(q->vm, q->avail_gpa, 6 + 2ULL * n, VM_READ);
	q->used = vm_guest(q->vm, q->used_gpa, 6 + 8ULL * n, VM_WRITE);
	q->enabled = q->desc && q->avail && q->used;
	return q->enabled;
}

static int give_up(struct virtq *q)
{
	if (!q->broken)
		vm_count(&q->vm->stats->broken);
	q->broken = true;
	return VIRTQ_BROKEN;
}

/* Follow the chain from @head. Return: false when it breaks a rule. */
static bool chain_walk(const struct virtq *q, uint16_t head, struct virtq_chain *ret)
{
	uint32_t at = head;

	ret->head = head;
	ret->readable = ret->writable = 0;
	ret->readable_bytes = ret->writable_bytes = 0;
	for (uint32_t steps = 0; steps < q->size && steps < VIRTQ_SIZE_MAX; steps++) {
		const volatile struct vring_desc *from;
		struct vring_desc desc;
		bool writable;
		void *part;

		if (at >= q->size)
			return false;
		/* The one copy; volatile, so that no field is fetched a second time. */
		from = &q->desc[at];
		desc.addr = from->addr;
		desc.len = from->len;
		desc.flags = from->flags;
		desc.next = from->next;

		writable = desc.flags & VRING_DESC_F_WRITE;
		if ((desc.flags & VRING_DESC_F_INDIRECT) || (!writable && ret->writable > 0))
			return false;
		part = vm_guest(q->vm, desc.addr, desc.len, writable ? VM_WRITE : VM_READ);
		if (!part || desc.len == 0)
			return false;
		ret->parts[ret->readable + ret->writable] =
			(struct iovec){ .iov_base = part, .iov_len = desc.len };
		if (writable) {
			ret->writable++;
			ret->writable_bytes += desc.len;
		} else {
			ret->readable++;
			ret->readable_bytes += desc.len;
		}
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		at = desc.next;
	}
	return false; /* longer than the table: a loop; or than any request that a driver makes */
}

static uint16_t pending(const struct virtq *q)
{
	return (uint16_t)(get16(&q->avail[RING_INDEX], __ATOMIC_ACQUIRE) - q->next);
}

/* Nothing there: ask to be notified of the next buffer, then look again. Return: what came meanwhile. */
static uint16_t listen(struct virtq *q)
{
	uint16_t *event = &q->used[RING_ENTRIES + 4 * q->size];

	if (!q->event_idx)
		return 0; /* who has no event index notifies of every buffer */
	/* Written is what is not there: a page that a clone has of its template stays that. */
	if (get16(event, __ATOMIC_RELAXED) != q->next)
		put16(event, q->next, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return pending(q);
}

int virtq_next(struct virtq *q, struct virtq_chain *ret)
{
	uint16_t waiting, head;

	if (!q->enabled || q->broken)
		return q->broken ? VIRTQ_BROKEN : VIRTQ_EMPTY;
	waiting = pending(q);
	if (waiting == 0)
		waiting = listen(q);
	if (waiting == 0)
		return VIRTQ_EMPTY;
	if (waiting > q->size)
		return give_up(q);
	head = get16(&q->avail[RING_ENTRIES + (q->next & (q->size - 1))], __ATOMIC_RELAXED);
	if (!chain_walk(q, head, ret))
		return give_up(q);
	q->next++;
	return VIRTQ_CHAIN;
}

void virtq_undo(struct virtq *q)
{
	q->next--;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	struct vring_used_elem *entries = (struct vring_used_elem *)(void *)&q->used[RING_ENTRIES];
	struct vring_used_elem *entry = &entries[q->done & (q->size - 1)];

	if (!q->enabled || q->broken)
		return;
	__atomic_store_n(&entry->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->len, written, __ATOMIC_RELAXED);
	q->done++;
	put16(&q->used[RING_INDEX], q->done, __ATOMIC_RELEASE);
}

bool virtq_wants_interrupt(struct virtq *q)
{
	uint16_t before = q->told, event;

	if (!q->enabled || q->broken || before == q->done)
		return false;
	q->told = q->done;
	/* The driver writes its wish, then looks at the index we wrote; we do the same crosswise. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(get16(&q->avail[RING_FLAGS], __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = get16(&q->avail[RING_ENTRIES + q->size], __ATOMIC_RELAXED);
	return vring_need_event(event, q->done, before);
}

/* One that has looked at everything asks to be told of the next. */
bool virtq_is_seen(const struct virtq *q)
{
	if (!q->enabled || q->broken)
		return true;
	return q->event_idx && get16(&q->avail[RING_ENTRIES + q->size], __ATOMIC_RELAXED) == q->done;
}

unsigned int virtq_slice(const struct iovec *parts, unsigned int count, size_t offset, size_t len,
			 struct iovec *ret)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < count && len > 0; i++) {
		size_t have = parts[i].iov_len;

		if (offset >= have) {
			offset -= have;
			continue;
		}
		have -= offset;
		if (have > len)
			have = len;
		ret[n++] = (struct iovec){
			.iov_base = (uint8_t *)parts[i].iov_base + offset,
			.iov_len = have,
		};
		len -= have;
		offset = 0;
	}
	return n;
}

size_t virtq_copy_in(const struct virtq_chain *chain, size_t offset, void *to, size_t len)
{
	size_t copied = 0;

	for (unsigned int i = 0; i < chain->readable && copied < len; i++) {
		struct iovec piece;

		if (offset >= chain->parts[i].iov_len) {
			offset -= chain->parts[i].iov_len;
			continue;
		}
		(void)virtq_slice(&chain->parts[i], 1, offset, len - copied, &piece);
		memcpy((uint8_t *)to + copied, piece.iov_base, piece.iov_len);
		copied += piece.iov_len;
		offset = 0;
	}
	return copied;
}

size_t virtq_copy_out(const struct virtq_chain *chain, size_t offset, const void *from, size_t len)
{
	size_t copied = 0;

	for (unsigned int i = 0; i < chain->writable && copied < len; i++) {
		const struct iovec *part = &chain->parts[chain->readable + i];
		struct iovec piece;

		if (offset >= part->iov_len) {
			offset -= part->iov_len;
			continue;
		}
		(void)virtq_slice(part, 1, offset, len - copied, &piece);
		memcpy(piece.iov_base, (const uint8_t *)from + copied, piece.iov_len);
		copied += piece.iov_len;
		offset = 0;
	}
	return copied;
}
