/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * again - a detached container that is started once more, as a new one of the same spec under the same id
 */

#include "runtime/container.h"

struct globals;
struct keeping;
struct service;
struct spec;

/*
 * keeping_choose() - what a spec says of its keeper and its streams
 * @service: filled; service_done() it when @k is no longer used
 *
 * Return: 0 or a recorded failure.
 */
int keeping_choose(struct keeping *k, const struct spec *spec, struct service *service);

/*
 * again_detached() - start it under a new keeper
 *
 * It has ended, or its keeper was killed: then what runs is ended first. Return: 0 or a recorded failure.
 */
int again_detached(const struct globals *globals, const char *id);

/*
 * again_adopt() - give a container that runs, and whose keeper was killed, another one
 *
 * That reads on what the container says, and does all that the first did, but how it ends is known to nobody.
 * Return: 0 or a recorded failure.
 */
int again_adopt(const struct globals *globals, const char *id);

/* again_is_kept() - whether it can be: it was detached. Return: 0 or a recorded failure. */
int again_is_kept(const struct container_info *info);

/* again_is_another() - whether what there is @now was made since @before: started again, or about to be */
bool again_is_another(const struct container_info *before, const struct container_info *now);

/*
 * again_await() - wait until a keeper that was told to has started it again
 * @info: as it was before
 *
 * One that has ended again meanwhile was started. Return: 0 or a recorded failure.
 */
int again_await(const struct globals *globals, const char *id, const struct container_info *info);
