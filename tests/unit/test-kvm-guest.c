/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tiny guests on a real vcpu: that their accesses come to the right device with the right value, and
 * that each way of going wrong ends the machine with its reason. The guests are a few instructions
 * that stand in this program and are copied to guest memory.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/kvm/acpi.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/kvm-stats.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"
#include "tests/unit/tap.h"

enum { CODE = 0x100000, REAL_CODE = 0x2000, REGISTERS = 0xd0000000 };

#define GUEST(name, bits, text) \
	__asm__(".pushsection .rodata\n.code" #bits "\n" #name "_start:\n" text "\n" #name \
		"_end:\n.code64\n.popsection\n"); \
	extern const unsigned char name##_start[], name##_end[]

/* in %al from a port, plus one, out to another; a 32-bit register read, plus one, written; off */
GUEST(ports_and_memory, 64,
      "mov $0x1234, %dx; in %dx, %al; inc %al; mov $0x1235, %dx; out %al, %dx\n"
      "mov $0xd0000010, %edi; mov (%rdi), %eax; inc %eax; mov %eax, 4(%rdi)\n"
      "movabs $0x1122334455667788, %rax; mov %rax, 8(%rdi)\n"
      "mov $0x600, %dx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b");
GUEST(real_mode, 16,
      "mov $0x1234, %dx; in %dx, %al; inc %al; mov $0x1235, %dx; out %al, %dx\n"
      "mov $0x602, %dx; mov $1, %al; out %al, %dx; 1: hlt; jmp 1b");
GUEST(protected_mode, 32,
      "mov $0x1234, %dx; in %dx, %al; inc %al; mov $0x1235, %dx; out %al, %dx\n"
      "mov $0x600, %dx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b");
/* no interrupt table: the first fault is the third at once */
GUEST(triple_fault, 64, "ud2");
GUEST(spin, 64, "1: pause; jmp 1b");
/* every port, read and written in three widths */
GUEST(all_ports, 64,
      "mov $0x607, %edx; 1: in %dx, %al; in %dx, %ax; in %dx, %eax; out %al, %dx; out %ax, %dx\n"
      "out %eax, %dx; inc %edx; cmp $0x1800, %edx; jne 1b\n"
      "mov $0x600, %dx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b");
/* writes to read-only memory are exits, and change nothing */
GUEST(write_read_only, 64,
      "mov $0xd0100000, %edi; movl $0x55, (%rdi); mov (%rdi), %eax; mov $0x1235, %dx\n"
      "out %al, %dx; mov $0x600, %dx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b");
GUEST(strings, 64,
      "mov $0x100100, %esi; movb $'a', (%rsi); movb $'b', 1(%rsi); movb $'c', 2(%rsi)\n"
      "mov $3, %ecx; mov $0x1235, %dx; rep outsb\n"
      "mov $0x600, %dx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b");

static struct {
	struct vm vm;
	struct bus ports, memory;
	struct vcpu vcpu;
	uint8_t port_written[8];
	unsigned int port_writes;
	uint8_t registers[32];
	int kvm;
} t = { .kvm = -1 };

static void port_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	(void)owner;
	memset(ret_data, offset == 0 ? 0x41 : 0, size);
}

static void port_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	(void)owner;
	if (offset == 1 && size == 1 && t.port_writes < sizeof(t.port_written))
		t.port_written[t.port_writes++] = *(const uint8_t *)data;
}

static void register_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	(void)owner;
	memcpy(ret_data, t.registers + offset, size);
}

static void register_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	(void)owner;
	memcpy(t.registers + offset, data, size);
}

static const struct bus_ops port_ops = { port_read, port_write };
static const struct bus_ops register_ops = { register_read, register_write };

static bool held(int r)
{
	return tap_check(r >= 0, __FILE__, __LINE__, "%s", r < 0 ? fail_text() : "");
}

static bool machine_new(void)
{
	if (t.kvm < 0)
		t.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (t.kvm < 0) {
		tap_skip("no /dev/kvm");
		return false;
	}
	memset(&t.ports, 0, sizeof(t.ports));
	memset(&t.memory, 0, sizeof(t.memory));
	memset(t.registers, 0, sizeof(t.registers));
	t.port_writes = 0;
	return held(vm_init(&t.vm, t.kvm)) && held(vm_ram_add(&t.vm, 4 << 20)) &&
	       held(irq_routes_set(&t.vm)) && held(acpi_ports_add(&t.ports, &t.vm)) &&
	       held(bus_add(&t.ports, 0x1234, 2, &port_ops, NULL)) &&
	       held(bus_add(&t.memory, REGISTERS, sizeof(t.registers), &register_ops, NULL)) &&
	       held(vcpu_signals_prepare());
}

static bool guest_start(enum x86_mode mode, const unsigned char *start, const unsigned char *end)
{
	uint64_t at = mode == X86_REAL ? REAL_CODE : CODE;
	const struct x86_entry entry = { .mode = mode, .rip = at };

	memcpy(vm_guest(&t.vm, at, 4096, VM_WRITE), start, (size_t)(end - start));
	return held(x86_tables_write(&t.vm, mode)) &&
	       held(vcpu_init(&t.vcpu, &t.vm, &t.ports, &t.memory, 0, 1, &entry)) &&
	       held(vcpu_start(&t.vcpu, false));
}

/* Wait for the end, at most ten seconds. Return: the reason. */
static uint32_t guest_end(void)
{
	uint32_t end;

	for (int i = 0; i < 1000 && !vm_has_ended(&t.vm); i++)
		(void)usleep(10000);
	end = atomic_load(&t.vm.end);
	vm_end(&t.vm, VM_END_ASKED);
	vcpu_stop(&t.vcpu);
	vcpu_done(&t.vcpu);
	return end;
}

#define RUN(mode, name) guest_start(mode, name##_start, name##_end)

static void test_a_64_bit_guest_reaches_its_devices(void)
{
	uint32_t value;
	uint64_t wide;

	if (!machine_new())
		return;
	t.registers[0x10] = 0x77;
	if (RUN(X86_LONG, ports_and_memory)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK_INT(t.port_writes, 1);
		CHECK_INT(t.port_written[0], 0x42);
		memcpy(&value, t.registers + 0x14, sizeof(value));
		CHECK_INT(value, 0x78);
		memcpy(&wide, t.registers + 0x18, sizeof(wide));
		CHECK(wide == 0x1122334455667788);
		CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_IO_IN], 1);
		CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_IO_OUT], 2);
		CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_MMIO_READ], 1);
		CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_MMIO_WRITE], 2);
		CHECK_INT((long long)t.vm.stats->unclaimed, 0);
	}
	vm_done(&t.vm);
}

static void test_a_16_bit_guest_runs(void)
{
	if (!machine_new())
		return;
	if (RUN(X86_REAL, real_mode)) {
		CHECK_INT(guest_end(), VM_END_RESET);
		CHECK_INT(t.port_written[0], 0x42);
	}
	vm_done(&t.vm);
}

static void test_a_32_bit_guest_runs(void)
{
	if (!machine_new())
		return;
	if (RUN(X86_PROTECTED, protected_mode)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK_INT(t.port_written[0], 0x42);
	}
	vm_done(&t.vm);
}

static void test_a_triple_fault_is_an_end(void)
{
	if (!machine_new())
		return;
	if (RUN(X86_LONG, triple_fault))
		CHECK_INT(guest_end(), VM_END_TRIPLE_FAULT);
	vm_done(&t.vm);
}

static void test_a_guest_that_hangs_is_stopped_from_outside(void)
{
	struct vm_kvm_stats stats = { .exits = 0 };

	if (!machine_new())
		return;
	if (RUN(X86_LONG, spin)) {
		(void)usleep(50000);
		CHECK(!vm_has_ended(&t.vm));
		/* a processor that never leaves its guest does not keep others from counting */
		kvm_stats_read(&t.vcpu, 1, &stats);
		CHECK(t.vcpu.stats_fd >= 0);
		vm_end(&t.vm, VM_END_ASKED);
		CHECK_INT(guest_end(), VM_END_ASKED);
	}
	vm_done(&t.vm);
}

static void test_ports_where_nothing_is(void)
{
	if (!machine_new())
		return;
	if (RUN(X86_LONG, all_ports)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK(t.vm.stats->unclaimed > 6 * 4500ULL);
	}
	vm_done(&t.vm);
}

static void test_a_guest_cannot_write_what_is_read_only(void)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));

	page[0] = 7;
	if (!machine_new())
		return;
	if (held(vm_map(&t.vm, 0xd0100000, sizeof(page), page, true)) &&
	    RUN(X86_LONG, write_read_only)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK_INT(page[0], 7);
		CHECK_INT(t.port_written[0], 7);
		CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_MMIO_WRITE], 1);
		CHECK_INT((long long)t.vm.stats->unclaimed, 1);
	}
	vm_done(&t.vm);
}

/* An image that is memory of the guest: what the file says is read, and nothing that the guest does gets there. */
static void test_a_guest_cannot_write_to_a_file_that_it_reads(void)
{
	cleanup_fd int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t byte = 9, *page;

	CHECK(ftruncate(fd, 4096) == 0 && pwrite(fd, &byte, 1, 0) == 1);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(page != MAP_FAILED);
	if (!machine_new())
		return;
	if (held(vm_map(&t.vm, 0xd0100000, 4096, page, true)) && RUN(X86_LONG, write_read_only)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK_INT(t.port_written[0], 9);
		CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 9);
	}
	vm_done(&t.vm);
	/*
	 * Somebody on the host cut it short: the machine has an end, and its monitor is there to tell. Hardware stops at the read;
	 * a KVM that emulates it asks for a device there, and no device is.
	 */
	CHECK(ftruncate(fd, 0) == 0);
	if (machine_new() && held(vm_map(&t.vm, 0xd0100000, 4096, page, true)) && RUN(X86_LONG, write_read_only)) {
		uint32_t end = guest_end();

		if (end != VM_END_KVM) {
			CHECK_INT(end, VM_END_POWEROFF);
			CHECK_INT((long long)t.vm.stats->exits[VM_EXIT_MMIO_READ], 1);
			CHECK_INT(t.port_written[0], 0xff);
		}
	}
	vm_done(&t.vm);
	(void)munmap(page, 4096);
}

static void test_a_string_comes_byte_by_byte(void)
{
	if (!machine_new())
		return;
	if (RUN(X86_LONG, strings)) {
		CHECK_INT(guest_end(), VM_END_POWEROFF);
		CHECK_INT(t.port_writes, 3);
		CHECK(memcmp(t.port_written, "abc", 3) == 0);
	}
	vm_done(&t.vm);
}

static void test_two_devices_cannot_share_an_address(void)
{
	struct bus bus = { .count = 0 };
	uint32_t value = 0;

	CHECK_INT(bus_add(&bus, 0x1000, 0x10, &register_ops, NULL), 0);
	CHECK(bus_add(&bus, 0x100f, 1, &register_ops, NULL) < 0);
	CHECK(bus_add(&bus, 0xfff, 2, &register_ops, NULL) < 0);
	CHECK(bus_add(&bus, 0x1010, 0, &register_ops, NULL) < 0);
	CHECK(bus_add(&bus, UINT64_MAX, 2, &register_ops, NULL) < 0);
	CHECK_INT(bus_add(&bus, 0x1010, 1, &register_ops, NULL), 0);
	/* an access that begins in a device and ends behind it reaches nobody */
	CHECK(!bus_read(&bus, 0x100e, &value, 4));
	CHECK(value == UINT32_MAX);
	CHECK(!bus_write(&bus, 0x1010, &value, 2));
	CHECK(bus_read(&bus, 0x100c, &value, 4));
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_a_64_bit_guest_reaches_its_devices),
		TEST(test_a_16_bit_guest_runs),
		TEST(test_a_32_bit_guest_runs),
		TEST(test_a_triple_fault_is_an_end),
		TEST(test_a_guest_that_hangs_is_stopped_from_outside),
		TEST(test_ports_where_nothing_is),
		TEST(test_a_guest_cannot_write_what_is_read_only),
		TEST(test_a_guest_cannot_write_to_a_file_that_it_reads),
		TEST(test_a_string_comes_byte_by_byte),
		TEST(test_two_devices_cannot_share_an_address),
		{ 0 },
	});
}
