/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent of the fetching process: it holds nothing that the network sends for true. The manifest is that of the
 * digest that was asked for, or that the index names for the platform; a blob is verified by the installer.
 */
#include "image/pull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/fetch.h"
#include "image/install.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"

struct puller {
	const struct pull *pull;
	struct fetcher fetcher;
	struct fetch_message *early;	/* blobs that came before they were asked for */
	size_t early_count;
	char *manifest, *media_type;
	size_t manifest_size;
};

static int pull_get(void *arg, struct stage *stage, const struct descriptor *d, int *ret_fd, char **ret_path)
{
	struct puller *p = arg;

	(void)stage;
	for (size_t i = 0; i < p->early_count; i++) {
		struct fetch_message *m = &p->early[i];

		if (m->fd < 0 || !str_eq(m->digest, d->digest))
			continue;
		*ret_fd = steal_fd(&m->fd);
		return str_copy(ret_path, m->text);
	}
	for (;;) {
		struct fetch_message m, *grown;
		int r = fetch_receive(&p->fetcher, &m);

		if (r < 0)
			return r;
		if (m.word != FETCH_BLOB || m.fd < 0)
			return fail_plain(EPROTO, "the process that speaks to the registry says something unexpected");
		if (str_eq(m.digest, d->digest)) {
			*ret_fd = m.fd;
			return str_copy(ret_path, m.text);
		}
		grown = realloc(p->early, (p->early_count + 1) * sizeof(*grown));
		if (!grown) {
			(void)close(m.fd);
			return fail(ENOMEM, "pull");
		}
		p->early = grown;
		grown[p->early_count++] = m;
	}
}

static void pull_say(void *arg, const char *what, const char *digest, int64_t size)
{
	const struct puller *p = arg;

	if (p->pull->load->say)
		p->pull->load->say(p->pull->load->arg, what, digest, size);
}

/* One manifest from the child; @want: its digest, NULL when a tag was asked for. */
static int manifest_take(struct puller *p, const char *want, struct manifest **ret)
{
	struct fetch_message m;
	cleanup_fd int fd = -1;
	char digest[DIGEST_TEXT];
	int64_t size;
	int r = fetch_receive(&p->fetcher, &m);

	if (r < 0)
		return r;
	fd = m.fd;
	if (m.word != FETCH_MANIFEST || fd < 0)
		return fail_plain(EPROTO, "the process that speaks to the registry says something unexpected");
	r = digest_fd(fd, want, MANIFEST_MAX, digest, &size);
	if (r < 0)
		return r;
	if (want && !str_eq(want, digest))
		return fail_plain(EBADMSG, "the manifest is %s, not %s", digest, want);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "read the manifest");
	free(steal_ptr(&p->manifest));
	r = fd_read_all(fd, MANIFEST_MAX, &p->manifest, &p->manifest_size);
	if (r < 0)
		return fail(-r, "read the manifest");
	r = str_copy(&p->media_type, str_starts(m.text, "application/vnd.") ? m.text : NULL);
	return r < 0 ? r : manifest_parse(p->manifest, p->manifest_size, p->media_type, ret);
}

static int manifests_take(struct puller *p)
{
	cleanup_manifest struct manifest *first = NULL, *second = NULL;
	const struct descriptor *d;
	int r = manifest_take(p, p->pull->ref->digest, &first);

	if (r < 0 || first->kind == MANIFEST_IMAGE)
		return r;
	r = manifest_choose(first, p->pull->load->platform, &d);
	if (r >= 0)
		r = manifest_take(p, d->digest, &second);
	return r;
}

static int pull_run(struct puller *p, struct stage *stage, char ret[DIGEST_TEXT])
{
	const struct blob_source source = { .get = pull_get, .say = pull_say, .arg = p };
	const struct install job = {
		.store = p->pull->load->store,
		.source = &source,
		.names = p->pull->ref,
		.name_count = 1,
		.limits = p->pull->load->limits,
	};
	struct install own = job;
	int r = manifests_take(p);

	if (r < 0)
		return r;
	own.manifest = p->manifest;
	own.manifest_size = p->manifest_size;
	own.media_type = p->media_type;
	return image_install(&own, stage, ret);
}

int image_pull(const struct pull *pull, char ret[DIGEST_TEXT])
{
	struct puller p = { .pull = pull, .fetcher.pid = -1 };
	cleanup_stage struct stage *stage = NULL;
	int r = stage_new(pull->load->store, &stage);

	if (r >= 0) {
		const struct fetch fetch = {
			.ref = pull->ref,
			.registry = pull->registry,
			.mirrors = pull->mirrors,
			.platform = pull->load->platform,
			.stage = stage,
			.bytes_max = pull->load->limits.bytes,
			.progress = pull->progress,
			.passed_by = pull->passed_by,
			.arg = pull->load->arg,
		};

		r = fetch_start(&fetch, &p.fetcher);
	}
	if (r >= 0)
		r = pull_run(&p, stage, ret);
	fetch_end(&p.fetcher);
	for (size_t i = 0; i < p.early_count; i++) {
		if (p.early[i].fd >= 0)
			(void)close(p.early[i].fd);
	}
	free(p.early);
	free(p.manifest);
	free(p.media_type);
	return r;
}
