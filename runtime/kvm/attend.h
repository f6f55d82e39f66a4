/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * attend - stand on the host for one process in a guest: its streams, its signals, its exit status
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/kvm/channel.h"

/*
 * struct attend - one process
 * @streams: connections to the vsock device's listener on which nothing was said; taken over
 * @word: CHANNEL_RUN or CHANNEL_EXEC, with its @text
 * @stdio: what the three streams go from and to; taken over
 * @signals: a signalfd, not blocking, of what is passed on
 * @machine: pidfd of the monitor, whose end is the end of waiting; -1: the streams' end tells
 * @terminal: @stdio are one terminal that is ours alone, the controlling one of our session: it is made to pass
 *            every byte on, and its size follows
 */
struct attend {
	int streams[CHANNEL_STREAMS];
	enum channel_word word;
	const char *text;
	size_t size;
	int stdio[3];
	int signals;
	int machine;
	bool terminal;
};

/*
 * attend_process() - from the first word to the exit status
 *
 * All that the guest's process wrote is delivered when it returns. The control stream is left open:
 * closing it lets the agent go on. Return: 0…255, or a recorded failure with its exit status set.
 */
int attend_process(struct attend *attend);

/*
 * attend_kernel() - stand for a machine in which nobody of ours is, until it ends
 * @signals: as above; any of them that ends a program ends the machine
 * @machine: pidfd of the monitor, a child of ours with the number @pid
 *
 * Return: the monitor's exit status; 128 + the signal (the monitor's own, when one ended it); or a recorded failure.
 */
int attend_kernel(int signals, int machine, pid_t pid);

/* attend_signals() - block what is passed on. Return: a signalfd for it, or a recorded failure. */
int attend_signals(void);
