/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libarchive reads the tar; each entry becomes a struct entry. Names are bytes: in the C locale those of pax headers
 * that are not ASCII cannot be converted, and libarchive says so and hands them over as they are, which is what is
 * wanted. Any other warning is a failure. Data come in blocks with offsets, which keeps holes holes.
 */
#include "image/untar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "image/gunzip.h"
#include "image/ids.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

enum { BLOCK = 256 * 1024, XATTRS_MAX = 256 };
/* Nobody reads any more what is written. */
enum { STREAM_CLOSED = 1 };

CLEANUP_DEFINE(struct archive *, archive_read_free)
#define cleanup_archive __attribute__((cleanup(archive_read_free_p)))

static int archive_fail(struct archive *a, const char *what)
{
	const char *text = archive_error_string(a);

	return fail_plain(EINVAL, "%s: %s", what, text ? text : "damaged");
}

static int stream_open(struct archive *a, int fd, const char *what)
{
	if (archive_read_open_fd(a, fd, BLOCK) != ARCHIVE_OK)
		return archive_fail(a, what);
	return 0;
}

/* After the end of an archive there may be more, which counts for the digest: take it, so that the writer can finish. */
static int rest_take(int fd)
{
	cleanup_free char *block = malloc(BLOCK);

	if (!block)
		return fail(ENOMEM, "layer");
	for (;;) {
		ssize_t n = read(fd, block, BLOCK);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return fail(errno, "read");
	}
}

static int file_write(struct archive *a, struct writer *w, const struct entry *e, int fd)
{
	la_int64_t at, end = 0;
	const void *data;
	size_t size;
	int r;

	if (e->size > w->limits.bytes - w->bytes)
		return fail_plain(EFBIG, "more than %lld bytes", (long long)w->limits.bytes);
	w->bytes += e->size;
	while ((r = archive_read_data_block(a, &data, &size, &at)) == ARCHIVE_OK) {
		const char *next = data;

		if (at < end || at > e->size || (int64_t)size > e->size - at)
			return fail_plain(EINVAL, "its data lie outside it");
		end = at + (la_int64_t)size;
		while (size > 0) {
			ssize_t n = pwrite(fd, next, size, at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return fail(n < 0 ? errno : EIO, "write");
			next += n;
			at += n;
			size -= (size_t)n;
		}
	}
	if (r != ARCHIVE_EOF)
		return archive_fail(a, "read");
	return end < e->size && ftruncate(fd, e->size) < 0 ? fail(errno, "set the size") : 0;
}

static int xattrs_take(struct archive_entry *from, struct entry_xattr *xattrs, struct entry *e)
{
	const void *value;
	const char *name;
	size_t size;

	(void)archive_entry_xattr_reset(from);
	while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
		if (e->xattr_count == XATTRS_MAX)
			return fail_plain(E2BIG, "more than %d attributes", XATTRS_MAX);
		xattrs[e->xattr_count++] = (struct entry_xattr){ .name = name, .value = value, .size = size };
	}
	e->xattrs = xattrs;
	return 0;
}

static int id_check(int64_t id, const char *what)
{
	if (id < 0 || id >= UINT32_MAX)
		return fail_plain(ERANGE, "%s %lld is out of range", what, (long long)id);
	return 0;
}

static int entry_take(struct archive_entry *from, struct entry_xattr *xattrs, struct entry *ret)
{
	const char *hard = archive_entry_hardlink(from);
	int64_t uid = archive_entry_uid(from), gid = archive_entry_gid(from);
	struct entry e = {
		.path = archive_entry_pathname(from),
		.type = hard ? 0 : archive_entry_filetype(from),
		.mode = archive_entry_perm(from) & 07777,
		.uid = (uid_t)uid,
		.gid = (gid_t)gid,
		.device = archive_entry_rdev(from),
		.mtime = { archive_entry_mtime(from), archive_entry_mtime_nsec(from) },
		.link = hard ? hard : archive_entry_symlink(from),
		.size = archive_entry_size(from),
	};
	int r;

	if (!e.path || !*e.path)
		return fail_plain(EINVAL, "an entry without a name");
	r = id_check(uid, "owner");
	if (r >= 0)
		r = id_check(gid, "group");
	if (r >= 0 && e.size < 0)
		r = fail_plain(EINVAL, "a size below 0");
	if (r >= 0 && e.type == S_IFLNK && (!e.link || !*e.link))
		r = fail_plain(EINVAL, "a link that leads nowhere");
	if (r >= 0)
		r = xattrs_take(from, xattrs, &e);
	if (r < 0)
		return fail_in(r, "'%.200s'", e.path);
	*ret = e;
	return 0;
}

static int entry_write(struct archive *a, struct archive_entry *from, struct entry_xattr *xattrs, struct writer *w)
{
	cleanup_fd int fd = -1;
	struct entry e;
	int r = entry_take(from, xattrs, &e);

	if (r >= 0 && w->ids) {
		r = ids_outside(w->ids, &e.uid, &e.gid);
		if (r < 0)
			return fail_in(r, "'%.200s'", e.path);
	}
	if (r >= 0)
		r = writer_add(w, &e, &fd);
	if (r != WRITER_DATA)
		return r;
	r = e.size > 0 ? file_write(a, w, &e, fd) : 0;
	if (r < 0)
		return fail_in(r, "'%.200s'", e.path);
	return writer_file_end(w, &e, fd);
}

static bool is_about_charset(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text && strstr(text, "can't be converted from UTF-8");
}

int untar_layer(int fd, struct writer *w)
{
	cleanup_archive struct archive *a = archive_read_new();
	cleanup_free struct entry_xattr *xattrs = calloc(XATTRS_MAX, sizeof(*xattrs));
	struct archive_entry *entry;
	int r;

	if (!a || !xattrs || archive_read_support_format_tar(a) != ARCHIVE_OK)
		return fail(ENOMEM, "layer");
	r = stream_open(a, fd, "layer");
	if (r >= 0)
		r = writer_begin(w);
	if (r < 0)
		return r;
	while ((r = archive_read_next_header(a, &entry)) == ARCHIVE_OK || (r == ARCHIVE_WARN && is_about_charset(a))) {
		r = entry_write(a, entry, xattrs, w);
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return archive_fail(a, "layer");
	r = writer_end(w);
	return r < 0 ? r : rest_take(fd);
}

/* Up to the first byte of what is in it. */
static int stream_begin(struct archive *a, int from, const char *what)
{
	struct archive_entry *entry;
	int r = stream_open(a, from, what);

	if (r < 0)
		return r;
	r = archive_read_next_header(a, &entry);
	if (r == ARCHIVE_EOF)
		return fail_plain(EINVAL, "%s: empty", what);
	return r != ARCHIVE_OK ? archive_fail(a, what) : 0;
}

static int stream_copy(struct archive *a, int to, const char *what)
{
	const void *data;
	la_int64_t at;
	size_t size;
	int r;

	while ((r = archive_read_data_block(a, &data, &size, &at)) == ARCHIVE_OK) {
		int err = fd_write_all(to, data, size);

		if (err < 0)
			return err == -EPIPE ? STREAM_CLOSED : fail(-err, "write");
	}
	return r == ARCHIVE_EOF ? 0 : archive_fail(a, what);
}

int unpack_stream(int from, int to, enum packing packing)
{
	cleanup_archive struct archive *a = NULL;
	int r;

#ifdef HAVE_ISAL
	if (packing == PACKING_GZIP) {
		r = gunzip(from, to);
		return r == GUNZIP_CLOSED ? fail(EPIPE, "write") : r;
	}
#endif
	a = archive_read_new();
	if (!a || archive_read_support_format_raw(a) != ARCHIVE_OK)
		return fail(ENOMEM, "layer");
	r = packing == PACKING_GZIP ? archive_read_support_filter_gzip(a) : archive_read_support_filter_zstd(a);
	if (r != ARCHIVE_OK)
		return archive_fail(a, "layer");
	r = stream_begin(a, from, "layer");
	if (r < 0)
		return r;
	if (archive_filter_code(a, 0) == ARCHIVE_FILTER_NONE)
		return archive_fail(a, "layer");
	r = stream_copy(a, to, "layer");
	return r == STREAM_CLOSED ? fail(EPIPE, "write") : r;
}

int unpack_any(int from, int to)
{
	cleanup_archive struct archive *a = archive_read_new();
	int r;

	if (!a || archive_read_support_format_raw(a) != ARCHIVE_OK || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return fail(ENOMEM, "tar");
	r = stream_begin(a, from, "tar");
	if (r == 0)
		r = stream_copy(a, to, "tar");
	return r < 0 ? r : 0;
}
