/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * image-tar - tars made by hand, so that they can lie
 */

#include <stddef.h>
#include <stdint.h>

struct tar {
	char *data;
	size_t size;
};

/* One entry: ustar, with a pax header before it when a name is long or there is an attribute. */
struct tar_entry {
	char type;		/* '0' file, '1' hard link, '2' symbolic link, '3' char, '4' block, '5' folder, '6' pipe */
	const char *name, *link;
	const char *text;	/* content */
	const char *xattr;	/* "name=value" */
	int64_t size;		/* said in the header instead of the text's, when > 0 */
	int64_t sparse;		/* > 0: a file of that size which is one hole, as GNU tar writes it into pax headers */
	int64_t uid;
	unsigned int mode;	/* 0: 0644, folders 0755 */
	unsigned int major, minor;
};

void tar_add(struct tar *t, const struct tar_entry *e);
/* two empty blocks */
void tar_end(struct tar *t);
void tar_raw(struct tar *t, const void *data, size_t size);
void tar_free(struct tar *t);

/* tar_fd() - the bytes in an open file; packed by gzip or zstd when @packer is 'g' or 'z' */
int tar_fd(const struct tar *t, char packer);
