/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * payload - standing in for a process in a container: its signals, its terminal, its exit status
 */

#include <stdbool.h>
#include <sys/types.h>

/*
 * payload_signals() - take the signals that are passed on, as a file
 *
 * From here on they are blocked: one that comes while the container is made waits until there is a process to
 * give it to. Return: a signalfd, or a recorded failure.
 */
int payload_signals(void);

/* payload_signals_pass() - send on all that have come; @resized: one was SIGWINCH. Return: 0 or a recorded failure. */
int payload_signals_pass(int signals, int pidfd, bool *ret_resized);

/*
 * payload_wait() - pass on signals until our child @pid has ended
 *
 * Return: its exit status, or a recorded failure.
 */
int payload_wait(int signals, pid_t pid, int pidfd);
