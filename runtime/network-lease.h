/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * network-lease - who gets which address, names and ports
 */

struct container_place;
struct network_book;
struct network_wish;
struct spec;
struct state_dir;

/*
 * network_leases_make() - a lease in each network that the container wishes to join, and its files
 * @book: open; leases of containers that are gone are dropped first, and all of it is written
 * @dir: of the container
 *
 * Return: 0 or a recorded failure.
 */
int network_leases_make(struct network_book *book, const struct container_place *place, const struct spec *spec, const char *id,
			const struct state_dir *dir, const struct network_wish *wish);
