/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which kind of place, and getting at its files. An archive is taken apart in the stage by the same sandboxed
 * unpacker as a layer, and is a folder from then on. Blobs are copied into the stage: a user's own file could change
 * while it is looked at (file systems that can share the data blocks, which copy_file_range asks for).
 */
#include "image/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/internal.h"
#include "image/load-internal.h"
#include "image/tree.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { COPY_AT_ONCE = 1 << 30, CHUNK = 1 << 20 };

int file_open(int dir, const char *path)
{
	cleanup_fd int named = fd_open_beneath(dir, path, O_PATH, 0);
	struct stat st;
	int fd;

	if (named < 0)
		return fail(-named, "open '%.200s'", path);
	/* Looked at before it is opened: a device or a pipe does something when it is. */
	if (fstat(named, &st) < 0)
		return fail(errno, "look at '%.200s'", path);
	if (!S_ISREG(st.st_mode))
		return fail_plain(EINVAL, "'%.200s' is no file", path);
	fd = fd_reopen(named, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? fail(-fd, "open '%.200s'", path) : fd;
}

int file_text(int dir, const char *path, size_t limit, char **ret_text, size_t *ret_size)
{
	cleanup_fd int fd = file_open(dir, path);
	int r;

	if (fd < 0)
		return fd;
	r = fd_read_all(fd, limit, ret_text, ret_size);
	return r < 0 ? fail(-r, "read '%.200s'", path) : 0;
}

static int file_copy(int from, int to)
{
	loff_t at = 0;
	ssize_t n;

	do
		n = copy_file_range(from, &at, to, NULL, COPY_AT_ONCE, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 && at == 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
		do
			n = sendfile(to, from, &at, COPY_AT_ONCE);
		while (n > 0 || (n < 0 && errno == EINTR));
	}
	return n < 0 ? fail(errno, "copy a blob") : 0;
}

int file_stage(const struct stage *stage, int fd, const struct descriptor *d, int *ret_fd, char **ret_path)
{
	cleanup_free char *path = NULL;
	cleanup_fd int to = -1;
	struct stat st;
	int r = str_format(&path, "%s/blob-%s", stage->path, strchr(d->digest, ':') + 1);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return fail(errno, "look at blob %s", d->digest);
	if (st.st_size != d->size)
		return fail_plain(EBADMSG, "blob %s has %lld bytes, not %lld", d->digest, (long long)st.st_size,
				  (long long)d->size);
	to = openat(stage->store->dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return fail(errno, "make '%s/%s'", stage->store->path, path);
	r = file_copy(fd, to);
	if (r < 0)
		return r;
	*ret_fd = steal_fd(&to);
	*ret_path = steal_ptr(&path);
	return 0;
}

int stream_copy(int from, int to, int64_t limit)
{
	cleanup_free char *chunk = malloc(CHUNK);
	int64_t size = 0;

	if (!chunk)
		return fail(ENOMEM, "copy");
	for (;;) {
		ssize_t n = read(from, chunk, CHUNK);
		int r;

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "read");
		size += n;
		if (size > limit)
			return fail_plain(EFBIG, "more than %lld bytes", (long long)limit);
		r = fd_write_all(to, chunk, (size_t)n);
		if (r < 0)
			return fail(-r, "write");
	}
}

/* A pipe is read once: what comes through it is kept first. */
static int spool(const struct load *load, const struct stage *stage, int in, int *ret_fd)
{
	cleanup_fd int fd = fd_lift(openat(stage->dir, "spool", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	int r;

	if (fd < 0)
		return fail(errno, "make a file in '%s'", stage->store->path);
	r = stream_copy(in, fd, load->limits.bytes);
	if (r < 0)
		return fail_in(r, "archive");
	*ret_fd = steal_fd(&fd);
	return 0;
}

int archive_stage(const struct load *load, struct stage *stage, int in, int *ret_dir)
{
	cleanup_fd int own = -1, dir = -1, lifted = fcntl(in, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	struct unpack_result result;
	struct stat st;
	int r;

	/* The children's standard input is not ours. */
	if (lifted < 0 || fstat(lifted, &st) < 0)
		return fail(errno, "look at the archive");
	if (!S_ISREG(st.st_mode)) {
		r = spool(load, stage, in, &own);
		if (r < 0)
			return r;
	}
	if (mkdirat(stage->dir, "archive", 0700) < 0)
		return fail(errno, "make a folder in '%s'", stage->store->path);
	dir = fd_lift(openat(stage->dir, "archive", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (dir < 0)
		return fail(errno, "open a folder in '%s'", stage->store->path);
	const struct unpack_job job = {
		.blob = own >= 0 ? own : lifted,
		.target = dir,
		.user_xattr = true,
		.limits = load->limits,
	};
	r = unpack_layer(&job, &result);
	if (own >= 0)
		(void)unlinkat(stage->dir, "spool", 0);
	if (r < 0)
		return fail_in(r, "archive");
	*ret_dir = steal_fd(&dir);
	return 0;
}

int result_add(struct str_list *ret, const char *digest, const struct reference *name)
{
	cleanup_free char *text = NULL;
	int r = name ? reference_text(name, &text) : 0;

	return r < 0 ? r : str_list_addf(ret, "%s%s%s", digest, text ? " " : "", text ? text : "");
}

static int archive_load(const struct load *load, struct stage *stage, int in, const char *tag, const char *path,
			struct str_list *ret)
{
	cleanup_fd int dir = -1;
	int r = archive_stage(load, stage, in, &dir);

	if (r < 0)
		return r;
	if (faccessat(dir, "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return layout_load(load, stage, dir, tag, path, ret);
	if (faccessat(dir, "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return docker_load(load, dir, ret);
	return fail_plain(EINVAL, "neither an OCI archive (index.json) nor a docker archive (manifest.json)");
}

static int file_load(const struct load *load, struct stage *stage, const char *path, const char *tag,
		     struct str_list *ret)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? fail(errno, "open '%s'", path) : archive_load(load, stage, fd, tag, path, ret);
}

static int folder_load(const struct load *load, struct stage *stage, const char *path, const char *tag,
		       struct str_list *ret)
{
	cleanup_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? fail(errno, "open '%s'", path) : layout_load(load, stage, dir, tag, path, ret);
}

int image_load_from(const struct load *load, const char *place, int in, struct str_list *ret)
{
	cleanup_free char *path = NULL, *tag = NULL;
	cleanup_stage struct stage *stage = NULL;
	const char *rest;
	int r = stage_new(load->store, &stage);

	if (r < 0)
		return r;
	if (str_eq(place, "-"))
		return archive_load(load, stage, in, NULL, "archive", ret);
	if ((rest = str_starts(place, "docker-archive:")))
		return file_load(load, stage, rest, NULL, ret);
	if ((rest = str_starts(place, "oci-archive:"))) {
		r = place_split(rest, &path, &tag);
		return r < 0 ? r : file_load(load, stage, path, tag, ret);
	}
	if ((rest = str_starts(place, "oci:"))) {
		r = place_split(rest, &path, &tag);
		return r < 0 ? r : folder_load(load, stage, path, tag, ret);
	}
	return fail_plain(EINVAL, "'%s': say what it is: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE, "
			  "or - for a stream", place);
}
