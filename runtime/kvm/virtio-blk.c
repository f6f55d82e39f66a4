/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk over a raw file or a block device. Requests are served one after the other by preadv and
 * pwritev straight from and to the guest's memory. Read-only is the descriptor's mode as well as the
 * device's word, so that a guest that does not listen gets an error from the host's kernel.
 * Source: virtio 1.2, section 5.2.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"

enum {
	QUEUE_SIZE = 128,
	SECTOR = 512,
	SEGMENTS = QUEUE_SIZE - 2, /* a request less its header and its status */
	DISCARD_SECTORS = 1 << 22, /* 2 GiB at once */
};

struct blk {
	struct virtio v;
	int fd;
	uint64_t size;
	bool read_only, is_device;
	char id[VIRTIO_BLK_ID_BYTES];
};

static bool in_range(const struct blk *blk, uint64_t sector, uint64_t bytes)
{
	return sector <= blk->size / SECTOR && bytes <= blk->size - sector * SECTOR;
}

/* Move all of @parts, through short transfers. */
static uint8_t transfer(struct blk *blk, bool write, struct iovec *parts, unsigned int count,
			uint64_t offset)
{
	while (count > 0) {
		ssize_t n = write ? pwritev(blk->fd, parts, (int)count, (off_t)offset)
				  : preadv(blk->fd, parts, (int)count, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* 0: the file was cut short */
			return VIRTIO_BLK_S_IOERR;
		offset += (uint64_t)n;
		while (count > 0 && (size_t)n >= parts->iov_len) {
			n -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count > 0) {
			parts->iov_base = (uint8_t *)parts->iov_base + n;
			parts->iov_len -= (size_t)n;
		}
	}
	return VIRTIO_BLK_S_OK;
}

static uint8_t read_request(struct blk *blk, uint64_t sector, uint32_t *written)
{
	const struct virtq_chain *chain = &blk->v.chain;
	size_t bytes = chain->writable_bytes - 1;
	struct iovec parts[VIRTQ_SIZE_MAX];
	unsigned int n;
	uint8_t status;

	if (bytes % SECTOR != 0 || !in_range(blk, sector, bytes))
		return VIRTIO_BLK_S_IOERR;
	n = virtq_slice(chain->parts + chain->readable, chain->writable, 0, bytes, parts);
	status = transfer(blk, false, parts, n, sector * SECTOR);
	if (status == VIRTIO_BLK_S_OK)
		*written = (uint32_t)bytes;
	return status;
}

static uint8_t write_request(struct blk *blk, uint64_t sector)
{
	const struct virtq_chain *chain = &blk->v.chain;
	size_t bytes = chain->readable_bytes - sizeof(struct virtio_blk_outhdr);
	struct iovec parts[VIRTQ_SIZE_MAX];
	unsigned int n;

	if (blk->read_only || bytes % SECTOR != 0 || !in_range(blk, sector, bytes))
		return VIRTIO_BLK_S_IOERR;
	n = virtq_slice(chain->parts, chain->readable, sizeof(struct virtio_blk_outhdr), bytes,
			parts);
	return transfer(blk, true, parts, n, sector * SECTOR);
}

/* What the guest no longer needs goes back to the host; a file system that cannot is no error. */
static uint8_t discard_request(struct blk *blk)
{
	struct virtio_blk_discard_write_zeroes range;
	uint64_t bytes;

	if (virtq_copy_in(&blk->v.chain, sizeof(struct virtio_blk_outhdr), &range, sizeof(range)) !=
	    sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	bytes = (uint64_t)range.num_sectors * SECTOR;
	if (blk->read_only || range.flags != 0 || bytes == 0 ||
	    range.num_sectors > DISCARD_SECTORS || !in_range(blk, range.sector, bytes))
		return VIRTIO_BLK_S_UNSUPP;
	(void)fallocate(blk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			(off_t)(range.sector * SECTOR), (off_t)bytes);
	return VIRTIO_BLK_S_OK;
}

/* The chain in hand has room for a header and a status. Return: the status. */
static uint8_t request(struct blk *blk, uint32_t *written)
{
	struct virtio_blk_outhdr header;
	size_t size;

	if (virtq_copy_in(&blk->v.chain, 0, &header, sizeof(header)) != sizeof(header))
		return VIRTIO_BLK_S_IOERR;
	switch (header.type) {
	case VIRTIO_BLK_T_IN: return read_request(blk, header.sector, written);
	case VIRTIO_BLK_T_OUT: return write_request(blk, header.sector);
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(blk->fd) < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD: return discard_request(blk);
	case VIRTIO_BLK_T_GET_ID:
		size = blk->v.chain.writable_bytes - 1;
		if (size > sizeof(blk->id))
			size = sizeof(blk->id);
		*written = (uint32_t)virtq_copy_out(&blk->v.chain, 0, blk->id, size);
		return VIRTIO_BLK_S_OK;
	default: return VIRTIO_BLK_S_UNSUPP;
	}
}

static void blk_kick(struct virtio *v, unsigned int queue)
{
	struct blk *blk = container_of(v, struct blk, v);
	struct virtq *q = &v->queues[queue].q;

	while (virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		uint32_t written = 0;
		uint8_t status;

		/* No place for a status: no driver does that, and there is nobody to tell. */
		if (v->chain.writable_bytes == 0) {
			virtq_push(q, v->chain.head, 0);
			continue;
		}
		status = request(blk, &written);
		(void)virtq_copy_out(&v->chain, v->chain.writable_bytes - 1, &status, 1);
		virtq_push(q, v->chain.head, written + 1);
	}
	virtio_notify(v, queue);
}

static const struct virtio_ops blk_ops = { .kick = blk_kick };

static void blk_free(void *self)
{
	struct blk *blk = self;

	virtio_done(&blk->v);
	free(blk);
}
CLEANUP_DEFINE(struct blk *, blk_free)

static int size_get(struct blk *blk)
{
	struct stat st;

	if (fstat(blk->fd, &st) < 0)
		return fail(errno, "look at the disk");
	blk->is_device = S_ISBLK(st.st_mode);
	blk->size = (uint64_t)st.st_size;
	if (!blk->is_device && !S_ISREG(st.st_mode))
		return fail_plain(ENOTBLK, "the disk is neither a file nor a block device");
	if (blk->is_device && ioctl(blk->fd, BLKGETSIZE64, &blk->size) < 0)
		return fail(errno, "BLKGETSIZE64");
	if (blk->size < SECTOR)
		return fail_plain(EINVAL, "the disk is smaller than a sector");
	blk->size -= blk->size % SECTOR;
	return 0;
}

int blk_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret)
{
	struct virtio_blk_config registers = { .seg_max = SEGMENTS, .blk_size = SECTOR };
	struct virtio_setup setup = {
		.ops = &blk_ops,
		.id = VIRTIO_ID_BLOCK,
		.features = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			    1ULL << VIRTIO_BLK_F_FLUSH,
		.queue_count = 1,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
	};
	__attribute__((cleanup(blk_free_p))) struct blk *blk = calloc(1, sizeof(*blk));
	int r;

	if (!blk)
		return fail(ENOMEM, "make the disk");
	blk->fd = config->fd[0];
	blk->read_only = config->flags & VM_DEVICE_READ_ONLY;
	r = size_get(blk);
	if (r < 0)
		return r;
	memcpy(blk->id, config->tag, sizeof(blk->id));
	registers.capacity = blk->size / SECTOR;
	if (blk->read_only) {
		setup.features |= 1ULL << VIRTIO_BLK_F_RO;
	} else {
		setup.features |= 1ULL << VIRTIO_BLK_F_DISCARD;
		registers.max_discard_sectors = DISCARD_SECTORS;
		registers.max_discard_seg = 1;
		registers.discard_sector_alignment = 8;
	}
	r = virtio_init(&blk->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .virtio = &blk->v, .self = blk, .free = blk_free };
	blk = NULL;
	return 0;
}
