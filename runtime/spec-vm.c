/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "vm". It is there, so there is a machine; all that it may say has a default.
 * Source: runtime-spec 1.3, config-vm.md.
 */
#include "runtime/spec-internal.h"

#define VM(member) offsetof(struct spec_vm, member)

static const struct json_range vcpus_range = { 1, 16 };
static const struct json_range memory_range = { 32 << 20, INT64_MAX };

static const struct json_field kernel_fields[] = {
	{ "path", json_get_string, VM(kernel_path), JSON_NOT_EMPTY | JSON_ABSOLUTE, NULL,
	  "the guest's kernel, an ELF image or a bzImage; absent: one of /boot" },
	{ "parameters", json_get_strings, VM(kernel_parameters), 0, NULL, "added to its command line" },
	{ "initrd", json_refuse, 0, 0, NULL, "an initial file system in place of ours" },
	{ 0 },
};

static const struct json_field hardware_fields[] = {
	{ "vcpus", json_get_int, VM(vcpus), 0, &vcpus_range,
	  "processors; absent: as many as linux.resources.cpu allows to use" },
	{ "memory", json_get_int, VM(memory), 0, &memory_range,
	  "bytes of memory; absent: linux.resources.memory.limit and what a kernel needs" },
	{ "deviceTree", json_refuse, 0, 0, NULL, "a description of devices" },
	{ "dtdevs", json_refuse, 0, 0, NULL, "devices of the host" },
	{ "iomems", json_refuse, 0, 0, NULL, "memory of the host's devices" },
	{ "irqs", json_refuse, 0, 0, NULL, "interrupts of the host's devices" },
	{ 0 },
};

static const struct json_field hypervisor_fields[] = {
	{ "path", json_get_string, VM(hypervisor_path), JSON_REQUIRED | JSON_NOT_EMPTY | JSON_ABSOLUTE, NULL,
	  "the program of a QEMU, qemu-system-x86_64, which needs no KVM" },
	{ "parameters", json_get_strings, VM(hypervisor_parameters), 0, NULL, "added to its command line" },
	{ 0 },
};

const struct json_field spec_vm_fields[] = {
	{ "kernel", json_get_object, 0, 0, kernel_fields, "the guest's kernel" },
	{ "hwConfig", json_get_object, 0, 0, hardware_fields, "the machine" },
	{ "ksm", json_get_bool, VM(ksm), 0, NULL,
	  "ours: the host may merge its memory with that of other machines (KSM); absent: false" },
	{ "hypervisor", json_get_object, 0, 0, hypervisor_fields, "another monitor than ours" },
	{ "image", json_refuse, 0, 0, NULL, "a disk image as the root" },
	{ 0 },
};

int spec_get_vm(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_vm *vm = target;

	vm->set = true;
	return json_object_read(at, v, field->arg, 0, vm);
}
