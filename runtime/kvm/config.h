/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * config - what nacelle-vmm is told: one struct in a sealed memfd, and the fds that it names
 *
 * The monitor opens nothing by name. Whoever starts it fills struct vm_config, writes it to a memfd,
 * seals that against every change, puts it on descriptor VM_CONFIG_FD and leaves open exactly the
 * descriptors that the struct names. Both sides are of one build: `version` and `size` must be equal.
 */

#include <stdint.h>

#include "runtime/kvm/stats.h"

#define VM_CONFIG_MAGIC 0x6c65636e /* "ncel" */

enum {
	VM_CONFIG_FD = 3,
	VM_CONFIG_VERSION = 5,
	VM_VCPUS_MAX = 16,
	VM_DEVICES_MAX = 16,
	VM_CMDLINE_SIZE = 2048, /* the kernel's own limit, the NUL included */
	VM_TAG_SIZE = 40,
	VM_DEVICE_FDS = 2,
	VM_SHARES_MAX = 32,
	VM_SHARE_NAME_SIZE = 64,
	VM_ATTEND_FDS = 4,
	VM_HYPERVISOR_SIZE = 256,
	VM_PARAMETERS_SIZE = 2048,
	VM_TEMPLATE_DEVICES = 4,
};

/* Guest memory is a multiple of this, so that the host can back all of it with large pages. */
#define VM_MEMORY_STEP (2ULL << 20)
#define VM_MEMORY_MIN  (2ULL << 20)
#define VM_MEMORY_MAX  (256ULL << 30)

enum vm_boot_kind {
	VM_BOOT_AUTO, /* PVH when the image has its note, else the 64-bit protocol */
	VM_BOOT_LINUX, /* the 64-bit Linux protocol: %rsi points to boot_params */
	VM_BOOT_PVH, /* %ebx points to hvm_start_info, 32-bit mode without paging */
};

enum vm_template_use {
	VM_TEMPLATE_NONE, /* boot, and run */
	VM_TEMPLATE_MAKE, /* boot until the agent says so, write what the machine is then, end */
	VM_TEMPLATE_CLONE, /* go on from there; boot, with a warning, if that cannot be */
};

enum vm_attended {
	VM_ALONE, /* nobody has streams, signals or an exit status but the monitor itself */
	VM_ATTENDED, /* the monitor is the child of an attendant (runtime/kvm/attend.h) in the same program */
	VM_ATTENDED_KERNEL, /* the same, of a kernel without our agent: standard output is its serial port, no signal reaches it */
};

enum vm_device_kind {
	VM_DEVICE_EMPTY, /* a spare slot: described to the guest, reads as "no device" */
	VM_DEVICE_CONSOLE,
	VM_DEVICE_RNG,
	VM_DEVICE_VSOCK,
	VM_DEVICE_BLK,
	VM_DEVICE_PMEM,
	VM_DEVICE_NET,
	VM_DEVICE_BALLOON,
	VM_DEVICE_FS,
	VM_DEVICE_KINDS,
};

enum {
	VM_DEVICE_READ_ONLY = 1 << 0, /* blk, pmem: the guest cannot write, whatever it does */
};

/*
 * struct vm_device_config - one device; its place in the array is its slot, hence its address and interrupt
 *
 * @fd: CONSOLE: input (or -1), output; VSOCK: a listening unix stream socket, on which each connection
 *      begins with a struct vsock_hello; BLK, PMEM: the file or block device; NET: a tap interface's
 *      queue, non-blocking, made with IFF_TAP|IFF_NO_PI|IFF_VNET_HDR; unused ones are -1
 * @tag: BLK: the disk's serial number; FS: the name to mount it by, at most 36 bytes
 * @window: FS: bytes of address space in which the guest may map files, a multiple of 2 MiB, or 0;
 *      each 4 KiB of it cost the guest 64 bytes
 * @mac: NET: the guest's address
 * @mtu: NET: of its packets; 0: its choice
 * @cid: VSOCK: the guest's context id, 3 or more
 */
struct vm_device_config {
	uint32_t kind;
	uint32_t flags;
	int32_t fd[VM_DEVICE_FDS];
	uint64_t cid;
	uint64_t window;
	char tag[VM_TAG_SIZE];
	uint8_t mac[6];
	uint16_t mtu;
};

/*
 * struct vm_share_config - one child of the file server's root
 * @fd: an O_PATH descriptor of a directory or a file
 * @flags: VM_DEVICE_READ_ONLY: the server changes nothing; its mount should be read-only as well
 * @name: one component
 */
struct vm_share_config {
	int32_t fd;
	uint32_t flags;
	char name[VM_SHARE_NAME_SIZE];
};

/*
 * struct vm_config - one virtual machine
 *
 * @kvm_fd: /dev/kvm, opened for reading and writing; -1 with a hypervisor
 * @kernel_fd: an ELF image, never compressed
 * @initrd_fd: or -1
 * @stats_fd: a shared memfd of sizeof(struct vm_stats) that the monitor keeps up to date, or -1
 * @proc_fd: the monitor's own /proc/self/fd, needed by FS, or -1
 * @serial_fd: where the bytes of the early serial port go, or -1: there is no such port then
 * @attended: enum vm_attended. The attendant runs what is in the file @attend_text by @attend_fd, and ends as that does.
 *      An attended monitor opens /proc/self/fd, @proc_fd, by itself: its number is not known before
 * @template_use: enum vm_template_use, of the file @template_fd, else -1. Made of the first
 *      devices, @template_devices of them, which a clone has in the same places
 * @terminal: 0, or 1: the attendant's standard streams are a terminal of its own
 * @mergeable: 0, or 1: the host's kernel may merge pages of its memory with others of the same content (KSM)
 * @hypervisor: "", or the path of the QEMU that runs the machine in our place (runtime/kvm/qemu.h)
 * @hypervisor_kvm: 1: with the /dev/kvm of its file system, 0: without
 * @hypervisor_parameters: so many strings one after the other, added to its command line
 */
struct vm_config {
	uint32_t magic, version, size;
	uint32_t vcpus;
	uint64_t memory;
	uint32_t boot_kind;
	int32_t kvm_fd, kernel_fd, initrd_fd, stats_fd, serial_fd, proc_fd;
	uint32_t attended;
	int32_t attend_fd[VM_ATTEND_FDS], attend_text;
	uint32_t terminal;
	uint32_t mergeable;
	uint32_t template_use, template_devices;
	int32_t template_fd;
	uint32_t share_count;
	struct vm_share_config shares[VM_SHARES_MAX];
	uint32_t device_count;
	struct vm_device_config devices[VM_DEVICES_MAX];
	char cmdline[VM_CMDLINE_SIZE];
	char hypervisor[VM_HYPERVISOR_SIZE];
	uint32_t hypervisor_kvm, hypervisor_parameter_count;
	char hypervisor_parameters[VM_PARAMETERS_SIZE];
};

/*
 * vm_config_read() - take the configuration from its sealed memfd
 *
 * Refused unless it is sealed, of our version and size, and every field is in its range.
 * Return: 0 with @ret filled, or a recorded failure.
 */
int vm_config_read(int fd, struct vm_config *ret);

/* vm_config_check() - judge a struct by itself. Return: 0 or a recorded failure. */
int vm_config_check(const struct vm_config *config);

/*
 * vm_config_seal() - write @config into a new memfd and seal it
 *
 * Return: the memfd, which the caller closes, or a recorded failure.
 */
int vm_config_seal(const struct vm_config *config);
