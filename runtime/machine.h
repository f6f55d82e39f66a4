/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * machine - a container in a virtual machine: two of our containers, one inside the other
 *
 * Private to the life of a container. The outer one, the cell, is made by the same steps as any; its program is
 * the monitor with an attendant, who has the container's standard streams, signals and exit status, so that
 * every verb that looks at the container's process is right about a machine, too.
 */

#include <stdbool.h>

#include <jansson.h>

#include "runtime/base/str.h"
#include "runtime/kvm/channel.h"
#include "runtime/kvm/config.h"
#include "runtime/spec-vm-split.h"
#include "runtime/vm-kernel.h"

struct bundle;
struct container_child;
struct container_options;
struct container_place;
struct exec_options;
struct net_mac;
struct network_hold;
struct spec;
struct spec_process;
struct state_dir;

/* All descriptors are above VM_CONFIG_FD, and keep their numbers in the monitor. */
struct machine {
	const struct spec *spec;	/* the user's */
	struct vm_kernel kernel;
	struct vm_split split;
	struct vm_config config;
	char *monitor, *cell;		/* paths */
	bool pmem;			/* images among the layers become memory of the guest */
	uint64_t image_bytes;		/* of these */
	struct str_list shown;		/* the host's folders and files in a cell with a hypervisor, read-only */
	int cache;			/* where kernels and archives are kept */
	int sealed;			/* the configuration; made by machine_listen() */
};

/* machine_create() - container_create() for a spec with a machine. */
int machine_create(const struct container_place *place, const struct bundle *bundle,
		   const struct container_options *options, struct container_child *ret_child);

/*
 * machine_listen() - a step of the parent's: where the machine's streams begin, as "vm.sock" of the state folder
 *
 * The attendant's connections are made here, and the configuration is complete. Return: 0 or a recorded failure.
 */
int machine_listen(struct machine *machine, const struct state_dir *dir);

/*
 * machine_hand_over() - a step of the child's: the monitor's descriptors outlive the execve, at their places
 * @mine: descriptors of the child's own that may have to make room; -1 are skipped
 */
int machine_hand_over(const struct machine *machine, int *const *mine, size_t count);

/*
 * machine_exec() - a further process in a running machine's container
 * @options: json: OCI's process object
 *
 * Return: 0 with @ret_child an attendant, or a recorded failure.
 */
int machine_exec(const struct state_dir *dir, const struct spec_process *process, const struct exec_options *options,
		 struct container_child *ret_child);

/*
 * machine_other_kernel() - what is different when the kernel is not Linux, and so without our agent
 *
 * There is no process of ours in it: its serial port is standard output, and its end is the container's.
 * Return: 0, or a recorded failure: what cannot be then is refused.
 */
int machine_other_kernel(struct machine *machine);

/* machine_other_cmdline() - the process's arguments are words of its command line. Return: 0 or a recorded failure. */
int machine_other_cmdline(struct machine *machine);

/* machine_cmdline_add() - one more word of the kernel's command line. Return: 0 or a recorded failure. */
int machine_cmdline_add(struct machine *machine, const char *word);

/* machine_images_look() - a step of the machine's, with its kernel known: what images its root has, and how the guest gets them. Return: 0 or a recorded failure. */
int machine_images_look(struct machine *machine, const struct bundle *bundle);

/* machine_disks_open() - a step of the machine's: each disk becomes a device. Return: 0 or a recorded failure. */
int machine_disks_open(struct machine *machine, const struct bundle *bundle);

/*
 * machine_network() - a step of the parent's, after network_reserve(): the machine's devices on its networks, and the files about
 * them as shares; both are told to the guest
 * @hold: its files become the machine's
 *
 * Return: 0 or a recorded failure.
 */
int machine_network(struct machine *machine, const struct container_place *place, struct network_hold *hold, const char *id);

/* machine_network_device() - one device more, with a tap's descriptor, which becomes the machine's. Return: 0 or a recorded failure. */
int machine_network_device(struct machine *machine, int tap, const struct net_mac *mac, unsigned int mtu);

/*
 * machine_netns() - the machine's devices in place of those of a network namespace that others made
 * @path: of it
 * @list: what the guest is to be told of them is appended
 *
 * Return: 0 or a recorded failure.
 */
int machine_netns(struct machine *machine, const char *path, json_t *list);

/*
 * machine_hypervisor() - a step of the machine's: the program that vm.hypervisor names takes our monitor's part
 * @kvm: whether this host's KVM runs a kernel
 *
 * Return: 0 with the configuration's part about it and @shown filled, or a recorded failure.
 */
int machine_hypervisor(struct machine *machine, bool kvm);

/* machine_hypervisor_points() - what its cell's root needs below it. @cell: that folder. Return: 0 or a recorded failure. */
int machine_hypervisor_points(const struct machine *machine, int cell);

/* machine_hypervisor_files() - what it opens by itself, opened already, is such that it can. Return: 0 or a recorded failure. */
int machine_hypervisor_files(struct machine *machine);

/* machine_fd() - @fd at a number that the configuration can name; negative ones pass. Return: the fd or a recorded failure. */
int machine_fd(int fd, const char *what);

/* machine_reach() - one connection to a machine's streams. Return: the fd, or a recorded failure. */
int machine_reach(const struct state_dir *dir);

/* Name of the file in the state folder that holds a machine's struct vm_stats. */
#define MACHINE_COUNTS "vm.stats"

/*
 * machine_ask() - put a question to a running machine's agent
 * @question: see CHANNEL_ASK. Borrowed
 *
 * Bounded in time; the state folder's lock is not to be held all the same. Return: 0 with @ret_answer, an object and a
 * new reference, or a recorded failure.
 */
int machine_ask(const struct state_dir *dir, json_t *question, json_t **ret_answer);

/*
 * machine_counts() - what a machine's monitor has counted until now
 * @fd: of MACHINE_COUNTS
 *
 * A machine that does not answer yet has counted nothing new. Return: 0 or a recorded failure.
 */
int machine_counts(const struct state_dir *dir, int fd, struct vm_stats *ret);

/* machine_connect() - the streams of one process. @listener: "vm.sock". Return: 0 or a recorded failure. */
int machine_connect(const struct state_dir *dir, int ret_streams[CHANNEL_STREAMS]);
