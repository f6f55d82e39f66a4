/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two children, as for a layer (unpack.c), and nothing between them: the digest of what comes is nobody's concern, and how long
 * a stream takes is its sender's.
 */
#include "image/receive.h"

#include <fcntl.h>
#include <unistd.h>

#include "image/sandbox.h"
#include "image/untar.h"
#include "runtime/base/cleanup.h"
#include "runtime/base/error.h"

enum { PIPE_SIZE = 1024 * 1024 };

struct job {
	int from, target;	/* of the stream, and the folder */
	int ends[2];		/* the pipe between the two */
	uid_t uid;
	gid_t gid;
	const struct id_maps *ids;
};

static int stream_main(void *arg, struct sandbox_report *report)
{
	const struct job *j = arg;

	(void)report;
	return unpack_any(j->from, j->ends[1]);
}

static int files_main(void *arg, struct sandbox_report *report)
{
	const struct job *j = arg;
	struct writer w = {
		.root = j->target,
		.live = true,
		.uid = j->uid,
		.gid = j->gid,
		.ids = j->ids,
		.privileged = geteuid() == 0,
		.limits = unpack_limits_default,
		.parent = -1,
	};
	int r = untar_layer(j->ends[0], &w);

	(void)report;
	writer_done(&w);
	return r;
}

static int stream_start(struct job *j, struct sandbox_child *child)
{
	const int keep[] = { j->from, j->ends[1] };
	const struct sandbox s = { .name = "tar-stream", .write = -1, .keep = keep, .keep_count = ARRAY_SIZE(keep) };

	return sandbox_start(&s, stream_main, j, child);
}

static int files_start(struct job *j, struct sandbox_child *child)
{
	const struct sandbox s = {
		.name = "tar-files",
		.files = true,
		.write = j->target,
		.keep = &j->ends[0],
		.keep_count = 1,
		.file_size_max = unpack_limits_default.bytes,
	};

	return sandbox_start(&s, files_main, j, child);
}

int receive_tar(int from, int target, uid_t uid, gid_t gid, const struct id_maps *ids)
{
	/* The children's 0 leads nowhere. */
	cleanup_fd int source = fcntl(from, F_DUPFD_CLOEXEC, 3);
	struct job j = { .from = source, .target = target, .uid = uid, .gid = gid, .ids = ids };
	struct sandbox_child stream = { .pid = -1 }, files = { .pid = -1 };
	struct sandbox_report report;
	int r;

	if (source < 0 || pipe2(j.ends, O_CLOEXEC) < 0)
		return fail(errno, "receive a tar");
	(void)fcntl(j.ends[0], F_SETPIPE_SZ, PIPE_SIZE);
	r = stream_start(&j, &stream);
	if (r == 0)
		r = files_start(&j, &files);
	(void)close(j.ends[0]);
	(void)close(j.ends[1]);
	/* A stream that nobody reads any more has ended well: who stopped reading says why. */
	if (r == 0)
		r = sandbox_end(&stream, &report);
	if (r == 0)
		r = sandbox_end(&files, &report);
	sandbox_discard(&stream);
	sandbox_discard(&files);
	return r;
}
