/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * procfs - a /proc that nobody can have put anything over
 */

enum procfs_part {
	PROCFS_PIDS, /* self, thread-self and the processes: nothing that writes to the kernel */
	PROCFS_WHOLE, /* sys too */
};

/*
 * procfs_open() - directory fd of a procfs of our own, for the current pid namespace
 *
 * Where a user namespace may not mount one, it is the existing /proc, proved to be a procfs; then,
 * too, look-ups through procfs_open_file() refuse to cross onto anything mounted there.
 * Return: the fd, the caller's, or a recorded failure.
 */
int procfs_open(enum procfs_part part);

/*
 * procfs_open_file() - open @path below @proc without crossing a mount or a link. Return: fd, or
 * -errno with nothing recorded.
 */
int procfs_open_file(int proc, const char *path, int flags);
