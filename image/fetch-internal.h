/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the files of the fetching process share.
 */

#include "image/fetch.h"

/* fetch_send() - one message to the parent. Return: 0 or a recorded failure. */
int fetch_send(int sock, struct fetch_message *m);

/* blobs_fetch() - all blobs of an image that the store has not, several at a time, in the order they are needed. Return: 0 or a recorded failure. */
int blobs_fetch(const struct fetch *f, struct registry *reg, const struct manifest *m, int sock);
