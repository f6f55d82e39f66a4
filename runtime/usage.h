/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * usage - what a container uses now, and being told when it runs out of memory
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroups/stats.h"
#include "runtime/base/proc.h"
#include "runtime/base/str.h"
#include "runtime/kvm/stats.h"
#include "runtime/state.h"

struct container_place;

/* A network interface of the container's own network namespace, "lo" apart. */
struct usage_interface {
	char *name;
	uint64_t received_bytes, received_packets, received_errors, received_dropped;
	uint64_t sent_bytes, sent_packets, sent_errors, sent_dropped;
};

struct usage {
	struct cgroup_stats stats;
	struct cgroup_details details;
	struct usage_interface *interfaces;
	size_t interface_count;
	bool is_machine;		/* it is a virtual machine, which has counted: */
	struct vm_stats machine;
};

/* A container that is looked at again and again. */
struct usage_watch {
	char *id;
	int cgroup, pidfd;	/* -1 */
	int events;		/* its memory.events; -1 without the memory controller */
	pid_t pid;
	uint64_t oom_kills;	/* at the last look */
	int counts;		/* of a virtual machine's monitor; -1: it is none */
	struct state_dir dir;	/* for those */
	struct str_list taps;	/* its devices: "HOST=INSIDE" */
};
#define USAGE_WATCH_NONE { .id = NULL, .cgroup = -1, .pidfd = -1, .events = -1, .counts = -1, .dir = STATE_DIR_NONE }

/*
 * usage_watch_open() - of a container that was created or runs. usage_watch_close() it.
 *
 * Return: 0, USAGE_STOPPED, or a recorded failure (no such container, no cgroup).
 */
enum { USAGE_STOPPED = 1 };
int usage_watch_open(const struct container_place *place, const char *id, struct usage_watch *ret_watch);
void usage_watch_close(struct usage_watch *watch);

/* usage_read() - what it uses now; usage_done() it. Return: 0, USAGE_STOPPED, or a recorded failure. */
int usage_read(const struct usage_watch *watch, struct usage *ret_usage);
void usage_done(struct usage *usage);

/*
 * usage_interfaces_parse() - the part that /proc/PID/net/dev tells; other lines than those are passed over
 * @text: is cut up
 *
 * Return: 0 or a recorded failure (memory alone).
 */
int usage_interfaces_parse(char *text, struct usage *usage);

/*
 * usage_wait() - until the kernel killed one of its processes for memory, it ends, or the time is over
 * @ret_ooms: how many were killed since the last call; may be more than 0 with each result
 *
 * Return: 0 when the time is over or there are @ret_ooms, USAGE_STOPPED, or a recorded failure.
 */
int usage_wait(struct usage_watch *watch, int timeout_ms, uint64_t *ret_ooms);
