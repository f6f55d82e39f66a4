/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The section "vm". It is there, so there is a machine; all that it may say has a default.
 * Source: runtime-spec 1.3, config-vm.md.
 */
#include "runtime/spec-internal.h"

#include <errno.h>
#include <stdlib.h>

#include "runtime/base/str.h"

#define VM(member) offsetof(struct spec_vm, member)

static const struct json_range vcpus_range = { 1, 16 };
static const struct json_range memory_range = { 32 << 20, INT64_MAX };
static const struct json_range dax_range = { 0, 1LL << 40 };

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

static int get_template(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	bool wanted = false;
	int r = json_get_bool(at, v, &wanted, field);

	*(enum spec_template *)target = wanted ? SPEC_TEMPLATE_WANTED : SPEC_TEMPLATE_NEVER;
	return r;
}

const struct json_field spec_vm_fields[] = {
	{ "kernel", json_get_object, 0, 0, kernel_fields, "the guest's kernel" },
	{ "hwConfig", json_get_object, 0, 0, hardware_fields, "the machine" },
	{ "dax", json_get_int, VM(dax), 0, &dax_range,
	  "ours: bytes of address space in which large files of folders are the host's page cache, in place; absent: 0" },
	{ "ksm", json_get_bool, VM(ksm), 0, NULL,
	  "ours: the host may merge its memory with that of other machines (KSM); absent: false" },
	{ "template", get_template, VM(template), 0, NULL,
	  "ours: whether it begins as a copy of a machine that has booted; absent: where it can" },
	{ "hypervisor", json_get_object, 0, 0, hypervisor_fields, "another monitor than ours" },
	{ "image", json_refuse, 0, 0, NULL, "a disk image as the root" },
	{ 0 },
};

const struct spec_getter spec_vm_getters[] = {
	{ get_template, "boolean", SPEC_LEAF },
	{ NULL, NULL, SPEC_LEAF },
};

int spec_get_vm(const struct json_at *at, json_t *v, void *target, const struct json_field *field)
{
	struct spec_vm *vm = target;

	vm->set = true;
	return json_object_read(at, v, field->arg, 0, vm);
}

/* Return: the document's section, which is to be changed, or NULL and a recorded failure. */
static json_t *section(struct spec *spec, const char *option)
{
	if (spec->vm.set) {
		free(steal_ptr(&spec->text));
		return json_object_get(spec->json, "vm");
	}
	(void)fail_plain(EINVAL, "%s is about a virtual machine, and this container has none (\"vm\", --vm)", option);
	return NULL;
}

int spec_vm_template(struct spec *spec, bool wanted)
{
	json_t *vm = section(spec, wanted ? "--template" : "--no-template");

	if (!vm)
		return -EINVAL;
	spec->vm.template = wanted ? SPEC_TEMPLATE_WANTED : SPEC_TEMPLATE_NEVER;
	return json_object_set_new(vm, "template", json_boolean(wanted)) < 0 ? fail(ENOMEM, "change the spec") : 0;
}

int spec_vm_hypervisor(struct spec *spec, const char *path)
{
	json_t *vm = section(spec, "--hypervisor"), *to;
	char *copy = NULL;
	int r;

	if (!vm)
		return -EINVAL;
	if (*path != '/')
		return fail_plain(EINVAL, "--hypervisor: '%s' is not an absolute path", path);
	r = str_copy(&copy, path);
	if (r < 0)
		return r;
	free(spec->vm.hypervisor_path);
	spec->vm.hypervisor_path = copy;
	to = json_object_get(vm, "hypervisor");
	if (!to && json_object_set_new(vm, "hypervisor", json_object()) == 0)
		to = json_object_get(vm, "hypervisor");
	return !to || json_object_set_new(to, "path", json_string(path)) < 0 ? fail(ENOMEM, "change the spec") : 0;
}
