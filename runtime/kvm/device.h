/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * device - what each virtio device offers to the bring-up: one function that puts it into its slot
 */

#include <stdint.h>

#include "runtime/kvm/config.h"

struct birth;
struct bus;
struct loop;
struct virtio;
struct vm;

/* struct device_place - where a device goes; everything outlives the device */
struct device_place {
	struct vm *vm;
	struct loop *loop;
	struct bus *memory;
	unsigned int slot;
	uint8_t *page; /* its registers */
	const struct birth *birth; /* by which the agent rings; NULL: it cannot */
	const struct vm_share_config *shares;
	unsigned int share_count;
};

/*
 * struct device - a device that is there
 * @virtio: part of @self; set by those that another hypervisor's machine can have (vhost-user.h), or that are in templates
 * @free: releases @self, vcpus and loop having stopped
 */
struct device {
	void *self;
	struct virtio *virtio;
	void (*free)(void *self);
};

/*
 * <kind>_new() - a device in its place, as @config describes it; its fds stay the configuration's
 *
 * Return: 0 with @ret the caller's, or a recorded failure.
 */
int console_new(const struct device_place *place, const struct vm_device_config *config,
		struct device *ret);
int rng_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret);
int vsock_new(const struct device_place *place, const struct vm_device_config *config,
	      struct device *ret);
int blk_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret);
int pmem_new(const struct device_place *place, const struct vm_device_config *config,
	     struct device *ret);
int net_new(const struct device_place *place, const struct vm_device_config *config,
	    struct device *ret);
int balloon_new(const struct device_place *place, const struct vm_device_config *config,
		struct device *ret);
int fs_new(const struct device_place *place, const struct vm_device_config *config,
	   struct device *ret);
