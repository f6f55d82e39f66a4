/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a layer: what the unpacker's child does, without its walls, into a folder that is emptied each time. Beside
 * that folder nothing may appear, and what stands there stays as it is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/tree.h"
#include "image/untar.h"
#include "image/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int top = -1, lower = -1;

static void prepare(void)
{
	static char place[] = "/dev/shm/nacelle-fuzz-XXXXXX";
	int fd;

	if (!mkdtemp(place))
		abort();
	top = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(top, "keep", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)close(fd);
	(void)mkdirat(top, "lower", 0755);
	lower = openat(top, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)mkdirat(lower, "a", 0755);
	(void)symlinkat("..", lower, "l");
	(void)close(openat(lower, "a/b", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;
	int layer, fd;

	if (top < 0)
		prepare();
	if (tree_remove(top, "layer") < 0 || mkdirat(top, "layer", 0755) < 0)
		abort();
	layer = openat(top, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = memfd_create("layer", MFD_CLOEXEC);
	if (layer < 0 || fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	struct writer w = {
		.root = layer, .lower = &lower, .lower_count = 1, .privileged = geteuid() == 0, .parent = -1,
		.limits = { .bytes = 1 << 20, .inodes = 100, .depth = 20, .ratio = 100, .seconds = 5 },
	};

	(void)untar_layer(fd, &w);
	writer_done(&w);
	(void)close(layer);
	(void)close(fd);
	if (fstatat(top, "keep", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_nlink != 1 || st.st_size != 0 ||
	    (st.st_mode & 07777) != 0600)
		abort();
	/* keep, lower and layer: two folders, so two links more than an empty one has */
	if (fstat(top, &st) < 0 || st.st_nlink != 4)
		abort();
	return 0;
}
