/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bring-up reads as a list, and what it needs in which order stands there alone. The main thread
 * then serves devices; each vcpu has a thread of its own. The end comes from any of them through
 * vm_end(): the loop sees it, the vcpus are interrupted, and all is released in reverse.
 */
#include "runtime/kvm/vmm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/kvm/acpi.h"
#include "runtime/kvm/birth.h"
#include "runtime/kvm/boot.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/device.h"
#include "runtime/kvm/filter.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/kvm-stats.h"
#include "runtime/kvm/loop.h"
#include "runtime/kvm/serial.h"
#include "runtime/kvm/template.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"

enum { FILES_STACK_SIZE = 256 * 1024 };

struct vmm {
	const struct vm_config *config;
	struct vm vm;
	struct loop loop, files_loop; /* the second has a thread only when there is a file server */
	pthread_t files_thread;
	bool has_files, has_files_thread;
	struct bus ports, memory;
	struct serial serial;
	uint8_t *pages; /* the registers of all slots */
	struct device devices[VM_DEVICES_MAX];
	struct vcpu vcpus[VM_VCPUS_MAX];
	unsigned int vcpu_count;
	uint64_t rsdp;
	struct x86_entry entry;
	struct birth birth;
	struct template template;
	bool running;
};

static bool is_clone(const struct vmm *vmm)
{
	return vmm->config->template_use == VM_TEMPLATE_CLONE;
}

/* A kernel that becomes a template's is told of all slots there may be. */
static unsigned int slot_count(const struct vmm *vmm)
{
	return vmm->config->template_use == VM_TEMPLATE_NONE ? vmm->config->device_count : VM_DEVICES_MAX;
}

static int machine_make(struct vmm *vmm)
{
	int r = vm_init(&vmm->vm, vmm->config->kvm_fd);

	if (r < 0)
		return r;
	if (vmm->config->stats_fd >= 0) {
		r = vm_stats_share(&vmm->vm, vmm->config->stats_fd);
		if (r < 0)
			return r;
	}
	r = irq_routes_set(&vmm->vm);
	if (r < 0)
		return r;
	return loop_init(&vmm->loop, vmm->vm.end_fd);
}

static int memory_add(struct vmm *vmm)
{
	int r = vm_ram_add(&vmm->vm, vmm->config->memory);

	if (r == 0 && vmm->config->template_use == VM_TEMPLATE_MAKE)
		vm_ram_keep(&vmm->vm);
	if (r == 0 && is_clone(vmm)) {
		r = template_load(vmm->config->template_fd, &vmm->template);
		if (r == 0)
			r = template_map(&vmm->template, vmm->config->template_fd, &vmm->vm);
	}
	if (r < 0 || !vmm->config->mergeable)
		return r;
	return madvise(vmm->vm.ram, vmm->vm.ram_size, MADV_MERGEABLE) < 0 ?
		fail(errno, "let the kernel merge its memory (CONFIG_KSM)") : 0;
}

static int birth_tell(struct vmm *vmm)
{
	static const uint32_t how[] = {
		[VM_TEMPLATE_NONE] = BIRTH_COLD,
		[VM_TEMPLATE_MAKE] = BIRTH_TEMPLATE,
		[VM_TEMPLATE_CLONE] = BIRTH_CLONE,
	};
	struct birth_page page = {
		.how = how[vmm->config->template_use],
		.device_first = vmm->config->template_devices,
		.device_count = vmm->config->device_count,
	};

	for (unsigned int i = 0; i < vmm->config->device_count; i++)
		if (vmm->config->devices[i].kind == VM_DEVICE_VSOCK)
			page.cid = vmm->config->devices[i].cid;
	return birth_add(&vmm->birth, &vmm->vm, &vmm->memory, &page);
}

static int ports_add(struct vmm *vmm)
{
	int r = acpi_ports_add(&vmm->ports, &vmm->vm);

	if (r < 0 || vmm->config->serial_fd < 0)
		return r;
	return serial_init(&vmm->serial, &vmm->ports, vmm->config->serial_fd);
}

static int tables_write(struct vmm *vmm)
{
	if (is_clone(vmm))
		return 0;
	return acpi_tables_write(&vmm->vm, vmm->config->vcpus, slot_count(vmm), &vmm->rsdp);
}

static int kernel_load(struct vmm *vmm)
{
	return is_clone(vmm) ? 0 : boot_load(&vmm->vm, vmm->config, vmm->rsdp, &vmm->entry);
}

static int (*const device_new[VM_DEVICE_KINDS])(const struct device_place *,
						const struct vm_device_config *,
						struct device *) = {
	[VM_DEVICE_CONSOLE] = console_new, [VM_DEVICE_RNG] = rng_new,
	[VM_DEVICE_VSOCK] = vsock_new,     [VM_DEVICE_BLK] = blk_new,
	[VM_DEVICE_PMEM] = pmem_new,       [VM_DEVICE_NET] = net_new,
	[VM_DEVICE_BALLOON] = balloon_new, [VM_DEVICE_FS] = fs_new,
};

/* Before devices: what the file server takes as given (runtime/kvm/fuse.h). */
static int files_prepare(struct vmm *vmm)
{
	for (unsigned int i = 0; i < vmm->config->device_count; i++)
		vmm->has_files = vmm->has_files || vmm->config->devices[i].kind == VM_DEVICE_FS;
	if (!vmm->has_files)
		return 0;
	(void)umask(0);
	if (vmm->config->proc_fd >= 0 && fchdir(vmm->config->proc_fd) < 0)
		return fail(errno, "go to /proc/self/fd");
	return loop_init(&vmm->files_loop, vmm->vm.end_fd);
}

static void *files_main(void *argument)
{
	struct vmm *vmm = argument;
	int r = filter_load(FILTER_FILES);

	if (r < 0 || loop_run(&vmm->files_loop) < 0) {
		log_warn("file server: %s", fail_text());
		vm_end(&vmm->vm, VM_END_MONITOR);
	}
	return NULL;
}

/* The usual stack is large enough that kernels put a large page under it: 2 MiB for a few hundred bytes. */
static int files_start(struct vmm *vmm)
{
	pthread_attr_t attributes;
	int e;

	if (!vmm->has_files)
		return 0;
	e = pthread_attr_init(&attributes);
	if (e == 0) {
		e = pthread_attr_setstacksize(&attributes, FILES_STACK_SIZE);
		if (e == 0)
			e = pthread_create(&vmm->files_thread, &attributes, files_main, vmm);
		(void)pthread_attr_destroy(&attributes);
	}
	if (e != 0)
		return fail(e, "make the file server's thread");
	vmm->has_files_thread = true;
	return 0;
}

/* Its loop ends with the machine. */
static void files_stop(struct vmm *vmm)
{
	if (vmm->has_files_thread)
		(void)pthread_join(vmm->files_thread, NULL);
	vmm->has_files_thread = false;
}

static int devices_add(struct vmm *vmm)
{
	unsigned int count = slot_count(vmm);
	size_t size = (size_t)VIRTIO_PAGE * VM_DEVICES_MAX;

	if (count == 0)
		return 0;
	vmm->pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vmm->pages == MAP_FAILED) {
		vmm->pages = NULL;
		return fail(errno, "map the devices' registers");
	}
	for (unsigned int i = 0; i < count; i++) {
		const struct vm_device_config *config = &vmm->config->devices[i];
		struct device_place place = {
			.vm = &vmm->vm,
			.loop = config->kind == VM_DEVICE_FS ? &vmm->files_loop : &vmm->loop,
			.memory = &vmm->memory,
			.slot = i,
			.page = vmm->pages + (size_t)i * VIRTIO_PAGE,
			.birth = &vmm->birth,
			.shares = vmm->config->shares,
			.share_count = vmm->config->share_count,
		};
		int r;

		virtio_page_init(place.page);
		if (i >= vmm->config->device_count || config->kind == VM_DEVICE_EMPTY)
			continue;
		r = device_new[config->kind](&place, config, &vmm->devices[i]);
		if (r < 0)
			return fail_in(r, "device %u", i);
	}
	return vm_map(&vmm->vm, VM_DEVICES_BASE, (uint64_t)count * VIRTIO_PAGE, vmm->pages, true);
}

static int vcpus_make(struct vmm *vmm)
{
	unsigned int count = vmm->config->vcpus;

	for (unsigned int i = 0; i < count; i++) {
		int r;

		vmm->vcpu_count = i + 1;
		r = vcpu_init(&vmm->vcpus[i], &vmm->vm, &vmm->ports, &vmm->memory, i, count,
			      i == 0 && !is_clone(vmm) ? &vmm->entry : NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The virtio parts of the devices that are in a template. */
static void devices_list(const struct vmm *vmm, struct virtio *ret[VM_TEMPLATE_DEVICES])
{
	for (unsigned int i = 0; i < VM_TEMPLATE_DEVICES; i++)
		ret[i] = vmm->devices[i].virtio;
}

static int state_restore(struct vmm *vmm)
{
	struct virtio *devices[VM_TEMPLATE_DEVICES];
	int r;

	if (!is_clone(vmm))
		return 0;
	devices_list(vmm, devices);
	r = template_restore(&vmm->template, &vmm->vm, vmm->vcpus, vmm->vcpu_count, devices,
			     vmm->config->template_devices);
	template_done(&vmm->template);
	return r;
}

static void kvm_count(void *argument, struct vm_kvm_stats *ret)
{
	const struct vmm *vmm = argument;

	kvm_stats_read(vmm->vcpus, vmm->vcpu_count, ret);
}

static void vcpus_kick(void *argument)
{
	struct vmm *vmm = argument;

	for (unsigned int i = 0; i < vmm->vcpu_count; i++)
		vcpu_kick(&vmm->vcpus[i]);
}

static int vcpus_start(struct vmm *vmm)
{
	int r = vcpu_signals_prepare();

	vmm->running = true;
	vmm->vm.kvm_count = kvm_count;
	vmm->vm.vcpus_kick = vcpus_kick;
	vmm->vm.vcpus_argument = vmm;
	for (unsigned int i = 0; r == 0 && i < vmm->vcpu_count; i++)
		r = vcpu_start(&vmm->vcpus[i], true);
	return r;
}

static int monitor_confine(struct vmm *vmm)
{
	return filter_load(vmm->config->template_use == VM_TEMPLATE_MAKE ? FILTER_MAKER : FILTER_LOOP);
}

static int devices_serve(struct vmm *vmm)
{
	return loop_run(&vmm->loop);
}

static void vcpus_stop(struct vmm *vmm)
{
	for (unsigned int i = 0; i < vmm->vcpu_count; i++)
		vcpu_stop(&vmm->vcpus[i]);
}

/* Another end than this one is told by our caller. */
static int template_write(struct vmm *vmm)
{
	struct virtio *devices[VM_TEMPLATE_DEVICES];

	if (atomic_load(&vmm->vm.end) != VM_END_TEMPLATE)
		return 0;
	vcpus_stop(vmm);
	files_stop(vmm);
	devices_list(vmm, devices);
	return template_save(vmm->config->template_fd, &vmm->vm, vmm->vcpus, vmm->vcpu_count, devices,
			     vmm->config->template_devices);
}

static const struct {
	const char *what;
	int (*run)(struct vmm *vmm);
} steps[] = {
	{ "make the machine", machine_make },
	{ "give it memory", memory_add },
	{ "add fixed ports", ports_add },
	{ "write its tables", tables_write },
	{ "load the kernel", kernel_load },
	{ "tell of its birth", birth_tell },
	{ "prepare for files", files_prepare },
	{ "add devices", devices_add }, /* windows go above all memory */
	{ "make its processors", vcpus_make },
	{ "make it what its template was", state_restore }, /* all that can fail for a template's sake is done */
	{ "start the file server", files_start },
	{ "start its processors", vcpus_start }, /* memory and buses are fixed from here on */
	{ "confine the monitor", monitor_confine }, /* each thread by itself; this one last */
	{ "serve its devices", devices_serve }, /* until the machine's end */
	{ "write the template", template_write },
};

static void release(struct vmm *vmm)
{
	vcpus_stop(vmm);
	files_stop(vmm);
	if (vmm->vcpu_count > 0)
		kvm_stats_read(vmm->vcpus, vmm->vcpu_count, &vmm->vm.stats->kvm);
	for (unsigned int i = 0; i < VM_DEVICES_MAX; i++)
		if (vmm->devices[i].self)
			vmm->devices[i].free(vmm->devices[i].self);
	for (unsigned int i = 0; i < vmm->vcpu_count; i++)
		vcpu_done(&vmm->vcpus[i]);
	loop_done(&vmm->loop);
	loop_done(&vmm->files_loop);
	vm_done(&vmm->vm);
	birth_done(&vmm->birth);
	template_done(&vmm->template);
	if (vmm->pages)
		(void)munmap(vmm->pages, (size_t)VIRTIO_PAGE * VM_DEVICES_MAX);
}

static int run(struct vmm *vmm, const struct vm_config *config)
{
	int r = 0;

	*vmm = (struct vmm){ .config = config };
	vmm->vm.fd = vmm->vm.end_fd = vmm->vm.go_fd = vmm->loop.fd = vmm->files_loop.fd = -1;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].run(vmm);
		if (r < 0)
			r = fail_in(r, "%s", steps[i].what);
	}
	return r;
}

int vmm_run(const struct vm_config *config, enum vm_end_reason *ret_end)
{
	cleanup_free struct vmm *vmm = calloc(1, sizeof(*vmm));
	struct vm_config cold = *config;
	int r;

	if (!vmm)
		return fail(ENOMEM, "make the machine");
	r = run(vmm, config);
	if (r < 0 && is_clone(vmm) && !vmm->running) {
		log_warn("%s; booting instead", fail_text());
		release(vmm);
		cold.template_use = VM_TEMPLATE_NONE;
		r = run(vmm, &cold);
	}
	if (r < 0)
		vm_end(&vmm->vm, VM_END_MONITOR);
	*ret_end = (enum vm_end_reason)atomic_load(&vmm->vm.end);
	release(vmm);
	return r;
}
