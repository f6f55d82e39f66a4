/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * template - a machine that has booted, in a file, and other machines that go on from there
 *
 * A file holds, in this order: TEMPLATE_SEAL bytes that are not ours, but whose who keeps the file (which
 * kernel it is of, whether it is whole); a struct template_head; a struct template_state, of each processor a
 * struct x86_vcpu_state, and struct template_extent; and from TEMPLATE_RAM on the machine's memory, byte by byte
 * at its place. What is not within an extent reads as zero and is not mapped: the memory that a clone has
 * never touched is in the file's pages, which all clones have together, or nowhere.
 */

#include <stdint.h>

#include "runtime/kvm/config.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/x86-state.h"

#define TEMPLATE_MAGIC 0x3174636eULL /* "nct1": the digit is the version */
#define TEMPLATE_RAM   (4ULL << 20)

enum {
	TEMPLATE_SEAL = 8192,
	TEMPLATE_EXTENTS = 16384,
};

/*
 * struct template_head
 *
 * @size: of what follows, up to the memory
 * @hash: of all that, and of this struct with 0 in this place
 */
struct template_head {
	uint64_t magic, memory, size, hash;
	uint32_t vcpus, device_count, extent_count, reserved;
};

struct template_state {
	struct x86_vm_state vm;
	uint64_t tsc;
	struct virtio_state devices[VM_TEMPLATE_DEVICES]; /* those behind them are for the clone alone */
};

/* A run of RAM, in bytes; multiples of a page. */
struct template_extent {
	uint64_t at, size;
};

/* struct template - what is in a file, but the memory; all zero is none */
struct template {
	struct template_head head;
	struct template_state *state; /* the head's size */
	const struct x86_vcpu_state *vcpus;
	const struct template_extent *extents;
};

struct vcpu;
struct vm;

/*
 * template_save() - write a machine that stands still
 * @fd: an empty file
 * @devices: of the slots from the first on; NULL where there is none
 *
 * Return: 0 or a recorded failure, and the file is of no use.
 */
int template_save(int fd, const struct vm *vm, const struct vcpu *vcpus, unsigned int vcpu_count,
		  struct virtio *const *devices, unsigned int device_count);

/*
 * template_load() - read and judge all but the memory
 *
 * Refused unless each number is in its range, the file has its size, and the hash is right. Return: 0 with
 * @ret for template_done(), or a recorded failure.
 */
int template_load(int fd, struct template *ret);
void template_done(struct template *template);

/* template_map() - put the file's memory into that of a machine that has not run. Return: 0 or a recorded failure. */
int template_map(const struct template *template, int fd, const struct vm *vm);

/*
 * template_restore() - all that is no memory
 * @vcpus, @devices: made, as many and as those that were saved
 *
 * Return: 0 or a recorded failure, after which the machine is of no use.
 */
int template_restore(const struct template *template, const struct vm *vm, struct vcpu *vcpus,
		     unsigned int vcpu_count, struct virtio *const *devices, unsigned int device_count);
