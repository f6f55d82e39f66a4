/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * in-vm - the agent: the first process of a guest, which runs a container in it as the host asks
 *
 * It uses the same code as on a host: a guest is a machine with one container.
 */

#include <stdbool.h>

#include "runtime/container.h"
#include "runtime/kvm/channel.h"

/* Where the file server's root is mounted: each share is a child of it. */
#define IN_VM_SHARES "/shares"
/* Where each disk of the host's has a node, by its name: a file system on which devices count. */
#define IN_VM_DISKS "/dev/disks"
/* Those that are memory have this name and a number, in the order of their addresses; others are known by serial numbers. */
#define IN_VM_MEMORY "image"
/* By which tag the file server is found. */
#define IN_VM_TAG "nacelle"

/* in_vm_prepare() - from the first file system to a machine with a root and cgroups, and nothing of the container's. Return: 0 or a recorded failure. */
int in_vm_prepare(void);

/* struct in_vm_slots - devices that the kernel has not found; count 0: it has found all */
struct in_vm_slots {
	uint32_t first, count;
};

/*
 * in_vm_born() - a machine that is to be a template becomes one here, and its clones go on from here
 *
 * Before anything random was drawn or kept. Return: 0, or a recorded failure: a clone that could not be made
 * another machine than its template.
 */
int in_vm_born(struct in_vm_slots *ret);

/* in_vm_ring() - tell the host that somebody listens, after in_vm_born(). Return: false when this machine has no bell. */
bool in_vm_ring(void);

/* in_vm_slots_bind() - let the driver look at them again. Return: 0 or a recorded failure. */
int in_vm_slots_bind(const struct in_vm_slots *slots);

/*
 * in_vm_disks_make() - nodes for the host's disks, when their devices are there
 * @slots: of a clone; one without devices of its own has no disk, and to look for some would cost it half a megabyte of the kernel's
 *
 * Return: 0 or a recorded failure.
 */
int in_vm_disks_make(const struct in_vm_slots *slots);

/* in_vm_disks_fill() - where @spec says "disk", put that disk's numbers. Return: 0 or a recorded failure. */
int in_vm_disks_fill(json_t *spec);

/*
 * in_vm_network_fill() - the devices in @spec's "networks" are handed over to the container by its linux.netDevices
 *
 * Return: 0 with @ret_networks a new reference to that list, or NULL when there is none; or a recorded failure.
 */
int in_vm_network_fill(json_t *spec, json_t **ret_networks);

/* in_vm_network_settle() - their addresses and routes, in the network namespace of process @pid. Return: 0 or a recorded failure. */
int in_vm_network_settle(const json_t *networks, pid_t pid);

/* in_vm_serve() - listen for the host and serve it until the container has ended. Return: 0 or a recorded failure. */
int in_vm_serve(void);

/* What is run in the guest, as its runtime knows it. */
#define IN_VM_CONTAINER "vm"
extern const struct container_place in_vm_place;

/* in_vm_answer() - one question, in a process of its own. @control: nothing but JOIN was read from it. */
void in_vm_answer(int control);

/*
 * in_vm_session() - one process, in a process of its own
 * @streams: of enum channel_stream; nothing but JOIN was read from them. Taken over
 *
 * Failures are told to the host. Return: CHANNEL_RUN or CHANNEL_EXEC: what it was.
 */
enum channel_word in_vm_session(int streams[CHANNEL_STREAMS]);
