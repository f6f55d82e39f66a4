/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spec-vm-disks - what of a spec is a block device, or a file that is used as one, becomes a disk of the guest
 *
 * Private to runtime/spec-vm-split.c. A disk is found in the guest by its name, at IN_VM_DISKS; numbers of devices
 * are the guest's own, so that a member "disk" stands in the inner document wherever the agent has to fill them in
 * (runtime/in-vm-disks.c).
 */

#include <jansson.h>

#include "runtime/spec-vm-split.h"

struct spec_mount;

/* vm_disks_check() - refuse file systems that a guest has no driver for yet. Return: 0 or a recorded failure. */
int vm_disks_check(const struct spec *spec);

/*
 * vm_disks_mount() - a mount that may be of a disk
 * @v: the mount in the inner document; its source is changed when it is
 *
 * Return: 1 when it is one, 0 when it is none, or a recorded failure.
 */
int vm_disks_mount(struct vm_split *split, const struct spec_mount *mount, const char *folder, json_t *v);

/*
 * vm_disks_layer() - a layer of the root that may be a disk
 * @path: absolute, on the host
 * @pmem: as in struct vm_cell_parts
 * @ret_name: of the disk, the split's
 *
 * Return: 1 when it is one, 0 when it is none, or a recorded failure.
 */
int vm_disks_layer(struct vm_split *split, const char *path, bool pmem, const char **ret_name);

/* vm_disks_devices() - block devices of linux.devices, and who may do what with them. After all mounts. Return: 0 or a recorded failure. */
int vm_disks_devices(struct vm_split *split, const struct spec *spec, json_t *inner);
