/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * devices - the device filter of a cgroup: an eBPF program made from the spec's rules
 */

struct cgroup_limits;
struct cgroup_device_rule;

/*
 * cgroup_devices_attach() - compile the rules and attach, in place of a program of ours if there is one
 * @dir: directory fd of a cgroup that is not the root (the root is refused)
 * @limits: its `devices`, judged from the last to the first; what matches none is denied
 *
 * What every container needs (null, zero, full, random, urandom, tty, ptmx, pts, console; mknod of
 * anything) is allowed behind the spec's rules as the OCI text and the other runtimes have it.
 * Attached with BPF_F_ALLOW_MULTI; an update replaces.
 * Return: 0 or a recorded failure.
 */
int cgroup_devices_attach(int dir, const struct cgroup_limits *limits);
