/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file server's queues and its window. The window is address space of ours that the guest sees
 * as memory; the server maps pieces of files into it when the guest asks (DAX), so that both sides
 * use one page cache. Source: virtio 1.2, section 5.11.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/fuse.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

enum { QUEUES = 2, QUEUE_SIZE = 256 }; /* urgent ones, requests */

struct fs {
	struct virtio v;
	struct fuse fuse;
};

static void fs_kick(struct virtio *v, unsigned int queue)
{
	struct fs *fs = container_of(v, struct fs, v);
	struct virtq *q = &v->queues[queue].q;

	if (v->restored && !fs->fuse.started)
		fuse_resume(&fs->fuse);
	while (virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		virtq_push(q, v->chain.head, (uint32_t)fuse_serve(&fs->fuse, &v->chain));
		virtio_notify(v, queue);
	}
}

/* Nothing is mapped any more; an address of it then ends a guest that goes on using it. */
static void window_clear(const struct fuse_window *window)
{
	void *at = mmap(window->host, window->size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	if (at == MAP_FAILED)
		(void)madvise(window->host, window->size, MADV_DONTNEED);
	/* cppcheck-suppress memleak ; it is the window */
}

static void fs_reset(struct virtio *v)
{
	struct fs *fs = container_of(v, struct fs, v);

	fuse_reset(&fs->fuse);
	if (fs->fuse.window.size > 0)
		window_clear(&fs->fuse.window);
}

static const struct virtio_ops fs_ops = { .kick = fs_kick, .reset = fs_reset };

static void fs_free(void *self)
{
	struct fs *fs = self;

	virtio_done(&fs->v);
	fuse_done(&fs->fuse);
	if (fs->fuse.window.host)
		(void)munmap(fs->fuse.window.host, fs->fuse.window.size);
	free(fs);
}
CLEANUP_DEFINE(struct fs *, fs_free)

static int window_make(struct vm *vm, struct fuse_window *window, uint64_t size, uint64_t *ret_gpa)
{
	void *host;
	int r;

	if (size == 0)
		return 0;
	r = vm_window_reserve(vm, size, ret_gpa);
	if (r < 0)
		return r;
	host = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (host == MAP_FAILED)
		return fail(errno, "reserve the files' window");
	*window = (struct fuse_window){ .host = host, .size = size };
	(void)madvise(host, size, MADV_DONTDUMP);
	return vm_map(vm, *ret_gpa, size, host, false);
}

int fs_new(const struct device_place *place, const struct vm_device_config *config,
	   struct device *ret)
{
	struct virtio_fs_config registers = { .num_request_queues = 1 };
	struct virtio_setup setup = {
		.ops = &fs_ops,
		.id = VIRTIO_ID_FS,
		.queue_count = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
	};
	__attribute__((cleanup(fs_free_p))) struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return fail(ENOMEM, "make the file server");
	for (unsigned int i = 0; i < place->share_count; i++) {
		struct fuse_share *share = &fs->fuse.shares[i];

		share->fd = place->shares[i].fd;
		share->read_only = place->shares[i].flags & VM_DEVICE_READ_ONLY;
		memcpy(share->name, place->shares[i].name, sizeof(share->name));
	}
	fs->fuse.share_count = place->share_count;
	memcpy(registers.tag, config->tag, sizeof(registers.tag));
	r = window_make(place->vm, &fs->fuse.window, config->window, &setup.window_gpa);
	if (r < 0)
		return r;
	setup.window_size = fs->fuse.window.size;
	r = virtio_init(&fs->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .virtio = &fs->v, .self = fs, .free = fs_free };
	fs = NULL;
	return 0;
}
