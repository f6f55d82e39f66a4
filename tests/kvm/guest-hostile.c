/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest-hostile: a kernel that means harm, one attack a boot. "attack=N" on its command line says which; tests/kvm/hostile starts
 * it and judges. Attacks on devices come once for each device and end with proof that the monitor goes on: the random
 * device, which is slot RNG, is started anew and gives bytes. Attacks by the processor itself may end the machine, but no more than that.
 * Memory: all of it is ours, 16 MiB; the first 4 GiB are mapped onto themselves. Devices: runtime/kvm/vm.h, virtio 1.2 section 4.2.
 */
#include "guest-driver.h"

/* --- attacks on a device's registers --------------------------------------------------------------------- */

static void registers_of_every_width(unsigned int slot)
{
	for (unsigned int width = 0; width < 4; width++)
		for (unsigned int offset = 0; offset + (1U << width) <= 4096; offset += offset < 0x200 ? 1 : 61) {
			peek(DEVICES + slot * 4096UL + offset, width);
			poke(DEVICES + slot * 4096UL + offset, width, edge());
		}
}

static void registers_at_random(unsigned int slot)
{
	for (int i = 0; i < 3000; i++)
		poke(DEVICES + slot * 4096UL + noise() % 0x140, 2, edge());
}

static void across_pages(unsigned int slot)
{
	for (unsigned int back = 1; back < 8; back++) {
		peek(DEVICES + (slot + 1) * 4096UL - back, 3);
		poke(DEVICES + (slot + 1) * 4096UL - back, 3, ~0UL);
		poke(DEVICES + slot * 4096UL - back, 3, ~0UL);
	}
}

static void queue_sizes(unsigned int slot)
{
	static const uint32_t sizes[] = { 0, 3, 65, 1023, 1025, 32767, 32768, 65535, 65536, 0x80000000, 0xffffffff };

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		(void)begin(slot, 0);
		queues_make(slot);
		for (unsigned int q = 0; q < QUEUES + 2; q++) {
			*reg(slot, VIRTIO_MMIO_QUEUE_SEL) = q;
			*reg(slot, VIRTIO_MMIO_QUEUE_READY) = 0;
			*reg(slot, VIRTIO_MMIO_QUEUE_NUM) = sizes[i];
			*reg(slot, VIRTIO_MMIO_QUEUE_READY) = 1;
		}
		(void)status_set(slot, 15);
		give(slot, 0, 0);
		settle();
	}
}

static void queue_addresses(unsigned int slot)
{
	for (int i = 0; i < 300; i++) {
		uint64_t good = (uintptr_t)&queues[0];

		(void)begin(slot, 0);
		*reg(slot, VIRTIO_MMIO_QUEUE_SEL) = (uint32_t)(noise() % 2);
		*reg(slot, VIRTIO_MMIO_QUEUE_NUM) = 8;
		queue_place(slot, noise() & 1 ? good : edge(), noise() & 1 ? good + 4096 : edge(), noise() & 1 ? good + 8192 : edge());
		*reg(slot, VIRTIO_MMIO_QUEUE_READY) = 1;
		*reg(slot, VIRTIO_MMIO_STATUS) = 15;
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = 0;
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = 1;
	}
}

static void changed_while_in_use(unsigned int slot)
{
	(void)start(slot, offered(slot));
	for (int i = 0; i < 300; i++) {
		*reg(slot, VIRTIO_MMIO_QUEUE_SEL) = (uint32_t)(noise() % QUEUES);
		*reg(slot, VIRTIO_MMIO_QUEUE_NUM) = (uint32_t)edge();
		queue_place(slot, edge(), edge(), edge());
		*reg(slot, VIRTIO_MMIO_DRIVER_FEATURES) = (uint32_t)edge();
		give(slot, (unsigned int)(noise() % QUEUES), (uint16_t)(noise() % SIZE));
	}
}

static void every_status(unsigned int slot)
{
	for (uint32_t status = 0; status < 512; status++) {
		*reg(slot, VIRTIO_MMIO_STATUS) = status;
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = status % QUEUES;
	}
}

static void reset_in_flight(unsigned int slot)
{
	for (int i = 0; i < 200; i++) {
		(void)start(slot, offered(slot));
		for (unsigned int q = 0; q < QUEUES; q++)
			for (uint16_t d = 0; d < 8; d++) {
				queues[q].table[d] = (struct descriptor){
					.address = (uintptr_t)buffers[d], .length = BUFFER, .flags = d & 1 ? WRITE : 0,
				};
				give(slot, q, d);
			}
		*reg(slot, VIRTIO_MMIO_STATUS) = 0;
	}
}

static void features_not_offered(unsigned int slot)
{
	for (int bit = 0; bit < 32; bit++) {
		(void)start(slot, 1U << bit);
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = 0;
	}
	(void)start(slot, 0xffffffff);
	give(slot, 0, 0);
}

static void kicks(unsigned int slot)
{
	(void)start(slot, 0);
	for (int i = 0; i < 2000; i++)
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = (uint32_t)edge();
	for (int i = 0; i < 200; i++)
		*reg(slot, VIRTIO_MMIO_INTERRUPT_ACK) = (uint32_t)edge();
}

/* --- attacks through its queues ------------------------------------------------------------------------- */

/* One of a hundred and more bad ways to describe memory: @round chooses the way. */
static struct descriptor descriptor_bad(unsigned int round)
{
	struct descriptor d = {
		.address = (uintptr_t)buffers[noise() % 8],
		.length = (uint32_t)(noise() % BUFFER),
		.flags = (uint16_t)(noise() % 4),
		.next = (uint16_t)(noise() % SIZE),
	};

	if (round & 1)
		d.address = edge();
	if (round & 2)
		d.length = (uint32_t)edge();
	if (round & 4)
		d.flags = (uint16_t)edge();
	if (round & 8)
		d.next = (uint16_t)edge();
	if (round & 16)
		d.flags |= INDIRECT;
	return d;
}

static void descriptors_at_random(unsigned int slot)
{
	for (unsigned int i = 0; i < 200; i++) {
		unsigned int q = (unsigned int)(noise() % QUEUES);

		if (i % 4 == 0)
			(void)start(slot, noise() & 1 ? offered(slot) : 0);
		for (uint16_t d = 0; d < SIZE; d++)
			queues[q].table[d] = descriptor_bad(i);
		give(slot, q, (uint16_t)(i & 32 ? edge() : noise() % SIZE));
	}
}

static void chains(unsigned int slot)
{
	for (unsigned int q = 0; q < QUEUES; q++)
		for (unsigned int shape = 0; shape < 6; shape++) {
			(void)start(slot, 0);
			for (uint16_t d = 0; d < SIZE; d++)
				queues[q].table[d] = (struct descriptor){
					.address = (uintptr_t)buffers[d % 8],
					.length = shape == 4 ? 1 : shape == 5 ? 0 : BUFFER,
					/* read and written: as it should be, the other way round, or in turn */
					.flags = (uint16_t)(NEXT | (shape == 0 || (shape == 3 && d > 2) || (shape > 3 && d > 40) ? WRITE : 0)),
					/* to itself, round and round, or all of them and then beyond */
					.next = shape == 1 ? d : shape == 2 ? (uint16_t)((d + 1) % SIZE) : (uint16_t)(d + 1),
				};
			give(slot, q, 0);
			settle();
		}
}

static void available_index_jumps(unsigned int slot)
{
	for (int i = 0; i < 200; i++) {
		unsigned int q = (unsigned int)(noise() % QUEUES);

		(void)start(slot, 0);
		queues[q].table[0] = (struct descriptor){ .address = (uintptr_t)buffers[0], .length = 64, .flags = noise() & 1 ? WRITE : 0 };
		queues[q].available.index = (uint16_t)edge();
		*reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY) = q;
	}
}

/*
 * What looks like a request: a plausible head and noise behind it. @layout 0: the head alone; then with an answer's room behind
 * it, with data before or behind.
 */
static void request(unsigned int slot, unsigned int q, unsigned int layout)
{
	volatile struct descriptor *d = queues[q].table;

	d[0] = (struct descriptor){ .address = (uintptr_t)buffers[0], .length = (uint32_t)(8 + noise() % 256), .flags = layout ? NEXT : 0, .next = 1 };
	d[1] = (struct descriptor){
		.address = (uintptr_t)buffers[1], .length = (uint32_t)(noise() % BUFFER),
		.flags = (uint16_t)((layout & 1 ? WRITE : 0) | (layout > 1 ? NEXT : 0)), .next = 2,
	};
	d[2] = (struct descriptor){ .address = (uintptr_t)buffers[2], .length = (uint32_t)(noise() % 64), .flags = WRITE };
	give(slot, q, 0);
}

static void requests_half_right(unsigned int slot)
{
	(void)start(slot, offered(slot));
	for (unsigned int i = 0; i < 600; i++) {
		uint64_t *words = (void *)buffers[0];
		uint32_t *halves = (void *)buffers[0];
		unsigned int q = (unsigned int)(noise() % QUEUES);

		for (int w = 0; w < 32; w++)
			words[w] = noise() & 3 ? noise() % 70 : edge();
		/* a file server's head: the length of all, an operation; a disk's has its type first */
		halves[0] = noise() & 3 ? (uint32_t)(noise() % 12) : (uint32_t)edge();
		halves[1] = (uint32_t)(noise() % 60);
		request(slot, q, (unsigned int)(noise() % 4));
		/* the length that a file server is told is what it gets, now and then */
		if (noise() & 1)
			halves[0] = queues[q].table[0].length;
		if (*reg(slot, VIRTIO_MMIO_STATUS) & 0x40)
			(void)start(slot, offered(slot));
	}
}

/* Written over and over while the device may be reading it. */
static void changed_meanwhile(unsigned int slot)
{
	(void)start(slot, offered(slot));
	for (unsigned int i = 0; i < 200; i++) {
		unsigned int q = (unsigned int)(noise() % QUEUES);

		request(slot, q, 3);
		for (int k = 0; k < 40; k++) {
			queues[q].table[noise() % 3] = descriptor_bad((unsigned int)noise() % 16);
			*(volatile uint64_t *)&buffers[0][noise() % 32 * 8] = edge();
		}
		if (*reg(slot, VIRTIO_MMIO_STATUS) & 0x40)
			(void)start(slot, offered(slot));
	}
}

static const struct {
	const char *name;
	void (*run)(unsigned int slot);
} on_devices[] = {
	{ "registers of every width", registers_of_every_width },
	{ "registers at random", registers_at_random },
	{ "accesses across pages", across_pages },
	{ "sizes of queues", queue_sizes },
	{ "addresses of queues", queue_addresses },
	{ "registers changed while in use", changed_while_in_use },
	{ "every status", every_status },
	{ "resets in flight", reset_in_flight },
	{ "features that were not offered", features_not_offered },
	{ "kicks and acknowledgements", kicks },
	{ "descriptors at random", descriptors_at_random },
	{ "chains of every shape", chains },
	{ "jumps of the index", available_index_jumps },
	{ "requests that are half right", requests_half_right },
	{ "requests changed meanwhile", changed_meanwhile },
};

/* --- attacks by the processor ---------------------------------------------------------------------------- */

static void every_port(void)
{
	for (uint32_t port = 0; port < 0x10000; port++) {
		if (port >= SLEEP_CONTROL - 4 && port < SLEEP_CONTROL + 8)
			continue;
		__asm__ volatile("inb %w1, %%al\n outb %%al, %w1" : : "a"(0xff), "d"(port));
		if (port % 16 == 0)
			__asm__ volatile("inl %w1, %%eax\n outl %%eax, %w1" : : "a"(-1), "d"(port));
	}
}

static void memory_that_is_none(void)
{
	for (uint64_t at = RAM; at < 0x100000000; at += 0x1000000) {
		peek(at, 3);
		poke(at + 8, (unsigned int)(noise() % 4), edge());
	}
	for (uint64_t at = 0xcfff0000; at < 0xd0040000; at += 509)
		poke(at, (unsigned int)(noise() % 4), edge());
}

/* Every command to the page about the machine's birth, and the agent's bell without end (runtime/kvm/birth.h). */
static void birth_commands(void)
{
	for (uint32_t i = 0; i < 20000; i++)
		poke(0xcffffffc, 2, i % 9 == 8 ? edge() : i % 9);
}

static void interrupt_controllers(void)
{
	/* the upper part of the local one's page belongs to nobody */
	for (int i = 0; i < 1000; i++) {
		poke(0xfec00000 + noise() % 0x40 / 16 * 16, 2, noise() % 0x100);
		peek(0xfee00000 + noise() % 0x1000 / 16 * 16, 2);
	}
}

static void serial_flood(void)
{
	for (int i = 0; i < 20000; i++)
		out(SERIAL, (uint8_t)noise());
	out(SERIAL, '\n');
}

static void strings_to_ports(void)
{
	const void *from = buffers[0];
	uint64_t count = 4 * BUFFER;

	__asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(0x80) : "memory");
	void *to = buffers[0];
	count = 4 * BUFFER;
	__asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x81) : "memory");
}

static void strings_from_registers(void)
{
	const void *from = (const void *)DEVICES;
	void *to = buffers[0];
	uint64_t count = 8 * BUFFER;

	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	from = buffers[0];
	to = (void *)DEVICES;
	count = 8 * BUFFER;
	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void locked_registers(void)
{
	uint64_t value = ~0UL;

	__asm__ volatile("lock xchgq %0, (%1)" : "+r"(value) : "r"(DEVICES + VIRTIO_MMIO_STATUS) : "memory");
	__asm__ volatile("lock addl $1, (%0)" : : "r"(DEVICES + 4096 + VIRTIO_MMIO_QUEUE_NOTIFY) : "memory");
}

static void code_in_registers(void)
{
	((void (*)(void))DEVICES)();
}
static void code_nowhere(void)
{
	((void (*)(void))0xc0000000)();
}
static void stack_nowhere(void)
{
	__asm__ volatile("mov $0xd0000ff0, %rsp\n push %rax\n push %rax\n pop %rax");
}
static void tables_nowhere(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(0xd0000000UL));
}
static void triple_fault(void)
{
	__asm__ volatile("ud2");
}
static void machine_registers(void)
{
	/* what faults ends us; each boot tries others */
	for (int i = 0; i < 64; i++) {
		uint32_t at = noise() & 1 ? 0xc0010000 + (uint32_t)(noise() % 0x200) : (uint32_t)(0x4b564d00 + noise() % 16);

		__asm__ volatile("wrmsr" : : "c"(at), "a"((uint32_t)edge()), "d"((uint32_t)edge()));
	}
}
static void calls_to_the_host(void)
{
	for (uint64_t i = 0; i < 64; i++)
		__asm__ volatile("vmmcall" : : "a"(i), "b"(edge()), "c"(edge()), "d"(edge()), "S"(edge()));
}
static void a_machine_within(void)
{
	__asm__ volatile("vmrun" : : "a"(edge()));
}
static void halt_for_good(void)
{
	__asm__ volatile("cli\n hlt");
}

static const struct {
	const char *name;
	void (*run)(void);
} by_processor[] = {
	{ "every port", every_port },
	{ "memory that is none", memory_that_is_none },
	{ "interrupt controllers", interrupt_controllers },
	{ "a flood on the serial port", serial_flood },
	{ "strings to ports", strings_to_ports },
	{ "strings from and to registers", strings_from_registers },
	{ "locked registers", locked_registers },
	{ "code in registers", code_in_registers },
	{ "code nowhere", code_nowhere },
	{ "a stack nowhere", stack_nowhere },
	{ "commands about its birth", birth_commands },
	{ "page tables nowhere", tables_nowhere },
	{ "a triple fault", triple_fault },
	{ "machine registers", machine_registers },
	{ "machine registers, others", machine_registers },
	{ "machine registers, others again", machine_registers },
	{ "calls to the host", calls_to_the_host },
	{ "a machine within", a_machine_within },
	{ "a halt for good", halt_for_good },
};

/* --- one of them ------------------------------------------------------------------------------------------- */

static unsigned int number_wanted(const char *cmdline)
{
	unsigned int n = 0;

	for (; *cmdline && *cmdline != '='; cmdline++)
		;
	for (cmdline += *cmdline == '='; *cmdline >= '0' && *cmdline <= '9'; cmdline++)
		n = n * 10 + (unsigned int)(*cmdline - '0');
	return n;
}

void kernel(const uint8_t *boot_params);

void kernel(const uint8_t *boot_params)
{
	const unsigned int devices = sizeof(on_devices) / sizeof(on_devices[0]) * SLOTS;
	unsigned int n = number_wanted((const char *)(uintptr_t)*(const uint32_t *)(const void *)(boot_params + CMDLINE));

	seed = 0x9e3779b97f4a7c15UL * (n + 1);
	if (n >= devices + sizeof(by_processor) / sizeof(by_processor[0])) {
		say("no such attack\n");
		off();
	}
	if (n < devices) {
		const char digit[] = { ' ', (char)('0' + n % SLOTS), '\n', '\0' };

		say("device: ");
		say(on_devices[n / SLOTS].name);
		say(digit);
		on_devices[n / SLOTS].run(n % SLOTS);
		*reg(n % SLOTS, VIRTIO_MMIO_STATUS) = 0;
	} else {
		say("processor: ");
		say(by_processor[n - devices].name);
		say("\n");
		by_processor[n - devices].run();
	}
	say(is_alive() ? "\nalive\n" : "\nno answer\n");
	off();
}

__asm__(".globl _start\n_start: mov %rsi, %rdi\n call kernel\n");
