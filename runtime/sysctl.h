/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sysctl - kernel parameters of the container's own namespaces
 */

struct rootfs;
struct spec;

/*
 * sysctls_check() - refuse a key that would change the host: one that no namespace of the spec owns
 *
 * Return: 0 or a recorded failure.
 */
int sysctls_check(const struct spec *spec);

/*
 * sysctls_apply() - the step: write linux.sysctl, through a procfs of our own. Return: 0 or a
 * recorded failure.
 */
int sysctls_apply(struct rootfs *r);
