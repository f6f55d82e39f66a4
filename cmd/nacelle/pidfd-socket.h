/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pidfd-socket - the option --pidfd-socket of those verbs that make a process
 */

struct globals;

/*
 * pidfd_socket_open() - connect to it, before anything is made
 * @path: NULL: the option was not given
 * @ret_sock: -1 then
 *
 * Return: 0 or a recorded failure.
 */
int pidfd_socket_open(const char *path, int *ret_sock);

/* pidfd_socket_tell() - send @pidfd there; without a socket nothing. Return: 0 or a recorded failure. */
int pidfd_socket_tell(int sock, int pidfd);

/* pidfd_socket_created() - the same for a container that was created by its id; it is deleted when that fails. */
int pidfd_socket_created(const struct globals *globals, const char *id, int sock);
