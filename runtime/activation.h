/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * activation - sockets that a service manager gave to us, handed on to the payload
 *
 * Source: sd_listen_fds(3), sd_notify(3).
 */

#include <stdbool.h>

struct rootfs;
struct str_list;

/* As our own environment has it; from the command line's side. */
struct activation {
	unsigned int listen_fds;	/* LISTEN_FDS: fds 3…3+n-1 */
	const char *listen_names;	/* LISTEN_FDNAMES, or NULL */
	const char *notify_socket;	/* NOTIFY_SOCKET, or NULL */
};

/*
 * activation_read() - what is meant for us: nothing when LISTEN_PID is another process
 *
 * Return: 0 or a recorded failure.
 */
int activation_read(struct activation *ret);

/* activation_mount() - the notify socket, at a place of its own inside; *before* the root is switched. */
int activation_mount(struct rootfs *r, const struct activation *a);

/* activation_tell() - LISTEN_FDS, LISTEN_PID (the calling process), LISTEN_FDNAMES and NOTIFY_SOCKET into @env. */
int activation_tell(const struct activation *a, struct str_list *env);
