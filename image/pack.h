/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pack - folders into a tar
 */

#include <stdbool.h>
#include <stddef.h>

struct pack {
	const int *dirs;	/* folders, top-most first, seen as overlayfs would show them; one alone is just that folder */
	size_t count;
	bool layers;		/* they are layers: whiteouts and opaque folders mean what overlayfs says */
	bool bare;		/* without an entry for the folder itself */
	bool changes;		/* one, the upper of an overlay: what overlayfs says in it is said as a layer's tar does */
};

/*
 * pack_write() - the tree as a tar in pax format: sorted, with holes' data, hard links, attributes, owners, times
 *
 * Sockets are left out. Return: 0 or a recorded failure.
 */
int pack_write(const struct pack *pack, int to);
