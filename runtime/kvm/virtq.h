/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * virtq - a split virtqueue, seen from the device
 *
 * The guest owns the memory of the queue and may write to it at any moment. Each field is read once,
 * the copy is judged, and a queue whose rules are broken is given up as a whole: it returns
 * VIRTQ_BROKEN for ever after, until the device is reset. Source: virtio 1.2, section 2.7.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct vm;

enum {
	VIRTQ_SIZE_MAX = 256, /* of a queue that we offer, and of one buffer in pieces */
	VIRTQ_RING_MAX = 1024, /* of a queue behind another hypervisor's registers */
};

/* Named outcomes of virtq_next(). */
enum { VIRTQ_EMPTY = 0, VIRTQ_CHAIN = 1, VIRTQ_BROKEN = 2 };

/*
 * struct virtq - @size, @desc, @avail, @used are what the driver asked for; they count once
 * virtq_enable() has said yes, and cannot be changed until virtq_reset()
 */
struct virtq {
	const struct vm *vm;
	uint16_t size_max; /* what the device offers; a power of two */
	uint32_t size;
	uint64_t desc_gpa, avail_gpa, used_gpa;

	bool enabled, broken;
	bool event_idx; /* VIRTIO_F_EVENT_IDX was agreed on */
	uint16_t next; /* the next entry of the available ring to look at */
	uint16_t done; /* entries written to the used ring */
	uint16_t told; /* value of `done` when the driver was last asked whether it wants to know */
	const struct vring_desc *desc;
	const uint16_t *avail;
	uint16_t *used;
};

/*
 * struct virtq_chain - one buffer of the driver, copied out of the queue and checked
 *
 * The first @readable of @parts are for the device to read, the @writable behind them to write. The
 * pointers are good for their lengths; what they point to stays the guest's.
 */
struct virtq_chain {
	uint16_t head;
	unsigned int readable, writable;
	size_t readable_bytes, writable_bytes;
	struct iovec parts[VIRTQ_SIZE_MAX];
};

/* virtq_reset() - as at the start; what the driver asked for is forgotten. */
void virtq_reset(struct virtq *q, const struct vm *vm, uint16_t size_max);

/* virtq_enable() - judge what the driver asked for, and freeze it. Return: whether the queue is usable now. */
bool virtq_enable(struct virtq *q);

/*
 * virtq_next() - take the next buffer
 *
 * Return: VIRTQ_CHAIN with @ret filled; VIRTQ_EMPTY, and the driver will notify of the next one; or
 * VIRTQ_BROKEN. Who stops before it is empty gets no notification and must come back by itself.
 */
int virtq_next(struct virtq *q, struct virtq_chain *ret);

/* virtq_undo() - give the chain just taken back to be taken again. */
void virtq_undo(struct virtq *q);

/* virtq_push() - hand a buffer back with @written bytes in its writable parts. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* virtq_wants_interrupt() - after pushes: does the driver want to be told? */
bool virtq_wants_interrupt(struct virtq *q);

/* virtq_is_seen() - has the driver looked at all that was pushed? For certain, if so. */
bool virtq_is_seen(const struct virtq *q);

/* virtq_copy_in() - @len bytes from @offset of the readable parts. Return: bytes copied, fewer at their end. */
size_t virtq_copy_in(const struct virtq_chain *chain, size_t offset, void *to, size_t len);
/* virtq_copy_out() - the same into the writable parts. */
size_t virtq_copy_out(const struct virtq_chain *chain, size_t offset, const void *from, size_t len);

/*
 * virtq_slice() - the pieces of @parts that hold [@offset, @offset + @len)
 * @ret: room for @count pieces
 *
 * Return: how many pieces there are; together they may be shorter than @len.
 */
unsigned int virtq_slice(const struct iovec *parts, unsigned int count, size_t offset, size_t len,
			 struct iovec *ret);
