/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * pack - folders into a tar
 */

#include <stdbool.h>
#include <stddef.h>

struct id_maps;

struct pack {
	const int *dirs;	/* folders, top-most first, seen as overlayfs would show them; one alone is just that folder */
	size_t count;
	bool layers;		/* they are layers: whiteouts and opaque folders mean what overlayfs says */
	bool bare;		/* without an entry for the folder itself */
	const char *only;	/* of one folder: this name in it, and nothing else; NULL: all */
	const char *as;		/* instead of a folder: a folder or file that is open, under this name; NULL: as above */
	const struct id_maps *ids; /* owners are shown as inside of these; NULL: as they are */
	bool changes;		/* one, the upper of an overlay: what overlayfs says in it is said as a layer's tar does */
};

/*
 * pack_write() - the tree as a tar in pax format: sorted, with holes' data, hard links, attributes, owners, times
 *
 * Sockets are left out. The folders may be in use by whoever means harm: no link is followed, no device opened. Return: 0 or a recorded failure.
 */
int pack_write(const struct pack *pack, int to);
