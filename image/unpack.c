/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two children and we between them: one undoes the packing, we compute the digest of what it gives and pass it on, the
 * other reads the tar and makes the files. Each parser sits in a process of its own, so that a layer that breaks into
 * the first cannot pass for another layer: what the second one reads is what was measured here.
 */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/sandbox.h"
#include "image/untar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum { CHUNK = 512 * 1024, PIPE_SIZE = 1024 * 1024 };

#define RATIO_FREE (1LL << 30)

int packing_of(int blob)
{
	unsigned char magic[4];
	ssize_t n = pread(blob, magic, sizeof(magic), 0);

	if (n < 0)
		return fail(errno, "read");
	if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
		return PACKING_GZIP;
	/* a frame of data, or one to be skipped */
	if (n == 4 && ((magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd) ||
		       ((magic[0] & 0xf0) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18)))
		return PACKING_ZSTD;
	return PACKING_NONE;
}

struct stream_arg {
	int from, to;
	enum packing packing;
};

static int stream_main(void *arg, struct sandbox_report *report)
{
	const struct stream_arg *s = arg;

	(void)report;
	return unpack_stream(s->from, s->to, s->packing);
}

struct files_arg {
	int from;
	const struct unpack_job *job;
};

static int files_main(void *arg, struct sandbox_report *report)
{
	const struct files_arg *f = arg;
	struct writer w = {
		.root = f->job->target,
		.lower = f->job->lower,
		.lower_count = f->job->lower_count,
		.user_xattr = f->job->user_xattr,
		.privileged = geteuid() == 0,
		.limits = f->job->limits,
		.parent = -1,
	};
	int r = untar_layer(f->from, &w);

	report->opaque = w.opaque;
	report->bytes = w.bytes;
	report->inodes = w.inodes;
	writer_done(&w);
	return r;
}

/* The pump's own state: two pipes' ends, the time that is left. */
struct pump {
	int from, to;
	int64_t packed, limit;
	struct timespec end;
};

static int pump_wait(const struct pump *p, int fd, short events)
{
	struct pollfd wait = { .fd = fd, .events = events };
	struct timespec now;
	int64_t left_ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left_ms = (p->end.tv_sec - now.tv_sec) * 1000 + (p->end.tv_nsec - now.tv_nsec) / 1000000;
	if (left_ms <= 0)
		return fail_plain(ETIME, "it takes too long");
	if (poll(&wait, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0 && errno != EINTR)
		return fail(errno, "wait");
	return 0;
}

/* Return: bytes read, 0 at the end, or a recorded failure. */
static ssize_t pump_read(const struct pump *p, char *chunk)
{
	for (;;) {
		ssize_t n = read(p->from, chunk, CHUNK);
		int r;

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return fail(errno, "read");
		r = pump_wait(p, p->from, POLLIN);
		if (r < 0)
			return r;
	}
}

/* Return: 0, PUMP_CLOSED when nobody reads any more, or a recorded failure. */
enum { PUMP_CLOSED = 1 };

static int pump_write(const struct pump *p, const char *chunk, size_t size)
{
	while (size > 0) {
		ssize_t n = write(p->to, chunk, size);
		int r;

		if (n >= 0) {
			chunk += n;
			size -= (size_t)n;
			continue;
		}
		if (errno == EPIPE)
			return PUMP_CLOSED;
		if (errno != EAGAIN && errno != EINTR)
			return fail(errno, "write");
		r = pump_wait(p, p->to, POLLOUT);
		if (r < 0)
			return r;
	}
	return 0;
}

static int pump_run(const struct pump *p, char ret_diff[DIGEST_TEXT])
{
	cleanup_free char *chunk = malloc(CHUNK);
	cleanup_digest struct digest *d = NULL;
	int64_t done = 0;
	int r = digest_new(NULL, &d);

	if (r < 0)
		return r;
	if (!chunk)
		return fail(ENOMEM, "layer");
	for (;;) {
		ssize_t n = pump_read(p, chunk);

		if (n <= 0) {
			r = (int)n;
			break;
		}
		done += n;
		if (done > p->limit)
			return fail_plain(EFBIG, "more than %lld bytes come out of %lld", (long long)p->limit,
					  (long long)p->packed);
		r = digest_add(d, chunk, (size_t)n);
		if (r >= 0 && p->to >= 0)
			r = pump_write(p, chunk, (size_t)n);
		if (r != 0)
			return r;
	}
	return r < 0 ? r : digest_end(d, ret_diff);
}

static int pipe_make(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail(errno, "pipe");
	(void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	return 0;
}

/* Our end only: the flag belongs to the open end of the pipe, which is not the child's. */
static void nonblocking_set(int fd)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int stream_start(const struct unpack_job *job, enum packing packing, struct sandbox_child *child, int *ret_from)
{
	int ends[2];
	int r = pipe_make(ends);

	if (r < 0)
		return r;
	const int keep[] = { job->blob, ends[1] };
	const struct sandbox s = {
		.name = "image-stream",
		.write = -1,
		.keep = keep,
		.keep_count = ARRAY_SIZE(keep),
		.cpu_seconds_max = job->limits.seconds,
	};
	struct stream_arg arg = { .from = job->blob, .to = ends[1], .packing = packing };

	r = sandbox_start(&s, stream_main, &arg, child);
	(void)close(ends[1]);
	if (r < 0) {
		(void)close(ends[0]);
		return r;
	}
	nonblocking_set(ends[0]);
	*ret_from = ends[0];
	return 0;
}

static int files_start(const struct unpack_job *job, struct sandbox_child *child, int *ret_to)
{
	int ends[2];
	int r = pipe_make(ends);

	if (r < 0)
		return r;
	const struct sandbox s = {
		.name = "image-files",
		.files = true,
		.write = job->target,
		.read = job->lower,
		.read_count = job->lower_count,
		.keep = &ends[0],
		.keep_count = 1,
		.file_size_max = job->limits.bytes,
		.cpu_seconds_max = job->limits.seconds,
	};
	struct files_arg arg = { .from = ends[0], .job = job };

	r = sandbox_start(&s, files_main, &arg, child);
	(void)close(ends[0]);
	if (r < 0) {
		(void)close(ends[1]);
		return r;
	}
	nonblocking_set(ends[1]);
	*ret_to = ends[1];
	return 0;
}

static int limit_compute(const struct unpack_job *job, struct pump *p)
{
	struct stat st;

	if (fstat(job->blob, &st) < 0)
		return fail(errno, "look at the layer");
	p->packed = st.st_size;
	/* Headers and padding count for a tar, not for its files. */
	p->limit = job->limits.bytes + job->limits.bytes / 4 + job->limits.inodes * 4096;
	if (st.st_size < (p->limit - RATIO_FREE) / job->limits.ratio)
		p->limit = RATIO_FREE + st.st_size * job->limits.ratio;
	(void)clock_gettime(CLOCK_MONOTONIC, &p->end);
	p->end.tv_sec += job->limits.seconds;
	return 0;
}

static int diff_check(const struct unpack_job *job, const struct unpack_result *result)
{
	if (job->diff && !str_eq(job->diff, result->diff))
		return fail_plain(EBADMSG, "unpacked it is %s, not %s", result->diff, job->diff);
	return 0;
}

struct children {
	struct sandbox_child stream, files;
	int from, to;		/* our ends of their pipes, -1 */
};

/*
 * What each has to say, in the order of their causes: who undoes the packing, the digest, who writes the files. When
 * the last one hung up early, its own word is the cause.
 */
static int children_end(const struct unpack_job *job, struct children *c, int pumped, struct unpack_result *ret)
{
	struct sandbox_report report = { .errnum = 0 };
	int r = pumped;

	if (r == 0 && c->stream.pid > 0)
		r = sandbox_end(&c->stream, &report);
	if (r == 0)
		r = diff_check(job, ret);
	if (c->to >= 0)
		(void)close(steal_fd(&c->to));
	if (r < 0 || c->files.pid <= 0)
		return r;
	r = sandbox_end(&c->files, &report);
	if (r < 0)
		return r;
	if (pumped == PUMP_CLOSED)
		return fail_plain(EIO, "the unpacking process stopped early");
	ret->opaque = report.opaque;
	ret->bytes = report.bytes;
	ret->inodes = report.inodes;
	return 0;
}

static int children_start(const struct unpack_job *job, struct children *c, struct pump *p)
{
	int packing = packing_of(job->blob), r = packing;

	if (r >= 0 && lseek(job->blob, 0, SEEK_SET) < 0)
		r = fail(errno, "read the layer");
	if (r >= 0 && packing != PACKING_NONE)
		r = stream_start(job, (enum packing)packing, &c->stream, &c->from);
	if (r >= 0 && job->target >= 0)
		r = files_start(job, &c->files, &c->to);
	if (r < 0)
		return r;
	p->from = packing == PACKING_NONE ? job->blob : c->from;
	if (job->target >= 0)
		p->to = c->to;
	return 0;
}

/* @to: where the tar goes as it is, -1 for nowhere; not both this and a folder */
static int unpack(const struct unpack_job *job, int to, struct unpack_result *ret)
{
	struct children c = { .stream.pid = -1, .files.pid = -1, .from = -1, .to = -1 };
	struct unpack_result result = { .opaque = false };
	struct pump p = { .from = -1, .to = to };
	int r = limit_compute(job, &p);

	if (r >= 0)
		r = children_start(job, &c, &p);
	if (r >= 0)
		r = pump_run(&p, result.diff);
	if (r >= 0)
		r = children_end(job, &c, r, &result);
	sandbox_discard(&c.stream);
	sandbox_discard(&c.files);
	if (c.from >= 0)
		(void)close(c.from);
	if (c.to >= 0)
		(void)close(c.to);
	if (r < 0)
		return r;
	*ret = result;
	return 0;
}

int unpack_layer(const struct unpack_job *job, struct unpack_result *ret)
{
	return unpack(job, -1, ret);
}

int unpack_plain(int blob, int to, const char *diff, const struct unpack_limits *limits)
{
	const struct unpack_job job = { .blob = blob, .target = -1, .diff = diff, .limits = *limits };
	struct unpack_result result;

	return unpack(&job, to, &result);
}
