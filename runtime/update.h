/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * update - other limits for a container that lives
 */

#include <jansson.h>

struct container_place;

/*
 * container_update() - the verb `update`
 * @resources: an object as linux.resources has it; what is not in it stays as it is, and so does what is given in
 *             the way that engines spell "not asked": null, an empty string, and 0 where 0 is no limit. Changed.
 *
 * All or nothing: after a failure the old limits hold again. The container's kept spec then says what holds: objects
 * are merged by key, lists of limits by their device or page size, and `devices` is taken whole.
 * Return: 0 or a recorded failure.
 */
int container_update(const struct container_place *place, const char *id, json_t *resources);
