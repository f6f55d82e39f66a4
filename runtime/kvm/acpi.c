/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RSDP, XSDT, FADT, MADT and a DSDT of a few hundred bytes, written one behind the other. The
 * machine is "hardware-reduced": no legacy timer, clock, keyboard or PCI, and each flag that says so
 * saves the guest some probing. The DSDT is encoded by hand from a template a device: all of its
 * lengths are constants. Sources: ACPI 6.4, sections 5.2 (tables), 19.6 and 20 (AML), 6.4 (resources).
 */
#include "runtime/kvm/acpi.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/virtio.h"
#include "runtime/kvm/vm.h"

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t whole_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct address {
	uint8_t space, bits, offset, access;
	uint64_t address;
} __attribute__((packed));

struct fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved0, profile;
	uint8_t legacy[62]; /* fixed registers: there are none; offsets 46 to 107 */
	uint8_t century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address fixed[8];
	struct address sleep_control, sleep_status;
	uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, boot_arch) == 109, "FADT: boot_arch");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "FADT: x_dsdt");
_Static_assert(sizeof(struct fadt) == 276, "FADT");

struct madt {
	struct header header;
	uint32_t lapic, flags;
} __attribute__((packed));

struct madt_lapic {
	uint8_t type, length, processor, id;
	uint32_t flags;
} __attribute__((packed));

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} __attribute__((packed));

enum {
	FADT_WBINVD = 1 << 0,
	FADT_NO_POWER_BUTTON = 1 << 4,
	FADT_NO_SLEEP_BUTTON = 1 << 5,
	FADT_RESET = 1 << 10,
	FADT_HARDWARE_REDUCED = 1 << 20,
	ARCH_NO_VGA = 1 << 2,
	ARCH_NO_MSI = 1 << 3, /* also: there is no PCI that would have it */
	ARCH_NO_RTC = 1 << 5, /* without it Linux polls a clock that is not there for a second */
	SPACE_IO = 1,
	ACCESS_BYTE = 1,
	RESET_VALUE = 1,
	SLEEP_TYPE_OFF = 5,
	SLEEP_ENABLE = 1 << 5,
};

/* Where the next table goes. */
struct writer {
	uint8_t *start;
	size_t used;
};

/* Room for @size bytes, 16-aligned, zeroed. All tables together are far below ACPI_SIZE. */
static void *reserve(struct writer *w, size_t size, uint64_t *ret_gpa)
{
	void *at = w->start + w->used;

	*ret_gpa = ACPI_BASE + w->used;
	w->used += (size + 15) & ~(size_t)15;
	return at;
}

static uint8_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

static void header_fill(struct header *header, const char *signature, uint8_t revision, size_t size)
{
	*header = (struct header){
		.length = (uint32_t)size,
		.revision = revision,
		.oem = { 'N', 'A', 'C', 'E', 'L', 'L' },
		.table = { 'N', 'A', 'C', 'E', 'L', 'L', 'E', 'V' },
		.oem_revision = 1,
		.creator = { 'N', 'C', 'L', 'E' },
		.creator_revision = 1,
	};
	memcpy(header->signature, signature, sizeof(header->signature));
}

/* With all of the table in place. */
static void header_seal(struct header *header)
{
	header->checksum = 0;
	header->checksum = checksum(header, header->length);
}

/* AML under construction: the DSDT's body. */
struct aml {
	uint8_t *at;
};

static void put(struct aml *aml, const void *bytes, size_t size)
{
	memcpy(aml->at, bytes, size);
	aml->at += size;
}

#define PUT(aml, ...) \
	put(aml, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void put32(struct aml *aml, uint32_t value)
{
	put(aml, &value, sizeof(value));
}

static void put_text(struct aml *aml, const char *text)
{
	put(aml, text, strlen(text));
}

/* A length in AML counts itself and what follows; its two-byte form holds up to 4095. */
static uint8_t *length_begin(struct aml *aml)
{
	uint8_t *mark = aml->at;

	aml->at += 2;
	return mark;
}

static void length_end(const struct aml *aml, uint8_t *mark)
{
	size_t length = (size_t)(aml->at - mark);

	mark[0] = (uint8_t)(0x40 | (length & 15));
	mark[1] = (uint8_t)(length >> 4);
}

/*
 *	Device (Vnn_) {
 *		Name (_HID, "LNRO0005")
 *		Name (_UID, slot)
 *		Name (_CRS, ResourceTemplate () {
 *			Memory32Fixed (ReadWrite, base, 0x1000)
 *			Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { pin }
 *		})
 *	}
 */
static void device_put(struct aml *aml, unsigned int slot)
{
	uint8_t *device, *buffer;

	PUT(aml, 0x5b, 0x82);
	device = length_begin(aml);
	PUT(aml, 'V', (uint8_t)('0' + slot / 10), (uint8_t)('0' + slot % 10), '_');
	PUT(aml, 0x08, '_', 'H', 'I', 'D', 0x0d);
	put_text(aml, "LNRO0005");
	PUT(aml, 0x00);
	PUT(aml, 0x08, '_', 'U', 'I', 'D', 0x0a, (uint8_t)slot);
	PUT(aml, 0x08, '_', 'C', 'R', 'S', 0x11);
	buffer = length_begin(aml);
	PUT(aml, 0x0a, 12 + 9 + 2);
	PUT(aml, 0x86, 9, 0, 0x01);
	put32(aml, (uint32_t)VM_DEVICES_BASE + slot * VIRTIO_PAGE);
	put32(aml, VIRTIO_PAGE);
	PUT(aml, 0x89, 6, 0, 0x03, 1);
	put32(aml, VIRTIO_PIN_FIRST + slot);
	PUT(aml, 0x79, 0);
	length_end(aml, buffer);
	length_end(aml, device);
}

static uint64_t dsdt_write(struct writer *w, unsigned int devices)
{
	uint64_t gpa;
	struct header *header = reserve(w, sizeof(*header) + 32 + 80UL * devices, &gpa);
	struct aml aml = { .at = (uint8_t *)(header + 1) };
	uint8_t *scope;

	PUT(&aml, 0x10);
	scope = length_begin(&aml);
	put_text(&aml, "\\_SB_");
	for (unsigned int i = 0; i < devices; i++)
		device_put(&aml, i);
	length_end(&aml, scope);
	/* Name (_S5, Package () { 5, 5, 0, 0 }) */
	PUT(&aml, 0x08, '_', 'S', '5', '_', 0x12, 0x08, 4);
	PUT(&aml, 0x0a, SLEEP_TYPE_OFF, 0x0a, SLEEP_TYPE_OFF, 0, 0);
	header_fill(header, "DSDT", 2, (size_t)(aml.at - (uint8_t *)header));
	header_seal(header);
	return gpa;
}

static struct address port(unsigned int offset)
{
	return (struct address){
		.space = SPACE_IO,
		.bits = 8,
		.access = ACCESS_BYTE,
		.address = ACPI_PORT + offset,
	};
}

static uint64_t fadt_write(struct writer *w, uint64_t dsdt)
{
	uint64_t gpa;
	struct fadt *fadt = reserve(w, sizeof(*fadt), &gpa);

	*fadt = (struct fadt){
		.dsdt = (uint32_t)dsdt,
		.boot_arch = ARCH_NO_VGA | ARCH_NO_MSI | ARCH_NO_RTC,
		.flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON | FADT_RESET |
			 FADT_HARDWARE_REDUCED,
		.reset = port(ACPI_RESET),
		.reset_value = RESET_VALUE,
		.minor = 4,
		.x_dsdt = dsdt,
		.sleep_control = port(ACPI_SLEEP_CONTROL),
		.sleep_status = port(ACPI_SLEEP_STATUS),
	};
	header_fill(&fadt->header, "FACP", 6, sizeof(*fadt));
	header_seal(&fadt->header);
	return gpa;
}

static uint64_t madt_write(struct writer *w, unsigned int vcpus)
{
	size_t size = sizeof(struct madt) + vcpus * sizeof(struct madt_lapic) +
		      sizeof(struct madt_ioapic);
	uint64_t gpa;
	struct madt *madt = reserve(w, size, &gpa);
	struct madt_lapic *lapic = (struct madt_lapic *)(madt + 1);
	struct madt_ioapic *ioapic = (struct madt_ioapic *)(lapic + vcpus);

	header_fill(&madt->header, "APIC", 4, size);
	madt->lapic = (uint32_t)VM_LAPIC_BASE;
	for (unsigned int i = 0; i < vcpus; i++)
		lapic[i] = (struct madt_lapic){
			.type = 0,
			.length = sizeof(*lapic),
			.processor = (uint8_t)i,
			.id = (uint8_t)i,
			.flags = 1,
		};
	*ioapic = (struct madt_ioapic){
		.type = 1,
		.length = sizeof(*ioapic),
		.address = (uint32_t)VM_IOAPIC_BASE,
	};
	header_seal(&madt->header);
	return gpa;
}

int acpi_tables_write(const struct vm *vm, unsigned int vcpus, unsigned int devices,
		      uint64_t *ret_rsdp)
{
	struct writer w = { .start = vm_guest(vm, ACPI_BASE, ACPI_SIZE, VM_WRITE) };
	uint64_t rsdp_gpa, xsdt_gpa, tables[2];
	struct header *xsdt;
	struct rsdp *rsdp;

	if (!w.start)
		return fail_plain(EFAULT, "the guest has too little memory for its ACPI tables");
	rsdp = reserve(&w, sizeof(*rsdp), &rsdp_gpa);
	tables[0] = fadt_write(&w, dsdt_write(&w, devices));
	tables[1] = madt_write(&w, vcpus);
	xsdt = reserve(&w, sizeof(*xsdt) + sizeof(tables), &xsdt_gpa);
	header_fill(xsdt, "XSDT", 1, sizeof(*xsdt) + sizeof(tables));
	memcpy(xsdt + 1, tables, sizeof(tables));
	header_seal(xsdt);

	*rsdp = (struct rsdp){
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.oem = { 'N', 'A', 'C', 'E', 'L', 'L' },
		.revision = 2,
		.length = sizeof(*rsdp),
		.xsdt = xsdt_gpa,
	};
	rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
	rsdp->whole_checksum = checksum(rsdp, sizeof(*rsdp));
	*ret_rsdp = rsdp_gpa;
	return 0;
}

static void ports_read(void *owner, uint64_t offset, void *ret_data, unsigned int size)
{
	(void)owner;
	(void)offset;
	memset(ret_data, 0, size);
}

static void ports_write(void *owner, uint64_t offset, const void *data, unsigned int size)
{
	struct vm *vm = owner;
	uint8_t value = *(const uint8_t *)data;

	if (size != 1)
		return;
	if (offset == ACPI_SLEEP_CONTROL && value == (SLEEP_ENABLE | SLEEP_TYPE_OFF << 2))
		vm_end(vm, VM_END_POWEROFF);
	if (offset == ACPI_RESET && value == RESET_VALUE)
		vm_end(vm, VM_END_RESET);
}

static const struct bus_ops ports_ops = { .read = ports_read, .write = ports_write };

int acpi_ports_add(struct bus *ports, struct vm *vm)
{
	return bus_add(ports, ACPI_PORT, ACPI_PORTS, &ports_ops, vm);
}
