/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vcpu's thread does nothing but KVM_RUN and hand the exits out. It is made to leave the guest by a
 * signal and by `immediate_exit`, which closes the gap between looking whether the machine has ended
 * and entering the guest: whoever ends it sets the flag first, then sends the signal.
 */
#include "runtime/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/error.h"
#include "runtime/base/log.h"
#include "runtime/kvm/bus.h"
#include "runtime/kvm/filter.h"
#include "runtime/kvm/vm.h"
#include "runtime/kvm/x86-state.h"
#include "runtime/kvm/x86.h"

/* Far more than a thread that dispatches exits uses; only touched pages count. */
enum { STACK_SIZE = 128 * 1024, STOOD_LONG_MS = 1000 };

int vcpu_init(struct vcpu *vcpu, struct vm *vm, const struct bus *ports, const struct bus *memory,
	      unsigned int index, unsigned int vcpus, const struct x86_entry *entry)
{
	int size, r;

	*vcpu = (struct vcpu){
		.vm = vm,
		.ports = ports,
		.memory = memory,
		.index = index,
		.fd = -1,
		.stats_fd = -1,
	};
	size = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < 0)
		return fail(errno, "KVM_GET_VCPU_MMAP_SIZE");
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0)
		return fail(errno, "KVM_CREATE_VCPU %u", index);
	vcpu->stats_fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	vcpu->run_size = (size_t)size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return fail(errno, "map the state of vcpu %u", index);
	}
	r = x86_cpuid_set(vm, vcpu->fd, index, vcpus);
	if (r < 0)
		return r;
	r = x86_msrs_set(vcpu->fd);
	if (r < 0)
		return r;
	/* The others wait for the first one's start-up interrupt, as KVM makes them. */
	return entry ? x86_registers_set(vcpu->fd, entry) : 0;
}

static void exit_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct vm_stats *stats = vcpu->vm->stats;
	bool in = run->io.direction == KVM_EXIT_IO_IN;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	vm_count(&stats->exits[in ? VM_EXIT_IO_IN : VM_EXIT_IO_OUT]);
	/* `rep outs` comes as many at once. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		bool claimed = in ? bus_read(vcpu->ports, run->io.port, data, run->io.size)
				  : bus_write(vcpu->ports, run->io.port, data, run->io.size);

		if (!claimed)
			vm_count(&stats->unclaimed);
	}
}

static void exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct vm_stats *stats = vcpu->vm->stats;
	uint64_t address = run->mmio.phys_addr;
	bool claimed;

	if (run->mmio.is_write) {
		vm_count(&stats->exits[VM_EXIT_MMIO_WRITE]);
		claimed = bus_write(vcpu->memory, address, run->mmio.data, run->mmio.len);
	} else {
		vm_count(&stats->exits[VM_EXIT_MMIO_READ]);
		claimed = bus_read(vcpu->memory, address, run->mmio.data, run->mmio.len);
	}
	if (!claimed)
		vm_count(&stats->unclaimed);
}

static enum vm_end_reason system_event(const struct kvm_run *run)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN: return VM_END_POWEROFF;
	case KVM_SYSTEM_EVENT_RESET: return VM_END_RESET;
	default: return VM_END_KVM;
	}
}

/* Hand an exit to whom it concerns. Return: VM_END_NONE to go on. */
static enum vm_end_reason exit_dispatch(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	struct vm_stats *stats = vcpu->vm->stats;

	switch (run->exit_reason) {
	case KVM_EXIT_IO: exit_io(vcpu); return VM_END_NONE;
	case KVM_EXIT_MMIO: exit_mmio(vcpu); return VM_END_NONE;
	case KVM_EXIT_INTR: vm_count(&stats->exits[VM_EXIT_INTERRUPTED]); return VM_END_NONE;
	case KVM_EXIT_HLT: vm_count(&stats->exits[VM_EXIT_HLT]); return VM_END_HALTED;
	default: break;
	}
	vm_count(&stats->exits[VM_EXIT_END]);
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN: return VM_END_TRIPLE_FAULT;
	case KVM_EXIT_SYSTEM_EVENT: return system_event(run);
	case KVM_EXIT_INTERNAL_ERROR:
		log_warn("vcpu %u: KVM's internal error %u", vcpu->index, run->internal.suberror);
		return VM_END_KVM;
	case KVM_EXIT_FAIL_ENTRY:
		log_warn("vcpu %u: the hardware refuses the guest's state (0x%llx)", vcpu->index,
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		return VM_END_KVM;
	default:
		log_warn("vcpu %u: KVM left the guest for reason %u", vcpu->index,
			 run->exit_reason);
		return VM_END_KVM;
	}
}

/* Whoever kicks has set what is to be seen before: first the flag goes down, then we look. */
static void kick_take(const struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	vm_count(&vcpu->vm->stats->exits[VM_EXIT_INTERRUPTED]);
}

/*
 * A clone's timer is armed behind it: who stands still has no use for what it would set off. To its kernel a long rest
 * would look like a processor that hangs; a guest without KVM's clock says EINVAL.
 */
static void stand(struct vcpu *vcpu)
{
	vcpu->rested = true;
	if (vm_go_await(vcpu->vm) >= STOOD_LONG_MS)
		(void)ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
	if (x86_timer_arm(vcpu) < 0) {
		log_warn("vcpu %u: arm its timer: %s", vcpu->index, fail_text());
		vm_end(vcpu->vm, VM_END_KVM);
	}
}

void vcpu_run(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	while (!vm_has_ended(vm)) {
		enum vm_end_reason end;

		/* even if it is over before we look: the timer */
		if (vm_rest(vm) != VM_REST_AHEAD && !vcpu->rested) {
			stand(vcpu);
			continue;
		}
		if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN) {
				kick_take(vcpu);
				continue;
			}
			/* EFAULT: behind an address of the guest is no memory any more, as when a
			 * file that it maps was cut short. */
			log_warn("vcpu %u: KVM_RUN: %s", vcpu->index, error_text(errno));
			vm_end(vm, VM_END_KVM);
			return;
		}
		end = exit_dispatch(vcpu);
		if (end != VM_END_NONE)
			vm_end(vm, end);
	}
}

static void kicked(int signal)
{
	(void)signal;
}

int vcpu_signals_prepare(void)
{
	/* No SA_RESTART: the point is that KVM_RUN returns. */
	struct sigaction action = { .sa_handler = kicked };

	if (sigaction(VCPU_KICK, &action, NULL) < 0)
		return fail(errno, "sigaction");
	return 0;
}

static void *thread_main(void *argument)
{
	struct vcpu *vcpu = argument;

	if (vcpu->confined && filter_load(FILTER_VCPU) < 0) {
		log_warn("vcpu %u: %s", vcpu->index, fail_text());
		vm_end(vcpu->vm, VM_END_MONITOR);
	}
	vcpu_run(vcpu);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, bool confined)
{
	pthread_attr_t attributes;
	int e;

	vcpu->confined = confined;
	e = pthread_attr_init(&attributes);
	if (e == 0) {
		e = pthread_attr_setstacksize(&attributes, STACK_SIZE);
		if (e == 0)
			e = pthread_create(&vcpu->thread, &attributes, thread_main, vcpu);
		(void)pthread_attr_destroy(&attributes);
	}
	if (e != 0)
		return fail(e, "make a thread for vcpu %u", vcpu->index);
	vcpu->has_thread = true;
	return 0;
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	(void)pthread_kill(vcpu->thread, VCPU_KICK);
}

void vcpu_stop(struct vcpu *vcpu)
{
	if (!vcpu->has_thread)
		return;
	vcpu_kick(vcpu);
	(void)pthread_join(vcpu->thread, NULL);
	vcpu->has_thread = false;
}

void vcpu_done(struct vcpu *vcpu)
{
	if (vcpu->run)
		(void)munmap(vcpu->run, vcpu->run_size);
	if (vcpu->stats_fd >= 0)
		(void)close(vcpu->stats_fd);
	if (vcpu->fd >= 0)
		(void)close(vcpu->fd);
	vcpu->run = NULL;
	vcpu->fd = vcpu->stats_fd = -1;
}
