/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar and untar: a folder as a tar and back, by what writes and reads layers. `nacelle cp` has no library for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "image/pack.h"
#include "image/unpack.h"
#include "runtime/base/fd.h"

enum { CHUNK = 256 * 1024 };

int verb_tar(const struct settings *settings, size_t count, char **operands)
{
	cleanup_fd int fd = open(operands[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct pack pack = { .dirs = &fd, .count = 1, .bare = true };

	(void)settings;
	(void)count;
	return fd < 0 ? fail(errno, "open '%s'", operands[0]) : pack_write(&pack, STDOUT_FILENO);
}

/* What unpacks wants a file, whose beginning it can look at. */
static int input_collect(int to)
{
	static char chunk[CHUNK];
	int64_t size = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0) {
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "read standard input");
		size += n;
		if (size > unpack_limits_default.bytes)
			return fail_plain(EFBIG, "standard input is too large");
		r = fd_write_all(to, chunk, (size_t)n);
		if (r < 0)
			return fail(-r, "keep standard input");
	}
	return lseek(to, 0, SEEK_SET) < 0 ? fail(errno, "keep standard input") : 0;
}

int verb_untar(const struct settings *settings, size_t count, char **operands)
{
	cleanup_fd int fd = open(operands[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC), blob = memfd_create("tar", MFD_CLOEXEC);
	struct unpack_job job = { .blob = blob, .target = fd, .limits = unpack_limits_default };
	struct unpack_result result;
	int r;

	(void)settings;
	(void)count;
	if (fd < 0)
		return fail(errno, "open '%s'", operands[0]);
	if (blob < 0)
		return fail(errno, "keep standard input");
	r = input_collect(blob);
	return r < 0 ? r : unpack_layer(&job, &result);
}
