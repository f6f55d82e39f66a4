/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in the guest's memory before its first instruction: ACPI tables with right sums and
 * pointers, and kernels good and bad. Guest memory is an array: no KVM is needed.
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/acpi.h"
#include "runtime/kvm/boot.h"
#include "runtime/kvm/config.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"
#include "tests/unit/tap.h"

enum { RAM = 4 << 20, FILE_SIZE = 0x3000, LOAD_AT = 0x200000 };

static struct {
	struct vm vm;
	uint8_t *ram;
	struct vm_config config;
	struct x86_entry entry;
} t;

static struct {
	Elf64_Ehdr elf;
	Elf64_Phdr segments[2];
	Elf64_Nhdr note;
	char name[4];
	uint64_t pvh_entry;
} image;

static int memory_file(const void *data, size_t size, size_t whole)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, (off_t)whole) == 0);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	return fd;
}

static void setup(void)
{
	if (t.config.kernel_fd > 0)
		(void)close(t.config.kernel_fd);
	free(t.ram);
	t.ram = calloc(1, RAM);
	t.vm = (struct vm){ .slot_count = 1, .ram = t.ram, .ram_size = RAM };
	t.vm.stats = &t.vm.own_stats;
	t.vm.slots[0] = (struct vm_slot){ .gpa = 0, .size = RAM, .host = t.ram };
	t.config = (struct vm_config){ .kernel_fd = -1, .initrd_fd = -1, .cmdline = "quiet x=y" };
	memset(&image, 0, sizeof(image));
	memcpy(image.elf.e_ident, ELFMAG, SELFMAG);
	image.elf.e_ident[EI_CLASS] = ELFCLASS64;
	image.elf.e_machine = EM_X86_64;
	image.elf.e_phoff = sizeof(image.elf);
	image.elf.e_phentsize = sizeof(Elf64_Phdr);
	image.elf.e_phnum = 2;
	image.elf.e_entry = LOAD_AT + 0x10;
	image.segments[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = 0x1000,
		.p_paddr = LOAD_AT,
		.p_filesz = 0x2000,
		.p_memsz = 0x4000,
	};
	image.segments[1] = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = offsetof(__typeof__(image), note),
		.p_filesz = 24,
	};
	image.note = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = 18 };
	memcpy(image.name, "Xen", 4);
	image.pvh_entry = LOAD_AT + 0x20;
}

static int load(void)
{
	t.config.kernel_fd = memory_file(&image, sizeof(image), FILE_SIZE);
	return boot_load(&t.vm, &t.config, 0xe0000, &t.entry);
}

static uint8_t sum(uint64_t at, size_t size)
{
	uint8_t all = 0;

	for (size_t i = 0; i < size; i++)
		all = (uint8_t)(all + t.ram[at + i]);
	return all;
}

static uint32_t get32(uint64_t at)
{
	uint32_t value;

	memcpy(&value, t.ram + at, sizeof(value));
	return value;
}

static void test_acpi_tables_are_whole(void)
{
	uint64_t rsdp, xsdt, table, dsdt = 0;
	unsigned int devices = 0;

	setup();
	CHECK_INT(acpi_tables_write(&t.vm, 16, 16, &rsdp), 0);
	CHECK(memcmp(t.ram + rsdp, "RSD PTR ", 8) == 0);
	CHECK_INT(sum(rsdp, 20), 0);
	CHECK_INT(sum(rsdp, 36), 0);
	memcpy(&xsdt, t.ram + rsdp + 24, sizeof(xsdt));
	CHECK(memcmp(t.ram + xsdt, "XSDT", 4) == 0);
	CHECK_INT(sum(xsdt, get32(xsdt + 4)), 0);
	for (unsigned int i = 0; i < (get32(xsdt + 4) - 36) / 8; i++) {
		memcpy(&table, t.ram + xsdt + 36 + 8 * i, sizeof(table));
		CHECK_INT(sum(table, get32(table + 4)), 0);
		CHECK(table + get32(table + 4) <= ACPI_BASE + ACPI_SIZE);
		if (memcmp(t.ram + table, "FACP", 4) == 0)
			memcpy(&dsdt, t.ram + table + 140, sizeof(dsdt));
		if (memcmp(t.ram + table, "APIC", 4) == 0)
			CHECK_INT(get32(table + 4), 44 + 16 * 8 + 12);
	}
	CHECK(memcmp(t.ram + dsdt, "DSDT", 4) == 0);
	CHECK_INT(sum(dsdt, get32(dsdt + 4)), 0);
	for (uint64_t at = dsdt; at < dsdt + get32(dsdt + 4) - 8; at++)
		devices += memcmp(t.ram + at, "LNRO0005", 8) == 0;
	CHECK_INT(devices, 16);
}

static void test_a_kernel_is_entered_by_linux_protocol(void)
{
	const struct boot_params *params;

	setup();
	t.config.boot_kind = VM_BOOT_LINUX;
	CHECK_INT(load(), 0);
	CHECK_INT(t.entry.mode, X86_LONG);
	CHECK_INT((long long)t.entry.rip, LOAD_AT + 0x10);
	params = (const void *)(t.ram + t.entry.rsi);
	CHECK_INT((long long)params->acpi_rsdp_addr, 0xe0000);
	CHECK_STR((const char *)t.ram + params->hdr.cmd_line_ptr, "quiet x=y");
	CHECK_INT(params->e820_entries, 3);
	CHECK(params->e820_table[2].addr + params->e820_table[2].size == RAM);
}

static void test_a_kernel_is_entered_by_pvh(void)
{
	setup();
	CHECK_INT(load(), 0); /* its note makes it so by itself */
	CHECK_INT(t.entry.mode, X86_PROTECTED);
	CHECK_INT((long long)t.entry.rip, LOAD_AT + 0x20);
	CHECK_INT(get32(t.entry.rbx), 0x336ec578);
	setup();
	image.note.n_type = 17;
	t.config.boot_kind = VM_BOOT_PVH;
	CHECK(load() < 0);
	CHECK_HAS(fail_text(), "no PVH entry");
}

static void test_an_initrd_lies_behind_the_kernel(void)
{
	const struct boot_params *params;

	setup();
	t.config.boot_kind = VM_BOOT_LINUX;
	t.config.initrd_fd = memory_file("initrd", 6, 5000);
	CHECK_INT(load(), 0);
	params = (const void *)(t.ram + BOOT_PARAMS);
	CHECK_INT(params->hdr.ramdisk_size, 5000);
	CHECK_INT(params->hdr.ramdisk_image, RAM - 8192);
	CHECK(memcmp(t.ram + params->hdr.ramdisk_image, "initrd", 6) == 0);
	(void)close(t.config.initrd_fd);
	/* one that reaches into the kernel */
	setup();
	t.config.initrd_fd = memory_file("initrd", 6, RAM - LOAD_AT - 0x3000);
	CHECK(load() < 0);
	CHECK_HAS(fail_text(), "do not fit");
}

/* Each of these is one wrong field in an image that is right otherwise. */
static void test_bad_images_are_refused(void)
{
	for (int i = 0; i < 13; i++) {
		setup();
		switch (i) {
		case 0: image.elf.e_ident[0] = 'E'; break;
		case 1: image.elf.e_ident[EI_CLASS] = ELFCLASS32; break;
		case 2: image.elf.e_machine = EM_AARCH64; break;
		case 3: image.elf.e_phnum = 0; break;
		case 4: image.elf.e_phnum = 0xffff; break;
		case 5: image.elf.e_phoff = UINT64_MAX; break;
		case 6: image.segments[0].p_paddr = 0x1000; break;
		case 7: image.segments[0].p_paddr = RAM; break;
		case 8: image.segments[0].p_memsz = UINT64_MAX; break;
		case 9: image.segments[0].p_filesz = 0x5000; break;
		case 10: image.segments[0].p_offset = 0x2000; break; /* ends too early */
		case 11: image.segments[0].p_type = PT_NULL; break;
		default: image.segments[1].p_offset = UINT64_MAX - 7;
		}
		tap_check(load() < 0, __FILE__, __LINE__, "case %d", i);
	}
}

static void test_notes_that_lie_are_passed_over(void)
{
	for (int i = 0; i < 4; i++) {
		setup();
		switch (i) {
		case 0: image.note.n_namesz = UINT32_MAX; break;
		case 1: image.note.n_descsz = UINT32_MAX - 2; break;
		case 2: image.note.n_descsz = 3; break;
		default: memcpy(image.name, "Yen", 4);
		}
		CHECK_INT(load(), 0);
		CHECK_INT(t.entry.mode, X86_LONG);
	}
}

static void test_memory_too_small(void)
{
	uint64_t rsdp;

	setup();
	t.vm.slots[0].size = 0x8000;
	CHECK(acpi_tables_write(&t.vm, 1, 1, &rsdp) < 0);
	CHECK(x86_tables_write(&t.vm, X86_LONG) < 0);
	CHECK(load() < 0);
}

static void test_configurations_are_judged(void)
{
	struct vm_config good = {
		.magic = VM_CONFIG_MAGIC,
		.version = VM_CONFIG_VERSION,
		.size = sizeof(good),
		.vcpus = 1,
		.memory = VM_MEMORY_STEP,
		.kvm_fd = 0,
		.kernel_fd = 0,
		.initrd_fd = -1,
		.stats_fd = -1,
		.serial_fd = -1,
		.proc_fd = -1,
	};
	struct vm_config bad, got;
	int fd;

	CHECK_INT(vm_config_check(&good), 0);
	fd = vm_config_seal(&good);
	CHECK(fd >= 0);
	CHECK_INT(vm_config_read(fd, &got), 0);
	CHECK(memcmp(&good, &got, sizeof(good)) == 0);
	CHECK(pwrite(fd, "x", 1, 0) < 0);
	(void)close(fd);
	fd = memory_file(&good, sizeof(good), sizeof(good));
	CHECK(vm_config_read(fd, &got) < 0);
	CHECK_HAS(fail_text(), "seal");
	(void)close(fd);
	for (int i = 0; i < 16; i++) {
		bad = good;
		switch (i) {
		case 0: bad.magic++; break;
		case 1: bad.version++; break;
		case 2: bad.size--; break;
		case 3: bad.vcpus = 0; break;
		case 4: bad.vcpus = VM_VCPUS_MAX + 1; break;
		case 5: bad.memory++; break;
		case 6: bad.memory = VM_MEMORY_MAX + VM_MEMORY_STEP; break;
		case 7: bad.boot_kind = 3; break;
		case 8: memset(bad.cmdline, 'x', sizeof(bad.cmdline)); break;
		case 9: bad.device_count = VM_DEVICES_MAX + 1; break;
		case 10: bad.kvm_fd = -1; break;
		case 11: bad.initrd_fd = 999; break;
		case 12: bad.share_count = VM_SHARES_MAX + 1; break;
		case 13: bad.share_count = 1; break; /* a share without a name */
		case 14:
			bad.device_count = 1;
			bad.devices[0].kind = VM_DEVICE_KINDS;
			break;
		default:
			bad.device_count = 1;
			bad.devices[0] =
				(struct vm_device_config){ .kind = VM_DEVICE_VSOCK, .cid = 2 };
		}
		tap_check(vm_config_check(&bad) < 0, __FILE__, __LINE__, "case %d", i);
	}
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_acpi_tables_are_whole),
		TEST(test_a_kernel_is_entered_by_linux_protocol),
		TEST(test_a_kernel_is_entered_by_pvh),
		TEST(test_an_initrd_lies_behind_the_kernel),
		TEST(test_bad_images_are_refused),
		TEST(test_notes_that_lie_are_passed_over),
		TEST(test_memory_too_small),
		TEST(test_configurations_are_judged),
		{ 0 },
	});
}
