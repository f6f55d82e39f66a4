/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts go in by irqfd, notifications come out by ioeventfd: both stay inside the kernel.
 * KVM's default routes send the lower interrupts to the 8259 as well, whose output Linux leaves
 * connected on the first processor; the table set here has the IOAPIC alone.
 */
#include "runtime/kvm/irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "runtime/base/error.h"
#include "runtime/kvm/vm.h"

int irq_routes_set(const struct vm *vm)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[IRQ_PINS];
	} table = { .head = { .nr = IRQ_PINS } };

	for (unsigned int i = 0; i < IRQ_PINS; i++)
		table.entries[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = KVM_IRQCHIP_IOAPIC, .pin = i },
		};
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, &table) < 0)
		return fail(errno, "KVM_SET_GSI_ROUTING");
	return 0;
}

int irq_assign(const struct vm *vm, unsigned int pin, int fd)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = pin };

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0)
		return fail(errno, "KVM_IRQFD for interrupt %u", pin);
	return 0;
}

int kick_assign(const struct vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	struct kvm_ioeventfd event = {
		.datamatch = value,
		.addr = gpa,
		.len = sizeof(value),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(vm->fd, KVM_IOEVENTFD, &event) < 0)
		return fail(errno, "KVM_IOEVENTFD at 0x%llx", (unsigned long long)gpa);
	return 0;
}
