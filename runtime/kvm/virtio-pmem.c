/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file as memory of the guest: what it reads is the host's page cache itself, once for all guests.
 * Read-only is the host's mapping and the memory slot's, not the guest's word. Behind the file's end
 * zeroes fill up to the next 2 MiB, which the guest's driver asks for. Source: virtio 1.2, section 5.19.
 */
#include "runtime/kvm/device.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pmem.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

enum { QUEUE_SIZE = 16 };

struct pmem {
	struct virtio v;
	int fd;
	bool read_only;
	void *host;
	uint64_t size;
};

static uint32_t flush(const struct pmem *pmem, uint32_t type)
{
	if (type != VIRTIO_PMEM_REQ_TYPE_FLUSH)
		return 1;
	return !pmem->read_only && fdatasync(pmem->fd) < 0;
}

static void pmem_kick(struct virtio *v, unsigned int queue)
{
	const struct pmem *pmem = container_of(v, struct pmem, v);
	struct virtq *q = &v->queues[queue].q;

	while (virtq_next(q, &v->chain) == VIRTQ_CHAIN) {
		struct virtio_pmem_req request;
		struct virtio_pmem_resp answer = { .ret = 1 };

		if (virtq_copy_in(&v->chain, 0, &request, sizeof(request)) == sizeof(request))
			answer.ret = flush(pmem, request.type);
		virtq_push(q, v->chain.head,
			   (uint32_t)virtq_copy_out(&v->chain, 0, &answer, sizeof(answer)));
	}
	virtio_notify(v, queue);
}

static const struct virtio_ops pmem_ops = { .kick = pmem_kick };

static void pmem_free(void *self)
{
	struct pmem *pmem = self;

	virtio_done(&pmem->v);
	if (pmem->host)
		(void)munmap(pmem->host, pmem->size);
	free(pmem);
}
CLEANUP_DEFINE(struct pmem *, pmem_free)

/* Anonymous zeroes first, then the file over them as far as it goes. */
static int file_map(struct pmem *pmem)
{
	int protection = PROT_READ | (pmem->read_only ? 0 : PROT_WRITE);
	struct stat st;
	void *at;

	if (fstat(pmem->fd, &st) < 0)
		return fail(errno, "look at the image");
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return fail_plain(EINVAL, "the image is not a file, or is empty");
	pmem->size = ((uint64_t)st.st_size + VM_MEMORY_STEP - 1) & ~(VM_MEMORY_STEP - 1);
	at = mmap(NULL, pmem->size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return fail(errno, "map the image");
	pmem->host = at;
	at = mmap(pmem->host, (size_t)st.st_size, protection, MAP_SHARED | MAP_FIXED, pmem->fd, 0);
	if (at == MAP_FAILED)
		return fail(errno, "map the image");
	(void)madvise(pmem->host, pmem->size, MADV_DONTDUMP);
	/* cppcheck-suppress memleak ; it is within pmem->host */
	return 0;
}

int pmem_new(const struct device_place *place, const struct vm_device_config *config,
	     struct device *ret)
{
	struct virtio_pmem_config registers;
	const struct virtio_setup setup = {
		.ops = &pmem_ops,
		.id = VIRTIO_ID_PMEM,
		.queue_count = 1,
		.queue_size = QUEUE_SIZE,
		.config = &registers,
		.config_size = sizeof(registers),
	};
	__attribute__((cleanup(pmem_free_p))) struct pmem *pmem = calloc(1, sizeof(*pmem));
	uint64_t gpa;
	int r;

	if (!pmem)
		return fail(ENOMEM, "make the image's device");
	pmem->fd = config->fd[0];
	pmem->read_only = config->flags & VM_DEVICE_READ_ONLY;
	r = file_map(pmem);
	if (r < 0)
		return r;
	r = vm_window_reserve(place->vm, pmem->size, &gpa);
	if (r < 0)
		return r;
	r = vm_map(place->vm, gpa, pmem->size, pmem->host, pmem->read_only);
	if (r < 0)
		return r;
	registers = (struct virtio_pmem_config){ .start = gpa, .size = pmem->size };
	r = virtio_init(&pmem->v, place->vm, place->loop, place->memory, place->slot, place->page,
			&setup);
	if (r < 0)
		return r;
	*ret = (struct device){ .self = steal_ptr(&pmem), .free = pmem_free };
	return 0;
}
