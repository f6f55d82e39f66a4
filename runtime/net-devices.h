/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * net-devices - linux.netDevices: devices of the host that become the container's
 */

#include <sys/types.h>

struct spec;

/*
 * net_devices_move() - move them, in the parent
 * @netns: the namespace that is joined, or -1: that of @pid
 * @pid: the container's first process
 *
 * They are not taken back: when the namespace ends the kernel gives physical ones back to the host's, and removes
 * the others. Return: 0 or a recorded failure.
 */
int net_devices_move(const struct spec *spec, int netns, pid_t pid);
