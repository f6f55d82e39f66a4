/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * in-vm - the agent: the first process of a guest, which runs a container in it as the host asks
 *
 * It uses the same code as on a host: a guest is a machine with one container.
 */

#include "runtime/kvm/channel.h"

/* Where the file server's root is mounted: each share is a child of it. */
#define IN_VM_SHARES "/shares"
/* By which tag it is found. */
#define IN_VM_TAG "nacelle"

/* in_vm_prepare() - from the first file system to a machine with a root, cgroups and shares. Return: 0 or a recorded failure. */
int in_vm_prepare(void);

/* in_vm_serve() - listen for the host and serve it until the container has ended. Return: 0 or a recorded failure. */
int in_vm_serve(void);

/*
 * in_vm_session() - one process, in a process of its own
 * @streams: of enum channel_stream; nothing but JOIN was read from them. Taken over
 *
 * Failures are told to the host. Return: CHANNEL_RUN or CHANNEL_EXEC: what it was.
 */
enum channel_word in_vm_session(int streams[CHANNEL_STREAMS]);
