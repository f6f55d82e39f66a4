/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-attach - a container comes to its networks, and leaves them
 *
 * reserve() records who gets which address, before anything is made; attach() makes it; release() undoes both, in any state.
 * A container whose spec asks for no network of ours costs three look-ups in its annotations.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/network-files.h"
#include "runtime/network-wish.h"

struct container_place;
struct network_end;
struct spec;
struct state_dir;

/* What a starter keeps between the steps. */
struct network_hold {
	struct network_wish wish;
	int trees[NETWORK_FILE_COUNT];	/* the files to be mounted, or -1 */
	int shared;			/* the network namespace of another container, or -1 */
	char *folder;			/* without root: where the files are, for the child to mount; NULL */
	int userns, netns;		/* without root: the container's, or -1 */
};
#define NETWORK_HOLD_NONE { .trees = { -1, -1, -1 }, .shared = -1, .userns = -1, .netns = -1 }

/*
 * network_reserve() - judge what the spec asks for, lease addresses and ports, write the container's files
 * @dir: of the container, its record written
 * @hold: NETWORK_HOLD_NONE before; network_hold_done() it, after a failure too
 *
 * Return: 0 or a recorded failure.
 */
int network_reserve(const struct container_place *place, const struct spec *spec, const char *id, const struct state_dir *dir,
		    struct network_hold *hold);
void network_hold_done(struct network_hold *hold);

/*
 * network_namespaces_take() - without root: hold what pasta will want
 * @pid: the container's first process; *before* it becomes opaque
 *
 * Return: 0 or a recorded failure.
 */
int network_namespaces_take(struct network_hold *hold, pid_t pid);

/* network_attach() - devices, addresses, routes, rules, as leased. @pid: the container's first process. Return: 0 or a recorded failure. */
int network_attach(const struct container_place *place, const struct network_hold *hold, const char *id, pid_t pid);

/*
 * network_attach_taps() - the same for a virtual machine, before it is there: on the bridge is the machine's own device
 * @take: called for each, in order. Takes @tap over; what @end points to is its during the call. A failure of it ends this
 *
 * What goes on inside is left to the guest. Return: 0 or a recorded failure.
 */
int network_attach_taps(const struct container_place *place, const struct network_hold *hold, const char *id,
			int (*take)(int tap, const struct network_end *end, void *data), void *data);

/*
 * network_devices() - a container's devices in networks, as leased: "HOST=INSIDE", both ends' names
 *
 * Return: 0 with @ret_names the caller's, perhaps empty, or a recorded failure.
 */
int network_devices(const struct container_place *place, const char *id, struct str_list *ret_names);

/*
 * network_release() - give back all that a container has of networks
 *
 * One that has nothing is no failure, and costs one look at the folder of networks. Return: 0 or a recorded failure.
 */
int network_release(const struct container_place *place, const char *id);
