/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * spawn - another program as our child, by posix_spawn(3): it costs no copy of our memory
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SPAWN_SAME = -1, SPAWN_NULL = -2 };

/*
 * spawn() - start a program
 * @args: args[0] is its path, or a name that PATH has; ended by NULL
 * @fds: what its descriptors 0, 1, 2… are: one of ours, SPAWN_SAME (as with us), or SPAWN_NULL (/dev/null)
 *
 * Ours that are close-on-exec and not named stay behind. Return: 0 or -errno; nothing recorded, since only the caller knows what
 * it was for.
 */
int spawn(char *const *args, const int *fds, size_t fd_count, pid_t *ret_pid);

/* spawn_finds() - whether there is a program that can be run by this path, or by this name from PATH: what exec would take. */
bool spawn_finds(const char *name);
