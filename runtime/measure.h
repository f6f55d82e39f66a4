/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * measure - what processes and the machine take of memory, all in bytes
 */

#include <stdint.h>
#include <sys/types.h>

/*
 * struct memory_use - of one or several processes
 * @pss: their own pages, and their share of those that others have too: sums up to what there is
 * @uss: their own pages alone: what ending them would give back
 */
struct memory_use {
	uint64_t pss, uss;
};

/*
 * measure_process() - add what a process uses
 *
 * One that has ended adds nothing. Source: proc(5), /proc/PID/smaps_rollup.
 * Return: 0 or a recorded failure.
 */
int measure_process(pid_t pid, struct memory_use *use);

/*
 * measure_machine() - add what a virtual machine's monitor uses, its guest's memory apart
 *
 * What is mapped in one piece of 32 MiB or more, or is not to be in a dump ("dd"), is a guest's memory: our monitor has nothing else
 * that is so. (Of a copy of a machine it is many small pieces; QEMU says nothing of dumps.)
 * Return: 0 or a recorded failure.
 */
int measure_machine(pid_t monitor, struct memory_use *guest, struct memory_use *overhead);

/* measure_maps() - the same of the text of a smaps file, which is cut up. */
void measure_maps(char *text, struct memory_use *guest, struct memory_use *overhead);

/* Of the whole machine. Source: proc(5), /proc/meminfo. */
struct memory_host {
	uint64_t total, available, slab, cached;
};
/* measure_host() - Return: 0 or a recorded failure. */
int measure_host(struct memory_host *ret);
