/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * filter - which system calls each of the monitor's threads has left once the guest runs
 *
 * FILTER_MAKER is FILTER_LOOP for a monitor that makes a template: it reads out the machine and writes a file.
 */

#include <linux/filter.h>

enum filter_thread { FILTER_VCPU, FILTER_LOOP, FILTER_FILES, FILTER_SERVER, FILTER_MAKER, FILTER_THREADS };

enum { FILTER_MAX = 256 };

/* struct filter - a classic BPF program */
struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned int size;
};

/* filter_build() - the program for a kind of thread: what it does not name kills the process. Return: 0 or a recorded failure. */
int filter_build(enum filter_thread thread, struct filter *ret);

/*
 * filter_load() - bind this thread to its program, for good
 *
 * Return: 0 or a recorded failure.
 */
int filter_load(enum filter_thread thread);

/* filter_count() - how many system calls it allows. */
unsigned int filter_count(enum filter_thread thread);
