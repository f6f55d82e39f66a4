/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration comes from our own runtime, which is trusted to choose but not to be without
 * faults: what is out of range is refused by name here, so that no later step needs to ask again.
 */
#include "runtime/kvm/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static bool fd_is_open(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

/* Which fds a kind of device cannot do without: bit n is fd[n]. */
static const unsigned int device_needs[VM_DEVICE_KINDS] = {
	[VM_DEVICE_CONSOLE] = 1 << 1, [VM_DEVICE_VSOCK] = 1 << 0, [VM_DEVICE_BLK] = 1 << 0,
	[VM_DEVICE_PMEM] = 1 << 0,    [VM_DEVICE_NET] = 1 << 0,
};

static int device_check(const struct vm_device_config *device, unsigned int slot)
{
	if (device->kind >= VM_DEVICE_KINDS)
		return fail_plain(EINVAL, "device %u: unknown kind %u", slot, device->kind);
	if (device->flags & ~(uint32_t)VM_DEVICE_READ_ONLY)
		return fail_plain(EINVAL, "device %u: unknown flags 0x%x", slot, device->flags);
	for (unsigned int i = 0; i < VM_DEVICE_FDS; i++) {
		bool needed = device_needs[device->kind] & (1U << i);

		if ((needed || device->fd[i] >= 0) && !fd_is_open(device->fd[i]))
			return fail_plain(EBADF, "device %u: descriptor %d is not open", slot,
					  device->fd[i]);
	}
	if (device->kind == VM_DEVICE_VSOCK && (device->cid < 3 || device->cid >= UINT32_MAX))
		return fail_plain(EINVAL, "device %u: context id %llu is not of a guest", slot,
				  (unsigned long long)device->cid);
	if (device->window % VM_MEMORY_STEP != 0 ||
	    (device->window != 0 && device->kind != VM_DEVICE_FS))
		return fail_plain(EINVAL, "device %u: a window of %llu bytes", slot,
				  (unsigned long long)device->window);
	if (!memchr(device->tag, '\0', sizeof(device->tag)))
		return fail_plain(EINVAL, "device %u: the tag has no end", slot);
	return 0;
}

static int fds_check(const struct vm_config *config)
{
	const struct {
		const char *what;
		int fd;
		bool needed;
	} fds[] = {
		{ "/dev/kvm", config->kvm_fd, !config->hypervisor[0] },
		{ "kernel", config->kernel_fd, true },
		{ "initrd", config->initrd_fd, false },
		{ "statistics", config->stats_fd, false },
		{ "serial port", config->serial_fd, false },
		{ "/proc/self/fd", config->proc_fd, false },
		{ "template", config->template_fd, config->template_use != VM_TEMPLATE_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if ((fds[i].needed || fds[i].fd >= 0) && !fd_is_open(fds[i].fd))
			return fail_plain(EBADF, "%s: descriptor %d is not open", fds[i].what,
					  fds[i].fd);
	return 0;
}

static int attend_check(const struct vm_config *config)
{
	if (config->attended > VM_ATTENDED_KERNEL)
		return fail_plain(EINVAL, "attended: %u is no way to be", config->attended);
	if (config->terminal > (config->attended == VM_ATTENDED))
		return fail_plain(EINVAL, "terminal: neither 0 nor, attended, 1");
	if (config->attended != VM_ATTENDED)
		return 0;
	for (int i = 0; i < VM_ATTEND_FDS; i++)
		if (!fd_is_open(config->attend_fd[i]))
			return fail_plain(EBADF, "attendant: descriptor %d is not open",
					  config->attend_fd[i]);
	return fd_is_open(config->attend_text) ? 0 :
	       fail_plain(EBADF, "attendant: descriptor %d is not open", config->attend_text);
}

static int hypervisor_check(const struct vm_config *config)
{
	const char *at = config->hypervisor_parameters, *end = at + sizeof(config->hypervisor_parameters);

	if (!memchr(config->hypervisor, '\0', sizeof(config->hypervisor)))
		return fail_plain(EINVAL, "the hypervisor's path has no end");
	if (config->hypervisor_kvm > 1)
		return fail_plain(EINVAL, "hypervisor_kvm: neither 0 nor 1");
	for (uint32_t i = 0; i < config->hypervisor_parameter_count; i++) {
		const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

		if (!nul)
			return fail_plain(EINVAL, "the hypervisor's parameters have no end");
		at = nul + 1;
	}
	return 0;
}

static int shares_check(const struct vm_config *config)
{
	if (config->share_count > VM_SHARES_MAX)
		return fail_plain(ERANGE, "at most %d shares, not %u", VM_SHARES_MAX,
				  config->share_count);
	for (unsigned int i = 0; i < config->share_count; i++) {
		const struct vm_share_config *share = &config->shares[i];

		if (!fd_is_open(share->fd))
			return fail_plain(EBADF, "share %u: descriptor %d is not open", i,
					  share->fd);
		if (share->flags & ~(uint32_t)VM_DEVICE_READ_ONLY)
			return fail_plain(EINVAL, "share %u: unknown flags 0x%x", i, share->flags);
		if (!memchr(share->name, '\0', sizeof(share->name)) || share->name[0] == '\0' ||
		    strchr(share->name, '/'))
			return fail_plain(EINVAL, "share %u: its name is no name of a file", i);
	}
	return 0;
}

int vm_config_check(const struct vm_config *config)
{
	int r;

	if (config->magic != VM_CONFIG_MAGIC || config->version != VM_CONFIG_VERSION ||
	    config->size != sizeof(*config))
		return fail_plain(EINVAL, "configuration of another version");
	if (config->vcpus < 1 || config->vcpus > VM_VCPUS_MAX)
		return fail_plain(ERANGE, "vcpus must be 1 to %d, not %u", VM_VCPUS_MAX,
				  config->vcpus);
	if (config->memory < VM_MEMORY_MIN || config->memory > VM_MEMORY_MAX ||
	    config->memory % VM_MEMORY_STEP != 0)
		return fail_plain(ERANGE, "memory must be a multiple of 2 MiB, not %llu bytes",
				  (unsigned long long)config->memory);
	if (config->mergeable > 1)
		return fail_plain(EINVAL, "mergeable: neither 0 nor 1");
	if (config->boot_kind > VM_BOOT_PVH)
		return fail_plain(EINVAL, "unknown boot protocol %u", config->boot_kind);
	if (!memchr(config->cmdline, '\0', sizeof(config->cmdline)))
		return fail_plain(EINVAL, "the kernel's command line has no end");
	if (config->template_use > VM_TEMPLATE_CLONE || config->template_devices > VM_TEMPLATE_DEVICES ||
	    config->template_devices > config->device_count)
		return fail_plain(EINVAL, "a template of %u devices", config->template_devices);
	if (config->device_count > VM_DEVICES_MAX)
		return fail_plain(ERANGE, "at most %d devices, not %u", VM_DEVICES_MAX,
				  config->device_count);
	r = fds_check(config);
	if (r < 0)
		return r;
	r = shares_check(config);
	if (r == 0)
		r = attend_check(config);
	if (r == 0)
		r = hypervisor_check(config);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < config->device_count; i++) {
		if (config->devices[i].kind == VM_DEVICE_FS && config->share_count > 0 && config->proc_fd < 0 &&
		    !config->attended)
			return fail_plain(EBADF, "device %u: a file server needs /proc/self/fd", i);
		r = device_check(&config->devices[i], i);
		if (r < 0)
			return r;
	}
	return 0;
}

int vm_config_read(int fd, struct vm_config *ret)
{
	struct vm_config config;
	int seals = fcntl(fd, F_GET_SEALS);
	ssize_t n;
	int r;

	if (seals < 0)
		return fail(errno, "read the configuration on descriptor %d", fd);
	if ((seals & SEALS) != SEALS)
		return fail_plain(EPERM, "the configuration is not sealed");
	n = pread(fd, &config, sizeof(config), 0);
	if (n < 0)
		return fail(errno, "read the configuration");
	if (n != (ssize_t)sizeof(config))
		return fail_plain(EINVAL, "configuration of another version");
	r = vm_config_check(&config);
	if (r < 0)
		return r;
	*ret = config;
	return 0;
}

int vm_config_seal(const struct vm_config *config)
{
	cleanup_fd int fd = memfd_create("vm-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return fail(errno, "make a memory file for the configuration");
	r = fd_write_all(fd, config, sizeof(*config));
	if (r < 0)
		return fail(-r, "write the configuration");
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return fail(errno, "seal the configuration");
	return steal_fd(&fd);
}
