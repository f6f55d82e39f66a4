/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * fuzz - what the harnesses share: a folder in memory for readers that open files, and an input cut into parts
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must never be: libFuzzer keeps the input. */
static inline void fuzz_must(bool true_always)
{
	if (!true_always)
		abort();
}

static char fuzz_place[] = "/dev/shm/nacelle-fuzz-XXXXXX";

/* The names in it are few and known by then; a run that crashes leaves its folder. */
static inline void fuzz_folder_remove(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", fuzz_place);
	(void)!system(command);
}

/* fuzz_folder() - an empty folder in memory, which goes when the process ends. Once a process. */
static inline int fuzz_folder(void)
{
	int fd = mkdtemp(fuzz_place) ? open(fuzz_place, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	fuzz_must(fd >= 0);
	(void)atexit(fuzz_folder_remove);
	return fd;
}

/* fuzz_file() - write @name anew. */
static inline void fuzz_file(int dir, const char *name, const void *data, size_t size)
{
	cleanup_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
}

/* struct fuzz_input - what is left of the input */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

/* fuzz_part() - the bytes up to the next NUL, or all, with a NUL behind. Return: the caller's to free. */
static inline char *fuzz_part(struct fuzz_input *in, size_t *ret_size)
{
	const uint8_t *end = in->size > 0 ? memchr(in->data, '\0', in->size) : NULL;
	size_t size = end ? (size_t)(end - in->data) : in->size;
	char *text = calloc(1, size + 1);

	fuzz_must(text);
	if (size > 0)
		memcpy(text, in->data, size);
	in->data += end ? size + 1 : size;
	in->size -= end ? size + 1 : size;
	if (ret_size)
		*ret_size = size;
	return text;
}

/* fuzz_take() - the next @size bytes; zeros where there are no more. */
static inline void fuzz_take(struct fuzz_input *in, void *to, size_t size)
{
	size_t n = size < in->size ? size : in->size;

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, in->data, n);
	in->data += n;
	in->size -= n;
}

static inline uint32_t fuzz_number(struct fuzz_input *in, unsigned int bytes)
{
	uint32_t value = 0;

	fuzz_take(in, &value, bytes);
	return value;
}
