/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * hostile - images that mean harm, made as folders and archives for the real program to load
 *
 * An image is honest but for what its case says: digests and sizes are computed from what was made, so that a lie is
 * seen by the check it is meant for and by no other in front of it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "tests/unit/image-tar.h"

enum outcome {
	REFUSED,	/* status 125, one line, and the store as empty as before */
	CONTAINED,	/* an image, which verifies */
};

/* The documents of a layout, as templates: $NAME stands for what is filled in. */
enum part { PART_NONE, PART_LAYOUT, PART_INDEX, PART_MANIFEST, PART_LAYER, PART_CONFIG };

/* In @part, the first @from becomes @to, @times times (0: once); @from NULL: the whole document. */
struct edit {
	enum part part;
	const char *from, *to;
	int times;
};

/* What becomes of a file of the layout when all is written. */
enum harm {
	HARM_NONE, HARM_MISSING, HARM_EMPTY, HARM_SHORTER, HARM_LONGER, HARM_CHANGED, HARM_HUGE, HARM_PIPE, HARM_DEVICE,
	HARM_FOLDER, HARM_LINK_OUT, HARM_LINK_ABSOLUTE, HARM_LINK_LOOP,
};

/* How the image is handed over. */
enum form { FORM_LAYOUT, FORM_ARCHIVE, FORM_DOCKER };

enum { ENTRIES_MAX = 8 };

struct hostile {
	const char *name;
	enum outcome outcome;
	enum form form;
	struct tar_entry entries[ENTRIES_MAX];	/* of the layer, or of the archive in front of the layout; "@OUT" is the folder outside */
	char packer;				/* of the layer: 0, 'g', 'z' */
	bool upper;				/* the layer stands on an honest one */
	int cut, flip;				/* of the layer in eighths: cut there, or changed there */
	bool stale;				/* the diff id is that of the layer as it was before that */
	struct edit edits[2];
	const char *file;			/* that is harmed: "index.json", "$LDIGEST"... */
	enum harm harm;
};

extern const struct hostile hostile_layers[], hostile_layouts[];

/* hostile_make() - make @h in the empty folder @dir. @outside: absolute. Return: what to load, the caller's. */
char *hostile_make(const struct hostile *h, int dir, const char *path, const char *outside);
