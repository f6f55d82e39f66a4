/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache - compiled filters, one file each
 *
 * A file is believed only when nobody but us can have written it and it holds the whole key: its
 * name is but a cheap hash. The checksum finds damage, not malice; against that stand the owner
 * and the mode of folder and file. Files are replaced as a whole, so a reader sees the old or the
 * new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "seccomp/internal.h"
#include "seccomp/load.h"

/* The file: this, the key, the code. Not for other machines, so native byte order will do. */
struct header {
	char magic[8];
	uint32_t key_size;
	uint32_t code_size;
	uint32_t flags;
	uint32_t notify;
	uint64_t checksum; /* of key, flags, notify and code */
};

enum {
	NAME_SIZE = 32,
	OTHERS_WRITE = S_IWGRP | S_IWOTH,
	KEY_MAX = 16 * 1024 * 1024,
};

static const char magic[8] = "nacsecc1";

/* FNV-1a, 64 bits */
static const uint64_t hash_start = UINT64_C(0xcbf29ce484222325);

static uint64_t hash(uint64_t h, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t checksum(const struct header *header, const void *code, uint64_t key_hash)
{
	uint64_t h = hash(key_hash, &header->flags, sizeof(header->flags));

	h = hash(h, &header->notify, sizeof(header->notify));
	return hash(h, code, header->code_size);
}

static void name_write(char name[NAME_SIZE], uint64_t key_hash)
{
	(void)snprintf(name, NAME_SIZE, "filter-%016" PRIx64, key_hash);
}

/* Who can write here could give a container any filter: ours alone, or no cache. */
static bool folder_is_ours(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & OTHERS_WRITE);
}

static bool file_is_ours(int fd, off_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & OTHERS_WRITE || st.st_nlink != 1)
		return false;
	*ret_size = st.st_size;
	return true;
}

static bool header_is_sane(const struct header *header, size_t key_size, size_t size)
{
	return memcmp(header->magic, magic, sizeof(magic)) == 0 && header->key_size == key_size &&
	       header->code_size > 0 && header->code_size % sizeof(struct sock_filter) == 0 &&
	       header->code_size <= BPF_MAXINSNS * sizeof(struct sock_filter) &&
	       header->notify <= 1 && size == sizeof(*header) + key_size + header->code_size;
}

/* Exactly @size bytes and no more. */
static bool read_exactly(int fd, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Judge a file's bytes, and take the code out of them. Return: 1, or 0. */
static int take(const char *data, size_t size, const char *key, uint64_t key_hash,
		struct seccomp_filter *ret_filter)
{
	size_t key_size = strlen(key);
	struct header header;
	const char *code = data + sizeof(header) + key_size;
	void *copy;

	memcpy(&header, data, sizeof(header));
	if (!header_is_sane(&header, key_size, size) ||
	    memcmp(data + sizeof(header), key, key_size) != 0 ||
	    header.checksum != checksum(&header, code, key_hash))
		return 0;
	copy = malloc(header.code_size);
	if (!copy)
		return 0;
	memcpy(copy, code, header.code_size);
	*ret_filter = (struct seccomp_filter){
		.code = copy,
		.size = header.code_size,
		.flags = header.flags,
		.notify = header.notify != 0,
	};
	return 1;
}

int seccomp_cache_read(int dir, const char *key, struct seccomp_filter *ret_filter)
{
	uint64_t key_hash = hash(hash_start, key, strlen(key));
	cleanup_free char *data = NULL;
	cleanup_fd int fd = -1;
	char name[NAME_SIZE];
	off_t size = 0;

	if (!folder_is_ours(dir)) {
		log_debug("seccomp: the folder of cached filters is not ours alone, ignoring");
		return 0;
	}
	name_write(name, key_hash);
	/* O_NONBLOCK: what stands there may be a FIFO, and is looked at only behind this */
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return 0;
	if (!file_is_ours(fd, &size)) {
		log_debug("seccomp: cached filter '%s' is not ours alone, ignoring", name);
		return 0;
	}
	if (size < (off_t)sizeof(struct header) || size > KEY_MAX)
		return 0;
	data = malloc((size_t)size);
	if (!data || !read_exactly(fd, data, (size_t)size))
		return 0;
	return take(data, (size_t)size, key, key_hash, ret_filter);
}

int seccomp_cache_write(int dir, const char *key, const struct seccomp_filter *filter)
{
	size_t key_size = strlen(key), size = sizeof(struct header) + key_size + filter->size;
	uint64_t key_hash = hash(hash_start, key, key_size);
	cleanup_free char *data = NULL;
	char name[NAME_SIZE];
	struct header header = {
		.key_size = (uint32_t)key_size,
		.code_size = (uint32_t)filter->size,
		.flags = filter->flags,
		.notify = filter->notify,
	};

	if (!folder_is_ours(dir) || size > KEY_MAX)
		return 0;
	data = malloc(size);
	if (!data)
		return fail(ENOMEM, "keep a seccomp filter");
	memcpy(header.magic, magic, sizeof(magic));
	header.checksum = checksum(&header, filter->code, key_hash);
	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), key, key_size);
	memcpy(data + sizeof(header) + key_size, filter->code, filter->size);
	name_write(name, key_hash);
	return fd_replace_file(dir, name, data, size, 0600);
}
