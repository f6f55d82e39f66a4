/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tap - a network device whose other end is a descriptor, for a virtual machine
 */

/*
 * net_tap_open() - make one in the caller's network namespace
 *
 * It goes with its last descriptor, however its holder ends. Packets have a struct virtio_net_hdr in front.
 * *Needs* CAP_NET_ADMIN; who has the descriptor needs nothing. Return: the descriptor, or a recorded failure.
 * Source: Documentation/networking/tuntap.rst.
 */
int net_tap_open(const char *name);

/*
 * net_tap_up() - set one up that is there
 * @bridge: index of the bridge that it becomes a port of; 0: of none
 * @mtu: 0: the kernel's choice
 *
 * Return: 0 or a recorded failure.
 */
int net_tap_up(int sock, const char *name, unsigned int bridge, unsigned int mtu, unsigned int *ret_index);

/*
 * net_tap_make() - the same, up, and a port of a bridge
 * @sock: of nl_open(NETLINK_ROUTE)
 * @bridge: the bridge's index
 * @mtu: 0: the kernel's choice
 */
int net_tap_make(int sock, const char *name, unsigned int bridge, unsigned int mtu);
