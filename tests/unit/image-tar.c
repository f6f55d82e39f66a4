/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tar writer without scruples.
 */
#include "tests/unit/image-tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

enum { BLOCK = 512 };

void tar_raw(struct tar *t, const void *data, size_t size)
{
	t->data = realloc(t->data, t->size + size + 1);
	if (!t->data)
		abort();
	if (size > 0)
		memcpy(t->data + t->size, data, size);
	t->size += size;
}

static void pad(struct tar *t)
{
	static const char zero[BLOCK];

	if (t->size % BLOCK)
		tar_raw(t, zero, BLOCK - t->size % BLOCK);
}

/* Octal, or base 256 for what is negative or too large. */
static void number(char *to, int width, int64_t value)
{
	if (value >= 0 && value < 1LL << (3 * (width - 1))) {
		char text[32];

		(void)snprintf(text, sizeof(text), "%0*llo", width - 1, (unsigned long long)value);
		memcpy(to, text, (size_t)width - 1);
		return;
	}
	for (int i = width - 1; i >= 0; i--) {
		to[i] = (char)(value & 0xff);
		value >>= 8;
	}
	to[0] |= (char)0x80;
}

static void header(struct tar *t, const struct tar_entry *e, char type, const char *name, int64_t size)
{
	char h[BLOCK] = "";
	unsigned int sum = 0;

	(void)strncpy(h, name, 100);
	number(h + 100, 8, e->mode ? e->mode : type == '5' ? 0755 : 0644);
	number(h + 108, 8, e->uid);
	number(h + 116, 8, 0);
	number(h + 124, 12, size);
	number(h + 136, 12, 1000000000);
	memset(h + 148, ' ', 8);
	h[156] = type;
	if (e->link)
		(void)strncpy(h + 157, e->link, 100);
	memcpy(h + 257, "ustar\00000", 8);
	number(h + 329, 8, e->major);
	number(h + 337, 8, e->minor);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum);
	tar_raw(t, h, BLOCK);
}

static void record(struct tar *t, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3, size = rest + 1;
	char text[32];

	while (size != rest + (size_t)snprintf(text, sizeof(text), "%zu", size))
		size++;
	tar_raw(t, text, strlen(text));
	tar_raw(t, " ", 1);
	tar_raw(t, key, strlen(key));
	tar_raw(t, "=", 1);
	tar_raw(t, value, strlen(value));
	tar_raw(t, "\n", 1);
}

static void pax(struct tar *t, const struct tar_entry *e)
{
	const struct tar_entry plain = { .type = 'x' };
	struct tar records = { .data = NULL };
	char key[256];

	if (strlen(e->name) > 100)
		record(&records, "path", e->name);
	if (e->link && strlen(e->link) > 100)
		record(&records, "linkpath", e->link);
	if (e->xattr) {
		const char *equals = strchr(e->xattr, '=');

		(void)snprintf(key, sizeof(key), "SCHILY.xattr.%.*s", (int)(equals - e->xattr), e->xattr);
		record(&records, key, equals + 1);
	}
	if (e->sparse > 0) {
		char size[32], map[40];

		(void)snprintf(size, sizeof(size), "%lld", (long long)e->sparse);
		(void)snprintf(map, sizeof(map), "%s,0", size);
		record(&records, "GNU.sparse.size", size);
		record(&records, "GNU.sparse.numblocks", "1");
		record(&records, "GNU.sparse.map", map);
	}
	if (records.size == 0)
		return;
	header(t, &plain, 'x', "pax", (int64_t)records.size);
	tar_raw(t, records.data, records.size);
	pad(t);
	tar_free(&records);
}

void tar_add(struct tar *t, const struct tar_entry *e)
{
	size_t size = e->text ? strlen(e->text) : 0;

	pax(t, e);
	header(t, e, e->type, e->name, e->size > 0 ? e->size : (int64_t)size);
	if (size > 0) {
		tar_raw(t, e->text, size);
		pad(t);
	}
}

void tar_end(struct tar *t)
{
	static const char zero[2 * BLOCK];

	tar_raw(t, zero, sizeof(zero));
}

void tar_free(struct tar *t)
{
	free(t->data);
	*t = (struct tar){ .data = NULL };
}

static void packed(const struct tar *t, char packer, int fd)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	(void)archive_write_set_format_raw(a);
	(void)(packer == 'g' ? archive_write_add_filter_gzip(a) : archive_write_add_filter_zstd(a));
	/* The time of day is no part of what the tests compare. */
	if (packer == 'g')
		(void)archive_write_set_filter_option(a, "gzip", "timestamp", NULL);
	(void)archive_write_set_bytes_in_last_block(a, 1);
	archive_entry_set_filetype(e, AE_IFREG);
	if (archive_write_open_fd(a, fd) != ARCHIVE_OK || archive_write_header(a, e) != ARCHIVE_OK ||
	    archive_write_data(a, t->data, t->size) != (la_ssize_t)t->size || archive_write_close(a) != ARCHIVE_OK)
		abort();
	archive_entry_free(e);
	(void)archive_write_free(a);
}

int tar_fd(const struct tar *t, char packer)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	if (packer)
		packed(t, packer, fd);
	else if (t->size > 0 && write(fd, t->data, t->size) != (ssize_t)t->size)
		abort();
	(void)lseek(fd, 0, SEEK_SET);
	return fd;
}
