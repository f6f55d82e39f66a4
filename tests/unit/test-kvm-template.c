/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tiny guests that become a template and go on as clones: with their registers, their memory, their queues and
 * their clock; and files that are no templates, of which none may ever run.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/kvm/acpi.h"
#include "runtime/kvm/birth.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/event.h"
#include "runtime/kvm/irq.h"
#include "runtime/kvm/template.h"
#include "runtime/kvm/vcpu.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86.h"
#include "tests/unit/tap.h"

enum { CODE = 0x100000, COUNTER = 0x300000, RAM = 4 << 20 };

#define GUEST(name, text) \
	__asm__(".pushsection .rodata\n.code64\n" #name "_start:\n" text "\n" #name "_end:\n.popsection\n"); \
	extern const unsigned char name##_start[], name##_end[]

#define SAY(reg) "mov $0x1235, %edx; mov " reg ", %al; out %al, %dx\n"
#define OFF "mov $0x600, %edx; mov $0x34, %al; out %al, %dx; 1: hlt; jmp 1b"

/*
 * registers of three kinds, memory on both sides of the point, and the page after it; CR4.OSFXSR (bit 9) is what allows the
 * second kind, and movups is the one of its instructions that a KVM without hardware, which emulates them, has too
 */
GUEST(goes_on, "mov %cr4, %rax; or $0x200, %eax; mov %rax, %cr4\n"
	       "mov $0x41, %r15d; movb $0x42, 0x300010; movups 0x300010, %xmm7; movb $0x43, 0x300000\n"
	       "mov $0xcffffffc, %edi; movl $1, (%rdi)\n"
	       SAY("%r15b") "movups %xmm7, 0x300020; mov 0x300020, %cl\n" SAY("%cl") "mov 0x300000, %cl\n" SAY("%cl")
	       "incb 0x300000; mov 0x300000, %cl\n" SAY("%cl")
	       "mov $0xcffff000, %edi; mov 4(%rdi), %cl\n" SAY("%cl") OFF);
/* 1 when the time-stamp counter went on, by less than 2^40, else 0 */
GUEST(time_goes_on, "rdtsc; shl $32, %rdx; or %rdx, %rax; mov %rax, %rbx\n"
		    "mov $0xcffffffc, %edi; movl $1, (%rdi)\n"
		    "rdtsc; shl $32, %rdx; or %rdx, %rax; sub %rbx, %rax; dec %rax; shr $40, %rax; setz %cl\n"
		    SAY("%cl") OFF);
GUEST(says_done, "mov $0xcffffffc, %edi; movl $1, (%rdi); mov $0xcffff000, %esi; mov 32(%rsi), %rbx; test %rbx, %rbx; setnz %cl\n"
		 SAY("%cl") "mov 24(%rsi), %rbx; movl $2, (%rdi); mov 24(%rsi), %rbp; test %rbp, %rbp; setnz %cl\n" SAY("%cl")
		 "movl $3, (%rdi); mov 32(%rsi), %rbx; test %rbx, %rbx; setnz %cl\n" SAY("%cl")
		 "movl $2, (%rdi); movl $1, (%rdi); movb $1, (%rdi)\n" OFF);

/* until somebody writes to the counter */
GUEST(goes_on_for_long, "movb $0, 0x300000; mov $0xcffffffc, %edi; movl $1, (%rdi)\n"
			"2: pause; cmpb $0, 0x300000; je 2b; mov $0x53, %cl\n" SAY("%cl") OFF);
/* stands still, says so behind it, asks once more, rings */
GUEST(waits, "mov $0xcffffffc, %edi; movl $1, (%rdi); movl $4, (%rdi); mov $0x51, %cl\n" SAY("%cl")
	     "movl $4, (%rdi); movl $5, (%rdi); mov $0x52, %cl\n" SAY("%cl") OFF);

struct machine {
	struct vm vm;
	struct bus ports, memory;
	struct vcpu vcpu;
	struct birth birth;
	uint8_t said[8];
	unsigned int words;
};

static int kvm = -1;

static void port_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	(void)owner;
	(void)offset;
	memset(ret_data, 0, size);
}

static void port_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	struct machine *m = owner;

	if (offset == 1 && size == 1 && m->words < sizeof(m->said))
		m->said[m->words++] = *(const uint8_t *)data;
}

static const struct bus_ops port_ops = { port_read, port_write };

static bool held(int r)
{
	return tap_check(r >= 0, __FILE__, __LINE__, "%s", r < 0 ? fail_text() : "");
}

static bool machine_new(struct machine *m, enum birth_how how)
{
	const struct birth_page page = { .how = how, .cid = 77 };

	if (kvm < 0)
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		tap_skip("no /dev/kvm");
		return false;
	}
	*m = (struct machine){ .words = 0 };
	return held(vm_init(&m->vm, kvm)) && held(vm_ram_add(&m->vm, RAM)) && held(irq_routes_set(&m->vm)) &&
	       held(acpi_ports_add(&m->ports, &m->vm)) && held(bus_add(&m->ports, 0x1234, 2, &port_ops, m)) &&
	       held(birth_add(&m->birth, &m->vm, &m->memory, &page)) && held(vcpu_signals_prepare());
}

/* One that runs, to its end, at most ten seconds. Return: the reason. */
static uint32_t machine_await(struct machine *m)
{
	uint32_t end;

	for (int i = 0; i < 10000 && !vm_has_ended(&m->vm); i++)
		(void)usleep(1000);
	end = atomic_load(&m->vm.end);
	vm_end(&m->vm, VM_END_ASKED);
	vcpu_stop(&m->vcpu);
	return end;
}

static uint32_t machine_run(struct machine *m)
{
	return held(vcpu_start(&m->vcpu, false)) ? machine_await(m) : VM_END_MONITOR;
}

static void machine_done(struct machine *m)
{
	vcpu_done(&m->vcpu);
	vm_done(&m->vm);
	birth_done(&m->birth);
}

/* A template of this guest in a file of memory. Return: -1 when there is none. */
static int template_of(const unsigned char *start, const unsigned char *end)
{
	const struct x86_entry entry = { .mode = X86_LONG, .rip = CODE };
	int fd = memfd_create("template", MFD_CLOEXEC);
	bool made = false;
	struct machine m;

	if (machine_new(&m, BIRTH_TEMPLATE)) {
		vm_ram_keep(&m.vm);
		memcpy(vm_guest(&m.vm, CODE, 4096, VM_WRITE), start, (size_t)(end - start));
		made = held(x86_tables_write(&m.vm, X86_LONG)) &&
		       held(vcpu_init(&m.vcpu, &m.vm, &m.ports, &m.memory, 0, 1, &entry));
		CHECK_INT(machine_run(&m), VM_END_TEMPLATE);
		CHECK_INT(m.words, 0);
		made = made && held(template_save(fd, &m.vm, &m.vcpu, 1, NULL, 0));
		machine_done(&m);
	}
	if (made)
		return fd;
	(void)close(fd);
	return -1;
}

static void template_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static bool clone_new(struct machine *m, int fd)
{
	struct template template = { .state = NULL };
	bool made = machine_new(m, BIRTH_CLONE) && held(template_load(fd, &template)) &&
		    held(template_map(&template, fd, &m->vm)) &&
		    held(vcpu_init(&m->vcpu, &m->vm, &m->ports, &m->memory, 0, 1, NULL)) &&
		    held(template_restore(&template, &m->vm, &m->vcpu, 1, NULL, 0));

	template_done(&template);
	return made;
}

static void test_a_clone_goes_on_where_its_template_stopped(void)
{
	int fd = template_of(goes_on_start, goes_on_end);
	static const uint8_t said[] = { 0x41, 0x42, 0x43, 0x44, BIRTH_CLONE };

	/* The second finds what the template had, not what the first made of it. */
	for (int i = 0; fd >= 0 && i < 2; i++) {
		struct machine m;

		if (clone_new(&m, fd))
			CHECK_INT(machine_run(&m), VM_END_POWEROFF);
		CHECK_INT(m.words, sizeof(said));
		CHECK(memcmp(m.said, said, sizeof(said)) == 0);
		machine_done(&m);
	}
	template_close(fd);
}

static void test_clones_at_once_do_not_see_each_other(void)
{
	int fd = template_of(goes_on_start, goes_on_end);
	struct machine a, b;

	if (fd >= 0 && clone_new(&a, fd) && clone_new(&b, fd)) {
		CHECK_INT(machine_run(&a), VM_END_POWEROFF);
		CHECK_INT(*(uint8_t *)vm_guest(&a.vm, COUNTER, 1, VM_READ), 0x44);
		CHECK_INT(*(uint8_t *)vm_guest(&b.vm, COUNTER, 1, VM_READ), 0x43);
		CHECK(memcmp(a.birth.page->seed, b.birth.page->seed, BIRTH_SEED) != 0);
		CHECK_INT(machine_run(&b), VM_END_POWEROFF);
		machine_done(&a);
		machine_done(&b);
	}
	template_close(fd);
}

static void test_the_time_goes_on(void)
{
	int fd = template_of(time_goes_on_start, time_goes_on_end);
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		CHECK_INT(machine_run(&m), VM_END_POWEROFF);
		CHECK_INT(m.said[0], 1);
		machine_done(&m);
	}
	template_close(fd);
}

static void test_the_seed_is_there_once(void)
{
	int fd = template_of(says_done_start, says_done_end);
	static const uint8_t said[] = { 1, 1, 0 }; /* a seed, a time, and no seed any more */
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		CHECK_INT(machine_run(&m), VM_END_POWEROFF);
		CHECK_INT(m.words, sizeof(said));
		CHECK(memcmp(m.said, said, sizeof(said)) == 0);
		CHECK_INT(m.birth.page->how, BIRTH_COLD);
		CHECK_INT(m.vm.stats->refused, 3);
		machine_done(&m);
	}
	template_close(fd);
}

static bool comes_to_stand(struct machine *m)
{
	for (int i = 0; i < 10000 && vm_rest(&m->vm) == VM_REST_AHEAD && !vm_has_ended(&m->vm); i++)
		(void)usleep(1000);
	return vm_rest(&m->vm) == VM_REST_NOW;
}

static bool has_rung(const struct machine *m)
{
	return event_take(m->birth.bell_fd);
}

static void test_a_clone_stands_still_until_it_is_called(void)
{
	int fd = template_of(waits_start, waits_end);
	static const uint8_t said[] = { 0x51, 0x52 };
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		m.vcpu.deadline = 1;
		CHECK(held(vcpu_start(&m.vcpu, false)));
		CHECK(comes_to_stand(&m));
		CHECK(has_rung(&m));
		/* neither time nor a kick moves it */
		(void)usleep(20000);
		vcpu_kick(&m.vcpu);
		(void)usleep(20000);
		CHECK_INT(m.words, 0);
		CHECK_INT((long long)m.vcpu.deadline, 1);
		vm_go(&m.vm);
		CHECK_INT(machine_await(&m), VM_END_POWEROFF);
		CHECK_INT(m.words, sizeof(said));
		CHECK(memcmp(m.said, said, sizeof(said)) == 0);
		CHECK_INT(m.vm.stats->refused, 1);
		CHECK(has_rung(&m));
		CHECK_INT((long long)m.vcpu.deadline, 0);
		machine_done(&m);
	}
	template_close(fd);
}

/* Who is called before it stands does not rest, but has a timer all the same. */
static void test_a_clone_that_is_called_before(void)
{
	int fd = template_of(waits_start, waits_end);
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		m.vcpu.deadline = 1;
		vm_go(&m.vm);
		CHECK_INT(machine_run(&m), VM_END_POWEROFF);
		CHECK_INT(m.words, 2);
		CHECK_INT((long long)m.vcpu.deadline, 0);
		machine_done(&m);
	}
	template_close(fd);
}

static void test_one_that_stands_still_can_be_ended(void)
{
	int fd = template_of(waits_start, waits_end);
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		CHECK(held(vcpu_start(&m.vcpu, false)));
		CHECK(comes_to_stand(&m));
		vm_end(&m.vm, VM_END_ASKED);
		vcpu_stop(&m.vcpu);
		CHECK_INT(m.words, 0);
		machine_done(&m);
	}
	template_close(fd);
}

/* A processor that is to stand still when it is kicked, as the others of a clone's are, and goes on as often as it is kicked. */
static void test_a_kicked_processor_goes_on(void)
{
	int fd = template_of(goes_on_for_long_start, goes_on_for_long_end);
	struct machine m;

	if (fd >= 0 && clone_new(&m, fd)) {
		CHECK(held(vcpu_start(&m.vcpu, false)));
		for (int i = 0; i < 20; i++) {
			(void)usleep(1000);
			vcpu_kick(&m.vcpu);
		}
		vm_stand(&m.vm);
		vcpu_kick(&m.vcpu);
		(void)usleep(20000);
		CHECK_INT(m.words, 0);
		vm_go(&m.vm);
		*(volatile uint8_t *)vm_guest(&m.vm, COUNTER, 1, VM_WRITE) = 1;
		CHECK_INT(machine_await(&m), VM_END_POWEROFF);
		CHECK_INT(m.words, 1);
		machine_done(&m);
	}
	template_close(fd);
}

/* What never was touched costs nothing, in the file as in memory. */
static void test_untouched_memory_is_not_in_the_file(void)
{
	int fd = template_of(goes_on_start, goes_on_end);
	struct template template = { .state = NULL };
	uint64_t mapped = 0;

	if (fd < 0)
		return;
	CHECK(held(template_load(fd, &template)));
	for (uint32_t i = 0; i < template.head.extent_count; i++)
		mapped += template.extents[i].size;
	CHECK(mapped > 0 && mapped < RAM);
	template_done(&template);
	template_close(fd);
}

static bool is_refused(int fd)
{
	struct template template = { .state = NULL };
	int r = template_load(fd, &template);

	template_done(&template);
	return r < 0;
}

static void byte_change(int fd, off_t at)
{
	uint8_t byte = 0;

	CHECK(pread(fd, &byte, 1, at) == 1);
	byte ^= 0x10;
	CHECK(pwrite(fd, &byte, 1, at) == 1);
}

static void test_a_broken_file_is_refused(void)
{
	int fd = template_of(goes_on_start, goes_on_end), empty = memfd_create("empty", MFD_CLOEXEC);
	struct template_head head;

	CHECK(is_refused(empty));
	(void)close(empty);
	if (fd < 0)
		return;
	CHECK(!is_refused(fd));
	CHECK(pread(fd, &head, sizeof(head), TEMPLATE_SEAL) == (ssize_t)sizeof(head));
	/* each byte of the head and, here and there, of the state */
	for (off_t at = TEMPLATE_SEAL; at < (off_t)(TEMPLATE_SEAL + sizeof(head) + head.size);
	     at += at < (off_t)(TEMPLATE_SEAL + sizeof(head)) ? 1 : 97) {
		byte_change(fd, at);
		if (!CHECK(is_refused(fd)))
			break;
		byte_change(fd, at);
	}
	CHECK(!is_refused(fd));
	CHECK(ftruncate(fd, (off_t)(TEMPLATE_RAM + RAM - 4096)) == 0);
	CHECK(is_refused(fd));
	template_close(fd);
}

/* A sum is no proof: a file that was made by somebody who knows it is judged number by number. */
static void test_a_file_of_another_machine_is_refused(void)
{
	int fd = template_of(goes_on_start, goes_on_end);
	struct template template = { .state = NULL };
	struct machine m;

	if (fd < 0 || !machine_new(&m, BIRTH_CLONE))
		return;
	CHECK(held(template_load(fd, &template)));
	CHECK(template_restore(&template, &m.vm, &m.vcpu, 2, NULL, 0) < 0);
	template.head.memory = 2 << 20;
	CHECK(template_map(&template, fd, &m.vm) < 0);
	template.head.device_count = 1;
	CHECK(template_restore(&template, &m.vm, &m.vcpu, 1, NULL, 0) < 0);
	template_done(&template);
	machine_done(&m);
	template_close(fd);
}

int main(void)
{
	return tap_run((const struct tap_test[]){
		TEST(test_a_clone_goes_on_where_its_template_stopped),
		TEST(test_clones_at_once_do_not_see_each_other),
		TEST(test_the_time_goes_on),
		TEST(test_the_seed_is_there_once),
		TEST(test_a_clone_stands_still_until_it_is_called),
		TEST(test_a_clone_that_is_called_before),
		TEST(test_one_that_stands_still_can_be_ended),
		TEST(test_a_kicked_processor_goes_on),
		TEST(test_untouched_memory_is_not_in_the_file),
		TEST(test_a_broken_file_is_refused),
		TEST(test_a_file_of_another_machine_is_refused),
		{ 0 },
	});
}
