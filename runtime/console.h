/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * console - the terminal of a payload: made inside the container, its master handed outside
 */

struct spec_process;

/*
 * console_create() - in the child: a terminal on the container's devpts, as stdio and controlling terminal
 * @root: directory fd of the root, which is not switched to yet: /dev/console is bound there; -1: "/" is the
 *        container's root already (exec), and /dev/console is left alone
 * @sock: where the master goes
 *
 * *After* setsid(2). *Needs* devpts mounted at /dev/pts. Return: 0 or a recorded failure.
 */
int console_create(int root, const struct spec_process *process, int sock);

/* console_pair() - a terminal on the caller's own devpts. Return: the slave with @ret_master, or a recorded failure. */
int console_pair(int *ret_master);

/* console_take() - @slave, of the size asked for, as stdio and controlling terminal; *after* setsid(2). Return: 0 or a recorded failure. */
int console_take(int slave, const struct spec_process *process);

/* console_send() - send @fd over a connected unix stream socket, as runc and crun do. Return: 0 or a recorded failure. */
int console_send(int sock, int fd);

/* console_receive() - take it at the other end. Return: the fd, or a recorded failure. */
int console_receive(int sock);

/* console_connect() - connect to the unix socket of --console-socket. Return: the fd, or a recorded failure. */
int console_connect(const char *path);
