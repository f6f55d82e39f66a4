/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * idmap - user and group ids of user namespaces
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spec;
struct spec_id_map;

/*
 * idmap_write() - write setgroups, uid_map and gid_map of a process in a new user namespace
 * @pid: our child
 *
 * An unprivileged writer can map its own ids alone; beyond them newuidmap and newgidmap are asked (subid.h).
 * Return: 0 or a recorded failure.
 */
int idmap_write(pid_t pid, const struct spec *spec);

/* idmap_is_initial() - whether we are in the initial user namespace: by its map, which is whole. Source: user_namespaces(7). */
bool idmap_is_initial(void);

/* idmap_host_id() - what @id of a user namespace with these maps is outside; @id itself where no map has it */
uint32_t idmap_host_id(uint32_t id, const struct spec_id_map *maps, size_t count);

/*
 * idmap_userns() - a user namespace that exists only for its maps, as id-mapped mounts want it
 *
 * Needs the right to map any id. Return: fd, the caller's, or a recorded failure.
 */
int idmap_userns(const struct spec_id_map *uids, size_t uid_count, const struct spec_id_map *gids,
		 size_t gid_count);
