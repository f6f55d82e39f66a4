/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * proc - processes: telling one from another that has its number, waiting for them, asking for namespaces
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * proc_start_time() - when the process was started, in clock ticks since boot (field 22 of /proc/PID/stat)
 *
 * With the pid it names a process for as long as the machine is up. A zombie counts as gone.
 * Return: 0, PROC_GONE, or a recorded failure.
 */
enum { PROC_GONE = 1 };
int proc_start_time(pid_t pid, uint64_t *ret_ticks);

/*
 * proc_open() - a pidfd for exactly this process
 * @start_time: as recorded; another start time means that the number was used again
 *
 * Return: 0 with @ret_pidfd the caller's, PROC_GONE, or a recorded failure.
 */
int proc_open(pid_t pid, uint64_t start_time, int *ret_pidfd);

/*
 * struct proc_stat - what we want of a line of /proc/PID/stat
 * @name: points into the line; a process chooses it
 */
struct proc_stat {
	const char *name;
	char state;
	int32_t parent;
	uint32_t flags; /* PROC_KERNEL_THREAD and others of the kernel's include/linux/sched.h */
	uint64_t user_ticks, system_ticks, start;
};

enum { PROC_KERNEL_THREAD = 0x00200000 };

/* proc_stat_parse() - cuts @line up. Source: proc(5). Return: 0 or -EINVAL, nothing recorded. */
int proc_stat_parse(char *line, struct proc_stat *ret);

/* proc_signal() - pidfd_send_signal(2). Return: 0, PROC_GONE, or a recorded failure. */
int proc_signal(int pidfd, int signal);

/* proc_wait_exit() - wait until the process has ended. @timeout_ms: -1 for ever. Return: 0, PROC_TIMEOUT, or a recorded failure. */
enum { PROC_TIMEOUT = 2 };
int proc_wait_exit(int pidfd, int timeout_ms);

/* proc_reap() - wait for our child and turn its end into an exit status (128+n for a signal). Return: 0…255, or a recorded failure. */
int proc_reap(pid_t pid);

/* proc_status() - exit status for what waitpid(2) reported. */
int proc_status(int wait_status);

/* proc_boot_id() - /proc/sys/kernel/random/boot_id into @ret (37 bytes with the NUL). Return: 0 or a recorded failure. */
enum { PROC_BOOT_ID_SIZE = 37 };
int proc_boot_id(char ret[PROC_BOOT_ID_SIZE]);
