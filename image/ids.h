/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * ids - numbers of users and groups inside a user namespace, and what they are outside
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_range {
	uint32_t inside, outside, size;
};

struct id_map {
	struct id_range *ranges;
	size_t count;		/* 0: they are the same numbers */
};

struct id_maps {
	struct id_map uids, gids;
};

/* ids_read() - "INSIDE:OUTSIDE:SIZE[,...]". Return: 0, or a recorded failure; @ret is freed by ids_done() in any case. */
int ids_read(const char *text, struct id_map *ret);
void ids_done(struct id_maps *maps);
#define cleanup_ids __attribute__((cleanup(ids_done)))

/* ids_outside() - what @uid and @gid of the inside are outside, in place. Return: 0, or a recorded failure for one that is nobody there. */
int ids_outside(const struct id_maps *maps, uint32_t *uid, uint32_t *gid);

/* ids_inside() - the other way, in place; who is nobody inside is shown as the kernel shows him there: 65534 */
void ids_inside(const struct id_maps *maps, uint32_t *uid, uint32_t *gid);
