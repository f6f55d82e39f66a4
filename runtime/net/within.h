/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * net_within() - do something in another network namespace, which the thread enters for a moment
 * @netns: fd of it
 *
 * Sockets and devices belong to the namespace that they were made in. *Needs* CAP_SYS_ADMIN over it.
 * Return: what @run returned, or a recorded failure. Source: setns(2).
 */
int net_within(int netns, int (*run)(void *arg), void *arg);
