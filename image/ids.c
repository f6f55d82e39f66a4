/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"

enum { NOBODY = 65534 };

static int range_add(struct id_map *map, const struct id_range *range)
{
	struct id_range *grown = realloc(map->ranges, (map->count + 1) * sizeof(*grown));

	if (!grown)
		return fail(ENOMEM, "id maps");
	map->ranges = grown;
	grown[map->count++] = *range;
	return 0;
}

int ids_read(const char *text, struct id_map *ret)
{
	for (const char *at = text;; at += strcspn(at, ",") + 1) {
		unsigned long numbers[3];
		const char *next = at;
		int r;

		for (size_t i = 0; i < 3; i++) {
			char *end;

			errno = 0;
			numbers[i] = strtoul(next, &end, 10);
			if (*next < '0' || *next > '9' || errno != 0 || numbers[i] > UINT32_MAX ||
			    (i < 2 ? *end != ':' : *end && *end != ','))
				return fail_plain(EINVAL, "'%.100s' is no map of ids, which is INSIDE:OUTSIDE:SIZE[,...]", text);
			next = end + 1;
		}
		r = range_add(ret, &(struct id_range){ (uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2] });
		if (r < 0 || next[-1] == '\0')
			return r;
	}
}

void ids_done(struct id_maps *maps)
{
	free(maps->uids.ranges);
	free(maps->gids.ranges);
	*maps = (struct id_maps){ .uids.count = 0 };
}

static bool outside_find(const struct id_map *map, uint32_t *id)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *range = &map->ranges[i];

		if (*id >= range->inside && *id - range->inside < range->size) {
			*id = range->outside + (*id - range->inside);
			return true;
		}
	}
	return map->count == 0;
}

int ids_outside(const struct id_maps *maps, uint32_t *uid, uint32_t *gid)
{
	if (!outside_find(&maps->uids, uid))
		return fail_plain(ERANGE, "its owner %u is nobody in the container's user namespace", *uid);
	if (!outside_find(&maps->gids, gid))
		return fail_plain(ERANGE, "its group %u is nobody in the container's user namespace", *gid);
	return 0;
}

static void inside_find(const struct id_map *map, uint32_t *id)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct id_range *range = &map->ranges[i];

		if (*id >= range->outside && *id - range->outside < range->size) {
			*id = range->inside + (*id - range->outside);
			return;
		}
	}
	if (map->count > 0)
		*id = NOBODY;
}

void ids_inside(const struct id_maps *maps, uint32_t *uid, uint32_t *gid)
{
	inside_find(&maps->uids, uid);
	inside_find(&maps->gids, gid);
}
