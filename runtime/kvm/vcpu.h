/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vcpu - one processor of the guest and the thread that runs it
 */

#include <signal.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Interrupts a processor that runs the guest. */
#define VCPU_KICK SIGUSR1

struct bus;
struct kvm_run;
struct vm;
struct x86_entry;

struct vcpu {
	struct vm *vm;
	const struct bus *ports, *memory;
	unsigned int index;
	int fd;
	int stats_fd; /* what KVM counts; -1: it does not tell */
	struct kvm_run *run;
	size_t run_size;
	uint64_t deadline; /* of a clone's timer, which is armed behind its rest; 0: none */
	bool rested;
	pthread_t thread;
	bool has_thread, confined;
};

/*
 * vcpu_init() - make processor @index of @vcpus
 * @ports, @memory: answer its accesses; outlive it
 * @entry: where it starts; NULL: it waits to be started by another (an application processor)
 *
 * Return: 0 or a recorded failure; vcpu_done() may be called either way.
 */
int vcpu_init(struct vcpu *vcpu, struct vm *vm, const struct bus *ports, const struct bus *memory,
	      unsigned int index, unsigned int vcpus, const struct x86_entry *entry);

/*
 * vcpu_run() - run it in this thread until the machine has ended (vm_end())
 *
 * What the guest does wrong ends the machine, never this process. After vcpu_signals_prepare().
 */
void vcpu_run(struct vcpu *vcpu);

/* vcpu_signals_prepare() - install the handler by which vcpus are interrupted; once, before the first. Return: 0 or a recorded failure. */
int vcpu_signals_prepare(void);

/*
 * vcpu_start() - the same in a thread of its own
 * @confined: the thread loads FILTER_VCPU first; when it cannot, the machine ends
 *
 * Return: 0 or a recorded failure.
 */
int vcpu_start(struct vcpu *vcpu, bool confined);

/* vcpu_kick() - make it leave the guest and look what has changed: whether the machine has ended, or is to stand still. */
void vcpu_kick(struct vcpu *vcpu);

/* vcpu_stop() - interrupt its thread, which the machine's end lets go, and wait for it. After vm_end(). */
void vcpu_stop(struct vcpu *vcpu);

/* vcpu_done() - release it; its thread must be stopped. */
void vcpu_done(struct vcpu *vcpu);
