/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's command line. What it has to open are descriptors by number; nothing in it comes from a guest, and
 * of the spec only the kernel's parameters (an argument of their own) and vm.hypervisor.parameters, which
 * come last and are the user's to answer for.
 */
#include "runtime/kvm/qemu.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "runtime/base/error.h"

bool qemu_serves(uint32_t kind)
{
	return kind == VM_DEVICE_VSOCK || kind == VM_DEVICE_FS || kind == VM_DEVICE_BLK;
}

/* A guest's reset is the end, as it is with us. */
static int machine_words(const struct vm_config *config, struct str_list *to)
{
	bool kvm = config->hypervisor_kvm;
	static const char *const fixed[] = {
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		/* the older registers have neither our features nor a way to say so */
		"-global", "virtio-mmio.force-legacy=false",
	};
	int r = str_list_add(to, config->hypervisor);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fixed); i++)
		r = str_list_add(to, fixed[i]);
	if (r == 0)
		r = str_list_add(to, "-machine");
	if (r == 0)
		r = str_list_addf(to, "microvm,acpi=on,memory-backend=ram,isa-serial=%s,rtc=off,pit=off,pic=off",
				  config->serial_fd < 0 ? "off" : "on");
	if (r == 0)
		r = str_list_add(to, "-accel");
	/* Translated code is kept in memory that counts against the cell's limit. */
	if (r == 0)
		r = str_list_add(to, kvm ? "kvm" : "tcg,tb-size=64");
	if (r == 0)
		r = str_list_add(to, "-cpu");
	return r < 0 ? r : str_list_add(to, kvm ? "host" : "max");
}

static int size_words(const struct vm_config *config, struct str_list *to)
{
	unsigned long long mib = config->memory >> 20;
	int r = str_list_add(to, "-smp");

	if (r == 0)
		r = str_list_addf(to, "%u", config->vcpus);
	if (r == 0)
		r = str_list_add(to, "-m");
	if (r == 0)
		r = str_list_addf(to, "%lluM", mib);
	if (r == 0)
		r = str_list_add(to, "-object");
	/* shared: our devices reach into it */
	return r < 0 ? r : str_list_addf(to, "memory-backend-memfd,id=ram,size=%lluM,share=on", mib);
}

struct moment {
	uint64_t ns, cycles;
};

/* Of a few looks the one that nothing came between. */
static struct moment now(void)
{
	struct moment best = { 0, 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		struct timespec before, after;
		uint64_t cycles, taken;

		(void)clock_gettime(CLOCK_MONOTONIC_RAW, &before);
		cycles = __builtin_ia32_rdtsc();
		(void)clock_gettime(CLOCK_MONOTONIC_RAW, &after);
		taken = (uint64_t)(after.tv_sec - before.tv_sec) * 1000000000 + (uint64_t)(after.tv_nsec - before.tv_nsec);
		if (taken >= least)
			continue;
		least = taken;
		best.ns = (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec + taken / 2;
		best.cycles = cycles;
	}
	return best;
}

/*
 * An emulated processor counts the host's cycles, and its kernel would have to find out against an emulated timer how many there
 * are in a second. On a busy host it cannot, and then has no clock at all.
 */
static unsigned long long cycles_khz(void)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct moment from = now(), to;

	(void)nanosleep(&pause, NULL);
	to = now();
	return to.ns == from.ns ? 0 : (to.cycles - from.cycles) * 1000000 / (to.ns - from.ns);
}

static int kernel_words(const struct vm_config *config, struct str_list *to)
{
	int r = str_list_add(to, "-kernel");

	if (r == 0)
		r = str_list_addf(to, "/proc/self/fd/%d", QEMU_KERNEL_FD);
	if (r == 0 && config->initrd_fd >= 0) {
		r = str_list_add(to, "-initrd");
		if (r == 0)
			r = str_list_addf(to, "/proc/self/fd/%d", QEMU_INITRD_FD);
	}
	if (r == 0)
		r = str_list_add(to, "-append");
	if (r == 0 && config->hypervisor_kvm)
		r = str_list_add(to, config->cmdline);
	else if (r == 0)
		r = str_list_addf(to, "%s tsc_early_khz=%llu", config->cmdline, cycles_khz());
	/* Our standard output is where that port goes (qemu.c). */
	if (r == 0 && config->serial_fd >= 0) {
		r = str_list_add(to, "-serial");
		if (r == 0)
			r = str_list_add(to, "stdio");
	}
	return r;
}

static int net_words(const struct vm_device_config *device, unsigned int slot, struct str_list *to)
{
	const uint8_t *mac = device->mac;
	int r = str_list_add(to, "-netdev");

	if (r == 0)
		r = str_list_addf(to, "tap,id=n%u,fd=%u,vhost=off", slot, QEMU_DEVICE_FD + slot);
	if (r == 0)
		r = str_list_add(to, "-device");
	if (r == 0 && device->mtu)
		return str_list_addf(to, "virtio-net-device,netdev=n%u,mac=%02x:%02x:%02x:%02x:%02x:%02x,host_mtu=%u", slot,
				     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], device->mtu);
	return r < 0 ? r : str_list_addf(to, "virtio-net-device,netdev=n%u,mac=%02x:%02x:%02x:%02x:%02x:%02x", slot, mac[0],
					 mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static int served_words(const struct vm_device_config *device, unsigned int slot, struct str_list *to)
{
	int r = str_list_add(to, "-chardev");

	if (r == 0)
		r = str_list_addf(to, "socket,id=c%u,fd=%u", slot, QEMU_DEVICE_FD + slot);
	if (r == 0)
		r = str_list_add(to, "-device");
	if (r < 0)
		return r;
	switch (device->kind) {
	case VM_DEVICE_VSOCK: return str_list_addf(to, "vhost-user-vsock-device,chardev=c%u", slot);
	case VM_DEVICE_FS: return str_list_addf(to, "vhost-user-fs-device,chardev=c%u,tag=%s,queue-size=256", slot, device->tag);
	default: return str_list_addf(to, "vhost-user-blk,chardev=c%u,num-queues=1,queue-size=128", slot);
	}
}

static int device_words(const struct vm_device_config *device, unsigned int slot, struct str_list *to)
{
	if (qemu_serves(device->kind))
		return served_words(device, slot, to);
	switch (device->kind) {
	case VM_DEVICE_EMPTY: return 0;
	case VM_DEVICE_NET: return net_words(device, slot, to);
	case VM_DEVICE_RNG: return str_list_add(to, "-device") < 0 ? -ENOMEM : str_list_add(to, "virtio-rng-device");
	case VM_DEVICE_BALLOON:
		return str_list_add(to, "-device") < 0 ? -ENOMEM :
			str_list_add(to, "virtio-balloon-device,free-page-reporting=on");
	default: return fail_plain(ENOTSUP, "device %u: QEMU's microvm has none of this kind (%u)", slot, device->kind);
	}
}

int qemu_command(const struct vm_config *config, struct str_list *ret)
{
	const char *more = config->hypervisor_parameters;
	int r = machine_words(config, ret);

	if (r == 0)
		r = size_words(config, ret);
	if (r == 0)
		r = kernel_words(config, ret);
	for (unsigned int i = 0; r == 0 && i < config->device_count; i++)
		r = device_words(&config->devices[i], i, ret);
	for (unsigned int i = 0; r == 0 && i < config->hypervisor_parameter_count; i++) {
		r = str_list_add(ret, more);
		more += strlen(more) + 1;
	}
	return r;
}
