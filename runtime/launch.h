/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * launch - become another program by way of the launcher, so that /proc/self/exe never is ours
 *
 * While execve(2) looks for a script's interpreter or a program's loader, /proc/self/exe is still the caller. An
 * image that names it there would run the host's nacelle inside, and could open it to overwrite it once it has
 * ended. So a process that is to run something of a container's first becomes a tiny program that lies in
 * sealed memory.
 */

#include <stdbool.h>

struct lsm_label;

/*
 * launch_prepare() - put the launcher into sealed memory
 * @with_init: in its place the small init, which becomes nothing but has the program as its child; it writes no label
 *
 * Before limits are set and privileges dropped: it takes an fd and a page. Return: close-on-exec fd, the caller's,
 * or a recorded failure.
 */
int launch_prepare(bool with_init);

/*
 * launch_exec() - become @path by way of the launcher in @fd
 * @label: what the launcher writes beforehand; NULL, or one without a procfs: nothing. Its fd must outlive an execve.
 * @argv: with ARG0 first, ended by NULL, as are @envp's
 *
 * Returns only a recorded failure. What the launcher itself cannot execute ends with exit status 126 or 127.
 */
int launch_exec(int fd, const struct lsm_label *label, char *path, char *const *argv, char *const *envp);
