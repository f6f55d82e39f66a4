/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * notify - hand a filter's listener fd to whoever the spec names
 */

/*
 * seccomp_notify_send() - send the listener and the container's state to a unix socket
 * @path: linux.seccomp.listenerPath
 * @state: the JSON text of OCI's "container process state"
 * @listener: fd, stays the caller's
 *
 * One message on a stream socket with SCM_RIGHTS, as config-linux.md (The Container Process State) says.
 * Return: 0 or a recorded failure.
 */
int seccomp_notify_send(const char *path, const char *state, int listener);
