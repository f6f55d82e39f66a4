/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the monitor's configuration, as a kernel, and as its initrd: a kernel that is taken is entered inside of the
 * guest's memory or nowhere, and the ACPI tables are there whatever the machine's size. All of them share the input.
 */
#include <sys/mman.h>

#include "runtime/kvm/acpi.h"
#include "runtime/kvm/boot.h"
#include "runtime/kvm/config.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"
#include "tests/fuzz/fuzz.h"

enum { RAM = 4 << 20, KERNEL_MOST = 8 << 20 };

static int memory_file(const void *data, size_t size, size_t whole)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size && ftruncate(fd, (off_t)whole) == 0);
	return fd;
}

static void config_check(const uint8_t *data, size_t size)
{
	static struct vm_config config;
	struct fuzz_input in = { data, size };

	fuzz_take(&in, &config, sizeof(config));
	(void)vm_config_check(&config);
	/* with a head that is right, so that the rest is looked at */
	config.magic = VM_CONFIG_MAGIC;
	config.version = VM_CONFIG_VERSION;
	config.size = sizeof(config);
	(void)vm_config_check(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *ram;
	struct fuzz_input in = { data, size };
	struct vm vm = { .slot_count = 1, .ram_size = RAM };
	struct vm_config config = { .initrd_fd = -1, .cmdline = "quiet" };
	struct x86_entry entry = { .rip = 0 };
	uint32_t kind = fuzz_number(&in, 1), whole = fuzz_number(&in, 3), initrd = fuzz_number(&in, 3);
	uint64_t rsdp;

	if (!ram)
		ram = calloc(1, RAM);
	vm.ram = ram;
	vm.stats = &vm.own_stats;
	vm.slots[0] = (struct vm_slot){ .gpa = 0, .size = RAM, .host = ram };
	fuzz_must(acpi_tables_write(&vm, kind % VM_VCPUS_MAX + 1, kind % VM_DEVICES_MAX, &rsdp) == 0);
	config.boot_kind = kind % 3;
	config.kernel_fd = memory_file(in.data, in.size, whole % KERNEL_MOST);
	if (kind & 4)
		config.initrd_fd = memory_file(in.data, in.size, initrd);
	if (boot_load(&vm, &config, rsdp, &entry) < 0)
		fuzz_must(*fail_text());
	(void)close(config.kernel_fd);
	if (config.initrd_fd >= 0)
		(void)close(config.initrd_fd);
	config_check(data, size);
	return 0;
}
