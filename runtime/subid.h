/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * subid - ids that a user without privileges may map, and the programs that do it for them
 *
 * Source: subuid(5), newuidmap(1).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spec_id_map;

enum { SUBID_RANGES_MAX = 16 };

struct subid_range {
	uint32_t start, count;
};

/*
 * subid_ranges() - what /etc/subuid or /etc/subgid gives to a user
 * @file: one of them
 * @name: of the user, NULL: only by number
 *
 * Lines that are none of theirs, or make no sense, are passed over; a file that cannot be read has none.
 * Return: how many ranges there are in @ret.
 */
size_t subid_ranges(const char *file, const char *name, uid_t uid, struct subid_range ret[SUBID_RANGES_MAX]);

/*
 * subid_maps() - the maps of a container of ours, when we are not root: root inside is who we are, ids from 1 on are those
 * that /etc/subuid and /etc/subgid give us
 * @maps: room for SUBID_RANGES_MAX + 1
 *
 * Where the ranges or the programs that map them are missing there is one id alone. Return: how many maps.
 */
size_t subid_maps(bool groups, struct spec_id_map *maps);

/*
 * subid_map_write() - have newuidmap or newgidmap write a map that we may not write ourselves
 *
 * Return: 0 or a recorded failure, which says what to put into which file.
 */
int subid_map_write(pid_t pid, bool groups, const struct spec_id_map *maps, size_t count);
