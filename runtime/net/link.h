/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * link - a network device of the host, moved into another network namespace
 */

/*
 * net_link_move() - move a device, with its permanent global addresses, and set it up there
 * @name: in the caller's namespace
 * @netns: fd of the other one
 * @new_name: its name there, which may be the same
 *
 * The calling thread enters the other namespace for a moment. *Needs* CAP_NET_ADMIN over both, and CAP_SYS_ADMIN
 * over the other. What the kernel drops beside the addresses (routes) stays dropped.
 * Return: 0 or a recorded failure that names the device.
 */
int net_link_move(const char *name, int netns, const char *new_name);
