/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * become - the last thing that a payload's parent does: it is nacelle-keeper from then on
 */

#include <sys/types.h>

struct container_child;
struct keeping;
struct service;
struct spec;

/* What the keeper gets; -1: it has none. */
struct kept_fds {
	int exit, note, socket, log, log_folder, journal, out, err, in, events;
	int pidfd;	/* of a payload that is not our child */
};
/* clang-format off */
#define KEPT_FDS_NONE { .exit = -1, .note = -1, .socket = -1, .log = -1, .log_folder = -1, .journal = -1, .out = -1, .err = -1, .in = -1, .events = -1, .pidfd = -1 }
/* clang-format on */

/*
 * become_keeper() - execute it
 * @pid: of our child, the payload; 0: it could not be made again, and @status says how
 *
 * Return: only a recorded failure.
 */
int become_keeper(const struct keeping *k, pid_t pid, int status, const struct kept_fds *fds);

/*
 * become_log_make() - a new log, or with k->again the one that is there
 *
 * Nothing is made for a keeping without a log. Return: 0 or a recorded failure.
 */
int become_log_make(const struct keeping *k, struct kept_fds *fds);

/* become_log_unmake() - take the log and its folder back. */
void become_log_unmake(const char *log);

/*
 * become_files() - what a keeper reads and writes in the state folder, and its socket
 *
 * Return: 0 or a recorded failure.
 */
int become_files(const struct keeping *k, struct kept_fds *fds);

/* become_events() - its cgroup's memory.events. */
void become_events(const struct container_child *child, struct kept_fds *fds);
