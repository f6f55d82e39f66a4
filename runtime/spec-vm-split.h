/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-vm-split - one spec becomes two: of the cell on the host that holds the monitor, and of the container
 * in the guest
 *
 * What of a spec belongs to the host's kernel (cgroup, cpu, io, hooks) goes to the cell, what the payload sees
 * goes to the guest, and directories and files of the host become shares, named after their place in the list;
 * block devices and images of disks become disks. A layer that is a file is one too, or memory of the guest.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/str.h"

struct spec;

enum { VM_SPLIT_SHARES = 32, VM_SPLIT_DISKS = 8, VM_SPLIT_NETWORKS = 4 };

struct vm_split_share {
	char *source;	/* absolute path on the host */
	bool read_only;
	char name[16];
};

struct vm_split_disk {
	char *source;	/* absolute path on the host; NULL: the device of this number */
	dev_t number;	/* 0: a file */
	bool read_only;
	bool layer;	/* of the root; the container's own mounts are other disks */
	bool memory;	/* the guest reads the host's memory of it (pmem), rather than blocks */
	char name[16];
};

struct vm_split {
	struct spec *outer;
	char *inner;	/* OCI's JSON */
	struct vm_split_share shares[VM_SPLIT_SHARES];
	size_t share_count;
	struct vm_split_disk disks[VM_SPLIT_DISKS];
	size_t disk_count;
	struct str_list modules; /* that the guest needs for what is on them, and for its networks */
};

/* What the cell is made of. */
struct vm_cell_parts {
	const char *root;	/* an empty folder */
	const char *monitor;	/* nacelle-vmm, a path on the host */
	long long memory;	/* bytes that the cell may use at most, or 0 */
	bool pmem;		/* layers that are files can be memory of the guest */
	const struct str_list *shown; /* folders and files of the host that are seen in it at their places, read-only */
	bool kvm;		/* it has the device /dev/kvm */
};

/*
 * vm_split_check() - refuse by name what has no home in a guest yet. Return: 0 or a recorded failure.
 */
int vm_split_check(const struct spec *spec);

/*
 * vm_split() - both specs, and the shares
 * @spec: judged by vm_split_check()
 * @folder: absolute, what relative paths count from
 * @shares: where the guest mounts the shares
 *
 * Return: 0 with @ret the caller's for vm_split_done(), or a recorded failure.
 */
int vm_split(const struct spec *spec, const char *folder, const char *shares, const struct vm_cell_parts *parts,
	     struct vm_split *ret);
void vm_split_done(struct vm_split *split);
