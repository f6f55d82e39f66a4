/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pasta - the network of a container whose user may make no devices: a program of that name moves its traffic
 *
 * It gives the container a device with the host's address, and its connections are the user's own; containers do not
 * reach each other. It runs until the container is deleted or made again: its pid and start time are in the file `pasta` of
 * the container's folder of state.
 */

#include <sys/types.h>

struct container_place;
struct network_wish;

/* The default network is this one, too, for whoever is not root. */
#define PASTA_NETWORK "pasta"

/* pasta_judge() - can it give what is wished for, and is it there? Return: 0 or a recorded failure that names the remedy. */
int pasta_judge(const struct network_wish *wish);

/*
 * pasta_start() - connect a container; returns when the device has its address and ports are open
 * @folder: of the container's state, absolute
 * @userns, @netns: of the container
 *
 * Return: 0 or a recorded failure.
 */
int pasta_start(const char *folder, const struct network_wish *wish, int userns, int netns);

/* pasta_stop() - end it, if there is one. Return: 0 or a recorded failure. */
int pasta_stop(const struct container_place *place, const char *id);
