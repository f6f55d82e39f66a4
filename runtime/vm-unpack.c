/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part is copied to a memory file, which is the program's standard input: what stands behind it in
 * the file (a kernel's size, its signature) would be taken for garbage.
 */
#include "runtime/vm-unpack.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"
#include "runtime/base/proc.h"

enum { ARGUMENTS = 3, WORD_SIZE = 16 };

static const struct format {
	size_t size;
	const char *magic;
	char words[ARGUMENTS][WORD_SIZE]; /* of the command line; empty: none */
} formats[] = {
	{ 6, "\xfd" "7zXZ", { "xz", "-dc", "--single-stream" } },
	{ 2, "\x1f\x8b", { "gzip", "-dc" } },
	{ 4, "\x28\xb5\x2f\xfd", { "zstd", "-dcq" } },
	{ 4, "\x02\x21\x4c\x18", { "lz4", "-dc" } }, /* the kernel's, "legacy" */
	{ 4, "\x04\x22\x4d\x18", { "lz4", "-dc" } },
};

static const struct format *format_find(int fd, off_t at)
{
	char head[8] = "";

	if (pread(fd, head, sizeof(head), at) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (memcmp(head, formats[i].magic, formats[i].size) == 0)
			return &formats[i];
	return NULL;
}

static int copy(int fd, off_t at, uint64_t size, int to)
{
	while (size > 0) {
		ssize_t n = sendfile(to, fd, &at, size);

		if (n < 0)
			return fail(errno, "copy");
		if (n == 0)
			return fail_plain(EINVAL, "the file is shorter than it says");
		size -= (uint64_t)n;
	}
	return 0;
}

static int program_run(const struct format *format, int from, int to)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char *const environment[] = { path, NULL };
	posix_spawn_file_actions_t actions;
	char words[ARGUMENTS][WORD_SIZE], *argv[ARGUMENTS + 1];
	pid_t pid;
	int e, r;

	memcpy(words, format->words, sizeof(words));
	for (int i = 0; i < ARGUMENTS; i++)
		argv[i] = words[i][0] ? words[i] : NULL;
	argv[ARGUMENTS] = NULL;
	e = posix_spawn_file_actions_init(&actions);
	if (e != 0)
		return fail(e, "prepare '%s'", argv[0]);
	(void)posix_spawn_file_actions_adddup2(&actions, from, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
	e = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (e != 0)
		return fail(e, "run '%s', which is needed to unpack it", argv[0]);
	r = proc_reap(pid);
	return r > 0 ? fail_plain(EIO, "'%s' could not unpack it", argv[0]) : r;
}

int vm_unpack(int fd, off_t at, uint64_t size, int to)
{
	const struct format *format = format_find(fd, at);
	cleanup_fd int part = -1;
	int r;

	if (!format)
		return copy(fd, at, size, to);
	part = memfd_create("packed", MFD_CLOEXEC);
	if (part < 0)
		return fail(errno, "make a memory file");
	r = copy(fd, at, size, part);
	if (r == 0 && lseek(part, 0, SEEK_SET) < 0)
		r = fail(errno, "read a memory file");
	return r < 0 ? r : program_run(format, part, to);
}

int vm_unpack_memory(int fd)
{
	cleanup_fd int memory = memfd_create("unpacked", MFD_CLOEXEC);
	struct stat st;
	int r;

	if (memory < 0)
		return fail(errno, "make a memory file");
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at a file");
	r = vm_unpack(fd, 0, (uint64_t)st.st_size, memory);
	return r < 0 ? r : steal_fd(&memory);
}
