/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * devices - what stands in the container's /dev
 */

struct rootfs;

/*
 * devices_make() - the step: null, zero, full, random, urandom, tty, the usual links, and
 * linux.devices
 *
 * Nothing when the spec binds a /dev: then it is that one's. Where mknod is not permitted the
 * host's node is bound instead, after its number was verified. Return: 0 or a recorded failure.
 */
int devices_make(struct rootfs *r);
