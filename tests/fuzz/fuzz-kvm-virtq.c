/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that writes any bytes to the rings of the simplest device (random bytes), and any values to its registers.
 * Steps of the input: where something is written, and what; then the device gets its turn. Beside the device a queue is
 * walked by hand, to look at each chain: nothing of it may lie outside the guest's memory.
 */
#include "runtime/kvm/virtq.h"
#include "tests/fuzz/machine.h"

enum { STEPS_MOST = 64 };

static void part_check(const struct iovec *part)
{
	const uint8_t *at = part->iov_base;

	fuzz_must(part->iov_len > 0 && at >= machine.ram && at < machine.ram + RAM &&
		  part->iov_len <= (size_t)(machine.ram + RAM - at));
}

static void chain_check(struct virtq *q, const struct virtq_chain *chain, uint32_t offset)
{
	static uint8_t copy[4096];
	struct iovec parts[VIRTQ_SIZE_MAX];
	unsigned int n;

	fuzz_must(chain->readable + chain->writable <= q->size);
	for (unsigned int i = 0; i < chain->readable + chain->writable; i++)
		part_check(&chain->parts[i]);
	n = virtq_slice(chain->parts, chain->readable, offset, 100000, parts);
	fuzz_must(n <= chain->readable);
	for (unsigned int i = 0; i < n; i++)
		part_check(&parts[i]);
	fuzz_must(virtq_copy_in(chain, offset, copy, sizeof(copy)) <= chain->readable_bytes);
	fuzz_must(virtq_copy_out(chain, offset, copy, sizeof(copy)) <= chain->writable_bytes);
	virtq_push(q, chain->head, 1);
	(void)virtq_wants_interrupt(q);
}

/* The same rings, seen by nobody but us. */
static void queue_walk(struct fuzz_input *in)
{
	static struct virtq_chain chain;
	struct virtq q;

	virtq_reset(&q, &machine.vm, VIRTQ_SIZE_MAX);
	q.size = fuzz_number(in, 2);
	q.desc_gpa = fuzz_number(in, 3);
	q.avail_gpa = fuzz_number(in, 3);
	q.used_gpa = fuzz_number(in, 3);
	q.event_idx = in->size & 1;
	if (!virtq_enable(&q))
		return;
	for (unsigned int i = 0; i < STEPS_MOST && virtq_next(&q, &chain) == VIRTQ_CHAIN; i++)
		chain_check(&q, &chain, i);
}

static void memory_write(struct fuzz_input *in)
{
	uint32_t at = fuzz_number(in, 3) % RAM, size = fuzz_number(in, 1);

	if (size <= RAM - at)
		fuzz_take(in, machine.ram + at, size);
}

static void register_write(struct fuzz_input *in)
{
	static const unsigned int sizes[] = { 4, 1, 2, 8 };
	uint64_t offset = fuzz_number(in, 2), value;
	unsigned int size = sizes[offset >> 14];

	fuzz_take(in, &value, sizeof(value) / 2);
	(void)bus_write(&machine.memory, VM_DEVICES_BASE + offset % VIRTIO_PAGE, &value, size);
	(void)bus_read(&machine.memory, VM_DEVICES_BASE + offset % VIRTIO_PAGE, &value, size);
	machine_turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct vm_device_config config = { .kind = VM_DEVICE_RNG, .fd = { -1, -1 } };
	struct fuzz_input in = { data, size };
	struct device_place place;

	machine_new();
	place = machine_place();
	fuzz_must(rng_new(&place, &config, &machine.device) == 0);
	machine.v = machine.device.self;
	if (fuzz_number(&in, 1) & 1)
		machine_driver();
	for (unsigned int i = 0; i < STEPS_MOST && in.size > 0; i++) {
		switch (fuzz_number(&in, 1) % 5) {
		case 0: memory_write(&in); break;
		case 1: register_write(&in); break;
		case 2: machine_buffer(0, NULL, fuzz_number(&in, 2)); break;
		case 3: queue_walk(&in); break;
		default: machine_kick(0);
		}
	}
	machine_end();
	return 0;
}
