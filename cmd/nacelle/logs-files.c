/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files are told apart by their inodes: names are what moves. */
#include "cmd/nacelle/logs-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum { FILES_MAX = 1000, GAP = 2 };

/* Return: an open file, NULL with 0 in @ret: there is none of that name, or NULL with a recorded failure. */
static FILE *file_open(int folder, unsigned int n, ino_t *ret_inode, int *ret)
{
	char name[32];
	struct stat st;
	FILE *file;
	int fd;

	if (n == 0)
		(void)snprintf(name, sizeof(name), "log");
	else
		(void)snprintf(name, sizeof(name), "log.%u", n);
	fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*ret = fd >= 0 || errno == ENOENT ? 0 : fail(errno, "open the log's file '%s'", name);
	if (fd < 0)
		return NULL;
	file = fstat(fd, &st) < 0 ? NULL : fdopen(fd, "re");
	if (!file) {
		*ret = fail(errno, "read the log's file '%s'", name);
		(void)close(fd);
		return NULL;
	}
	*ret_inode = st.st_ino;
	return file;
}

static int file_add(struct log_files *files, FILE *file)
{
	FILE **items = realloc(files->items, (files->count + 1) * sizeof(*items));

	if (!items) {
		(void)fclose(file);
		return fail(ENOMEM, "read the log");
	}
	files->items = items;
	items[files->count++] = file;
	return 0;
}

static void reverse(struct log_files *files)
{
	for (size_t i = 0; i < files->count / 2; i++) {
		FILE *file = files->items[i];

		files->items[i] = files->items[files->count - 1 - i];
		files->items[files->count - 1 - i] = file;
	}
}

int log_files_open(int folder, ino_t after, struct log_files *ret)
{
	struct log_files files = { .items = NULL };
	ino_t before = 0, inode = 0;
	int r = 0;

	for (unsigned int n = 0, missing = 0; r == 0 && n < FILES_MAX && missing < GAP; n++) {
		FILE *file = file_open(folder, n, &inode, &r);

		missing = file ? 0 : missing + 1;
		if (!file)
			continue;
		if (inode == before || inode == after)
			(void)fclose(file);
		else
			r = file_add(&files, file);
		if (after && inode == after)
			break;
		before = inode;
	}
	if (r < 0) {
		log_files_close(&files);
		return r;
	}
	reverse(&files);
	*ret = files;
	return 0;
}

void log_files_close(struct log_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->items[i])
			(void)fclose(files->items[i]);
	free(files->items);
	*files = (struct log_files){ .items = NULL };
}

/* Move to the last @lines lines, a block at a time from the end. Return: how many are still wanted, or a recorded failure. */
static int64_t file_tail(FILE *file, int64_t lines)
{
	char block[4096];
	int64_t left = lines;
	off_t at;

	if (fseeko(file, 0, SEEK_END) < 0)
		return fail(errno, "read the log");
	at = ftello(file);
	/* Each line's own newline is behind it: the one that ends what comes before them is one more. */
	for (left++; at > 0; ) {
		size_t n = at < (off_t)sizeof(block) ? (size_t)at : sizeof(block);

		at -= (off_t)n;
		if (pread(fileno(file), block, n, at) != (ssize_t)n)
			return fail(errno, "read the log");
		while (n > 0)
			if (block[--n] == '\n' && --left == 0)
				return fseeko(file, at + (off_t)n + 1, SEEK_SET) < 0 ? fail(errno, "read the log") : 0;
	}
	return fseeko(file, 0, SEEK_SET) < 0 ? fail(errno, "read the log") : left - 1;
}

int log_files_tail(struct log_files *files, uint64_t lines)
{
	int64_t left = lines > INT32_MAX ? INT32_MAX : (int64_t)lines;

	for (size_t i = files->count; i > 0; i--) {
		left = file_tail(files->items[i - 1], left);
		if (left < 0)
			return (int)left;
	}
	return 0;
}
