/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * within - network namespaces that we are not in ourselves but for a moment
 */

/*
 * net_namespace_new() - make one, with its loopback up; the thread is in it meanwhile
 * @ret_netns: the caller's; without it, and without a process inside, the namespace is gone
 *
 * *Needs* CAP_SYS_ADMIN. Return: 0 or a recorded failure.
 */
int net_namespace_new(int *ret_netns);

/*
 * net_within() - do something in another network namespace, which the thread enters for a moment
 * @netns: fd of it
 *
 * Sockets and devices belong to the namespace that they were made in. *Needs* CAP_SYS_ADMIN over it.
 * Return: what @run returned, or a recorded failure. Source: setns(2).
 */
int net_within(int netns, int (*run)(void *arg), void *arg);
