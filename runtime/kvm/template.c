/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory is written in pieces of TEMPLATE_PIECE: of a piece without a byte that is not zero nothing is written,
 * and within others pages of zeroes become holes. Pieces that the machine never touched are not even looked
 * at, for that would give them memory; unless memory may be in swap, for what is there looks untouched, too.
 */
#include "runtime/kvm/template.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/str.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/vm.h"

enum { PAGE = 4096, PIECE = 256 << 10, PIECE_PAGES = PIECE / PAGE };

static int write_at(int fd, const void *data, size_t size, uint64_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, (const uint8_t *)data + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(n < 0 ? errno : EIO, "write the template");
		done += (size_t)n;
	}
	return 0;
}

static bool is_zero(const uint8_t *at, size_t size)
{
	return at[0] == 0 && memcmp(at, at + 1, size - 1) == 0;
}

static bool is_untouched(const uint8_t *at)
{
	unsigned char pages[PIECE_PAGES];

	/* cppcheck-suppress constVariablePointer ; mincore(2) wants it so */
	if (mincore((void *)(uintptr_t)at, PIECE, pages) < 0)
		return false;
	for (unsigned int i = 0; i < PIECE_PAGES; i++)
		if (pages[i] & 1)
			return false;
	return true;
}

/* The pages of one piece, run by run. Return: 1, 0 when there is nothing in it, or a recorded failure. */
static int piece_save(int fd, const struct vm *vm, uint64_t at)
{
	const uint8_t *piece = vm->ram + at;
	unsigned int from = 0;
	bool any = false;

	if (vm->ram_stays && is_untouched(piece))
		return 0;
	for (unsigned int i = 0; i <= PIECE_PAGES; i++) {
		int r;

		if (i < PIECE_PAGES && !is_zero(piece + (size_t)i * PAGE, PAGE))
			continue;
		any = any || i > from;
		r = i == from ? 0 : write_at(fd, piece + (size_t)from * PAGE, (size_t)(i - from) * PAGE,
					     TEMPLATE_RAM + at + (uint64_t)from * PAGE);
		if (r < 0)
			return r;
		from = i + 1;
	}
	return any;
}

static int extent_add(struct template_extent *extents, uint32_t *count, uint64_t at)
{
	struct template_extent *last = *count ? &extents[*count - 1] : NULL;

	if (last && last->at + last->size == at) {
		last->size += PIECE;
		return 0;
	}
	if (*count == TEMPLATE_EXTENTS)
		return fail_plain(E2BIG, "the machine's memory is in too many pieces");
	extents[(*count)++] = (struct template_extent){ .at = at, .size = PIECE };
	return 0;
}

static int memory_save(int fd, const struct vm *vm, struct template_extent *extents, uint32_t *ret_count)
{
	*ret_count = 0;
	for (uint64_t at = 0; at < vm->ram_size; at += PIECE) {
		int r = piece_save(fd, vm, at);

		if (r > 0)
			r = extent_add(extents, ret_count, at);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t hash_of(const struct template_head *head, const void *state)
{
	struct template_head plain = *head;

	plain.hash = 0;
	return str_hash(str_hash(STR_HASH_START, &plain, sizeof(plain)), state, head->size);
}

static uint64_t size_of(const struct template_head *head)
{
	return sizeof(struct template_state) + head->vcpus * sizeof(struct x86_vcpu_state) +
	       head->extent_count * sizeof(struct template_extent);
}

/* @to: room for the largest. */
static int state_fill(const struct vm *vm, const struct vcpu *vcpus, unsigned int vcpu_count,
		      struct virtio *const *devices, unsigned int device_count, struct template_state *to)
{
	struct x86_vcpu_state *each = (struct x86_vcpu_state *)(to + 1);

	for (unsigned int i = 0; i < vcpu_count; i++) {
		uint64_t tsc;
		int r = x86_vcpu_save(&vcpus[i], &each[i]);

		if (r < 0)
			return r;
		tsc = x86_state_tsc(&each[i]);
		to->tsc = tsc > to->tsc ? tsc : to->tsc;
	}
	for (unsigned int i = 0; i < device_count; i++)
		virtio_save(devices[i], &to->devices[i]);
	return x86_vm_save(vm, &to->vm);
}

int template_save(int fd, const struct vm *vm, const struct vcpu *vcpus, unsigned int vcpu_count,
		  struct virtio *const *devices, unsigned int device_count)
{
	struct template_head head = {
		.magic = TEMPLATE_MAGIC, .memory = vm->ram_size, .vcpus = vcpu_count, .device_count = device_count,
	};
	struct template_head largest = head;
	cleanup_free struct template_state *state = NULL;
	int r;

	largest.extent_count = TEMPLATE_EXTENTS;
	state = calloc(1, size_of(&largest));
	if (!state)
		return fail(ENOMEM, "make a template");
	if (device_count > VM_TEMPLATE_DEVICES || vm->ram_size % PIECE != 0)
		return fail_plain(EINVAL, "no template can be made of this machine");
	r = state_fill(vm, vcpus, vcpu_count, devices, device_count, state);
	if (r < 0)
		return r;
	if (ftruncate(fd, (off_t)(TEMPLATE_RAM + vm->ram_size)) < 0)
		return fail(errno, "make room for the template");
	r = memory_save(fd, vm, (struct template_extent *)((struct x86_vcpu_state *)(state + 1) + vcpu_count),
			&head.extent_count);
	if (r < 0)
		return r;
	head.size = size_of(&head);
	head.hash = hash_of(&head, state);
	r = write_at(fd, state, head.size, TEMPLATE_SEAL + sizeof(head));
	if (r == 0)
		r = write_at(fd, &head, sizeof(head), TEMPLATE_SEAL);
	return r;
}

/* --- and back ------------------------------------------------------------------------------------- */

static int broken(const char *what)
{
	return fail_plain(EINVAL, "the template is broken: %s", what);
}

static int head_check(int fd, const struct template_head *head)
{
	struct stat st;

	if (head->magic != TEMPLATE_MAGIC)
		return broken("it does not begin like one");
	if (head->vcpus < 1 || head->vcpus > VM_VCPUS_MAX || head->device_count > VM_TEMPLATE_DEVICES ||
	    head->extent_count > TEMPLATE_EXTENTS || head->memory > VM_MEMORY_MAX || head->memory % VM_MEMORY_STEP ||
	    head->size != size_of(head) || head->size > TEMPLATE_RAM - TEMPLATE_SEAL - sizeof(*head))
		return broken("a number is out of its range");
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at the template");
	return (uint64_t)st.st_size == TEMPLATE_RAM + head->memory ? 0 : broken("it has not its size");
}

static int extents_check(const struct template *template)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < template->head.extent_count; i++) {
		const struct template_extent *e = &template->extents[i];

		if (e->at < end || e->at % PAGE || e->size % PAGE || e->size == 0 || e->at > template->head.memory ||
		    e->size > template->head.memory - e->at)
			return broken("a piece of memory is out of its place");
		end = e->at + e->size;
	}
	return 0;
}

int template_load(int fd, struct template *ret)
{
	cleanup_free struct template_state *state = NULL;
	struct template_head head;
	struct template found;
	int r;

	if (pread(fd, &head, sizeof(head), TEMPLATE_SEAL) != (ssize_t)sizeof(head))
		return broken("it is too short");
	r = head_check(fd, &head);
	if (r < 0)
		return r;
	state = malloc(head.size);
	if (!state)
		return fail(ENOMEM, "read a template");
	if (pread(fd, state, head.size, TEMPLATE_SEAL + sizeof(head)) != (ssize_t)head.size)
		return broken("it is too short");
	if (hash_of(&head, state) != head.hash)
		return broken("its sum is wrong");
	found = (struct template){ .head = head, .vcpus = (const struct x86_vcpu_state *)(state + 1) };
	found.extents = (const struct template_extent *)(found.vcpus + head.vcpus);
	r = extents_check(&found);
	if (r < 0)
		return r;
	found.state = steal_ptr(&state);
	*ret = found;
	return 0;
}

void template_done(struct template *template)
{
	free(template->state);
	*template = (struct template){ .state = NULL };
}

int template_map(const struct template *template, int fd, const struct vm *vm)
{
	if (template->head.memory != vm->ram_size)
		return broken("it is of a machine with other memory");
	/* What is written becomes the clone's own, a page at a time: large ones would copy what nobody asked for. */
	(void)madvise(vm->ram, vm->ram_size, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < template->head.extent_count; i++) {
		const struct template_extent *e = &template->extents[i];
		void *at = mmap(vm->ram + e->at, e->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
				(off_t)(TEMPLATE_RAM + e->at));

		if (at == MAP_FAILED)
			return fail(errno, "map the template's memory");
		(void)madvise(at, e->size, MADV_DONTDUMP);
	}
	return 0;
}

int template_restore(const struct template *template, const struct vm *vm, struct vcpu *vcpus,
		     unsigned int vcpu_count, struct virtio *const *devices, unsigned int device_count)
{
	int r;

	if (vcpu_count != template->head.vcpus || device_count < template->head.device_count)
		return broken("it is of a machine with other processors or devices");
	r = x86_vm_restore(vm, &template->state->vm);
	for (unsigned int i = 0; r == 0 && i < vcpu_count; i++)
		r = x86_vcpu_restore(&vcpus[i], &template->vcpus[i], template->state->tsc);
	/* When the interrupt controllers are what they were: each device raises its interrupt. */
	for (unsigned int i = 0; r == 0 && i < template->head.device_count; i++) {
		r = devices[i] ? virtio_restore(devices[i], &template->state->devices[i]) :
		    broken("a device is missing");
		if (r < 0)
			r = fail_in(r, "device %u", i);
	}
	return r;
}
