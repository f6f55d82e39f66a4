/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the manifest down: config, layers lowest first. A blob is verified whole, by size and digest, before anything
 * reads it as more than bytes; a layer is unpacked on top of those below it, which it may refer to; everything lands in
 * the stage, and the commit makes an image of it.
 */
#include "image/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/internal.h"
#include "image/tree.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

/* One installation on its way. */
struct work {
	const struct install *job;
	struct stage *stage;
	struct manifest *m;
	struct image *image;
	struct str_list diffs;
	int *dirs;		/* of the layers' folders; filled from the end, so that the top-most comes first */
	int *held;		/* fds that keep the locks of partial blobs */
	size_t held_count;
};

static void work_done(struct work *w)
{
	for (size_t i = 0; w->dirs && i < w->m->layers.count; i++) {
		if (w->dirs[i] >= 0)
			(void)close(w->dirs[i]);
	}
	for (size_t i = 0; i < w->held_count; i++)
		(void)close(w->held[i]);
	free(w->dirs);
	free(w->held);
	if (w->m)
		manifest_free(w->m);
	(void)image_free(w->image);
	str_list_done(&w->diffs);
}

static void say(const struct install *job, const char *what, const char *digest, int64_t size)
{
	if (job->source->say)
		job->source->say(job->source->arg, what, digest, size);
}

static int blob_verify(int fd, const struct descriptor *d)
{
	char digest[DIGEST_TEXT];
	int64_t size;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at blob %s", d->digest);
	if (st.st_size != d->size)
		return fail_plain(EBADMSG, "blob %s has %lld bytes, not %lld", d->digest, (long long)st.st_size,
				  (long long)d->size);
	r = digest_fd(fd, d->digest, d->size, digest, &size);
	if (r < 0)
		return fail_in(r, "blob %s", d->digest);
	if (!str_eq(digest, d->digest))
		return fail_plain(EBADMSG, "blob %s is %s in truth", d->digest, digest);
	return 0;
}

static int work_hold(struct work *w, int fd)
{
	int *grown = realloc(w->held, (w->held_count + 1) * sizeof(*grown));

	if (!grown)
		return fail(ENOMEM, "install");
	w->held = grown;
	grown[w->held_count++] = fd;
	return 0;
}

/* Bring a blob and verify it, or find it. @ret_fd is held by @w. */
static int blob_need(struct work *w, const struct descriptor *d, int *ret_fd)
{
	cleanup_free char *from = NULL, *to = NULL;
	cleanup_fd int fd = -1;
	struct stat st;
	int r = blob_open(w->job->store, w->stage, d->digest, &fd);

	if (r == 0) {
		if (fstat(fd, &st) < 0 || st.st_size != d->size)
			return fail_plain(EBADMSG, "blob %s has %lld bytes, not %lld", d->digest,
					  (long long)st.st_size, (long long)d->size);
	} else if (r == BLOB_MISSING) {
		r = w->job->source->get(w->job->source->arg, w->stage, d, &fd, &from);
		if (r < 0)
			return r;
		r = blob_verify(fd, d);
		if (r < 0) {
			/* What is wrong must not be resumed. */
			(void)unlinkat(w->job->store->dir, from, 0);
			return r;
		}
		r = blob_path(d->digest, &to);
		if (r >= 0)
			r = stage_add(w->stage, from, to, false, false);
	}
	if (r >= 0)
		r = work_hold(w, fd);
	if (r >= 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int layer_record(int folder, const char *diff, const struct unpack_result *result)
{
	cleanup_free char *text = NULL;
	int r = str_format(&text, "{\"diff\":\"%s\",\"opaque\":%s,\"bytes\":%lld,\"inodes\":%lld}", diff,
			   result->opaque ? "true" : "false", (long long)result->bytes, (long long)result->inodes);

	/* Durable with all else at the commit. */
	return r < 0 ? r : stage_write(folder, "layer.json", text, strlen(text));
}

int layer_unpack(const struct stage *stage, const char *name, int fd, const char *diff, const int *lower,
		 size_t lower_count, const struct unpack_limits *limits, struct unpack_result *ret, int *ret_dir)
{
	cleanup_fd int folder = -1, dir = -1;
	int r;

	if (mkdirat(stage->dir, name, 0700) < 0)
		return fail(errno, "make a folder for a layer");
	folder = openat(stage->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return fail(errno, "open the folder of a layer");
	if (mkdirat(folder, "diff", 0755) < 0)
		return fail(errno, "make a folder for a layer");
	dir = fd_lift(openat(folder, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (dir < 0)
		return fail(errno, "open the folder of a layer");
	const struct unpack_job job = {
		.blob = fd,
		.target = dir,
		.lower = lower,
		.lower_count = lower_count,
		.user_xattr = stage->store->user_xattr,
		.diff = diff,
		.limits = *limits,
	};
	r = unpack_layer(&job, ret);
	if (r >= 0)
		r = layer_record(folder, ret->diff, ret);
	if (r >= 0)
		*ret_dir = steal_fd(&dir);
	return r;
}

struct layer_facts {
	bool opaque;
};

/* A layer that the store has unpacked already. Return: 0, LAYER_MISSING, or a recorded failure. */
enum { LAYER_MISSING = 1 };

static int layer_there(const struct store *store, const char *chain, int *ret_dir, bool *ret_opaque)
{
	static const struct json_field fields[] = {
		{ "opaque", json_get_bool, offsetof(struct layer_facts, opaque), JSON_REQUIRED, NULL, "" },
		{ 0 },
	};
	cleanup_free char *path = NULL, *record = NULL;
	struct layer_facts facts = { .opaque = false };
	cleanup_json json_t *v = NULL;
	int r = str_format(&path, "layers/%s/diff", chain), fd;

	if (r >= 0)
		r = str_format(&record, "layers/%s/layer.json", chain);
	if (r < 0)
		return r;
	if (faccessat(store->dir, record, F_OK, 0) < 0)
		return errno == ENOENT ? LAYER_MISSING : fail(errno, "look at '%s/%s'", store->path, record);
	r = json_read_at(store->dir, record, NULL, &v);
	if (r >= 0)
		r = json_object_read(&JSON_ROOT, v, fields, 0, &facts);
	if (r < 0)
		return fail_in(r, "'%s'", store->path);
	fd = fd_lift(openat(store->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	if (fd < 0)
		return fail(errno, "open '%s/%s'", store->path, path);
	*ret_dir = fd;
	*ret_opaque = facts.opaque;
	return 0;
}

static int layer_stage(struct work *w, size_t i, const char *chain, int blob, int *ret_dir, bool *ret_opaque)
{
	const size_t count = w->m->layers.count;
	const struct descriptor *d = &w->m->layers.items[i];
	cleanup_free char *name = NULL, *from = NULL, *to = NULL;
	struct unpack_result result;
	int r = str_format(&name, "layer-%zu", i);

	if (r >= 0)
		r = str_format(&from, "%s/%s", w->stage->path, name);
	if (r >= 0)
		r = str_format(&to, "layers/%s", chain);
	if (r < 0)
		return r;
	say(w->job, "unpacking", d->digest, d->size);
	r = layer_unpack(w->stage, name, blob, w->diffs.items[i], &w->dirs[count - i], i, &w->job->limits, &result,
			 ret_dir);
	if (r < 0)
		return r;
	*ret_opaque = result.opaque;
	return stage_add(w->stage, from, to, true, false);
}

static int layer_install(struct work *w, size_t i)
{
	const size_t count = w->m->layers.count;
	const struct descriptor *d = &w->m->layers.items[i];
	struct image_layer *layer = &w->image->layers[i];
	int blob = -1, said = media_packing(d->media_type), is, r;
	bool opaque = false;

	r = said < 0 ? said : blob_need(w, d, &blob);
	if (r < 0)
		return r;
	is = packing_of(blob);
	if (is != said)
		return is < 0 ? is : fail_plain(EBADMSG, "it is not packed as its media type '%s' says", d->media_type);
	layer->size = d->size;
	w->image->size += d->size;
	r = chain_next(i > 0 ? w->image->layers[i - 1].chain : NULL, w->diffs.items[i], &layer->chain);
	if (r >= 0)
		r = str_copy(&layer->diff, w->diffs.items[i]);
	if (r >= 0)
		r = str_copy(&layer->blob, d->digest);
	if (r >= 0)
		r = layer_there(w->job->store, layer->chain, &w->dirs[count - 1 - i], &opaque);
	if (r == LAYER_MISSING)
		r = layer_stage(w, i, layer->chain, blob, &w->dirs[count - 1 - i], &opaque);
	if (r >= 0 && opaque)
		w->image->base = (int64_t)i;
	return r;
}

static int config_install(struct work *w)
{
	cleanup_free char *text = NULL;
	size_t size;
	int fd, r = blob_need(w, &w->m->config, &fd);

	if (r < 0)
		return fail_in(r, "image config");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(errno, "read the image config");
	r = fd_read_all(fd, CONFIG_MAX, &text, &size);
	if (r < 0)
		return fail(-r, "read the image config");
	return config_diffs(text, size, w->m->layers.count, &w->diffs);
}

static int work_prepare(struct work *w, const char *digest)
{
	const struct install *job = w->job;
	size_t count;
	int r = manifest_parse(job->manifest, job->manifest_size, job->media_type, &w->m);

	if (r < 0)
		return r;
	if (w->m->kind != MANIFEST_IMAGE)
		return fail_plain(EINVAL, "an index of images where an image was expected");
	count = w->m->layers.count;
	w->dirs = malloc(count * sizeof(*w->dirs));
	w->image = calloc(1, sizeof(*w->image));
	if (w->image)
		w->image->layers = calloc(count, sizeof(*w->image->layers));
	if (!w->dirs || !w->image || !w->image->layers)
		return fail(ENOMEM, "install");
	for (size_t i = 0; i < count; i++)
		w->dirs[i] = -1;
	w->image->layer_count = count;
	w->image->added = time(NULL);
	r = str_copy(&w->image->manifest, digest);
	if (r >= 0)
		r = str_copy(&w->image->media_type, w->m->media_type);
	return r < 0 ? r : str_copy(&w->image->config, w->m->config.digest);
}

static int work_run(struct work *w, const char *digest)
{
	cleanup_free char *path = NULL;
	int r = work_prepare(w, digest);

	if (r >= 0)
		r = config_install(w);
	for (size_t i = 0; r >= 0 && i < w->m->layers.count; i++) {
		r = layer_install(w, i);
		if (r < 0)
			r = fail_in(r, "layer %zu of %zu", i + 1, w->m->layers.count);
	}
	if (r >= 0)
		r = blob_path(digest, &path);
	if (r >= 0)
		r = stage_file(w->stage, path, w->job->manifest, w->job->manifest_size, false);
	return r < 0 ? r : stage_record(w->stage, w->image);
}

int image_install(const struct install *job, struct stage *stage, char ret[DIGEST_TEXT])
{
	struct work w = { .job = job, .stage = stage };
	cleanup_image struct image *known = NULL;
	int r = digest_of(job->manifest, job->manifest_size, ret);

	if (r >= 0)
		r = image_load(job->store, ret, &known);
	if (r == IMAGE_NOT_FOUND)
		r = work_run(&w, ret);
	for (size_t i = 0; i < job->name_count && r >= 0; i++)
		r = stage_name(stage, &job->names[i], ret);
	/* The locks of the blobs are held until they are in their place. */
	if (r >= 0)
		r = stage_commit(stage);
	work_done(&w);
	return r;
}
