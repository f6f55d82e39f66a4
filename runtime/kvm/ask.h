/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ask - one question to the agent of a running machine, or to its monitor
 *
 * Both are for somebody outside the cell with a connection to the vsock device's listener, and both are given up
 * after a time: a guest that does not answer holds nobody.
 */

#include <stddef.h>

/*
 * ask_agent() - send a question (CHANNEL_ASK) and wait for its answer
 * @stream: a connection on which nothing was said. Borrowed
 *
 * Return: 0 with @ret_text the caller's, or a recorded failure: the agent's own words, or that there was no answer.
 */
int ask_agent(int stream, const char *text, size_t size, char **ret_text);

/* ask_counts() - have the monitor bring its statistics up to date. @stream: likewise. Return: 0 or a recorded failure. */
int ask_counts(int stream);
