/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image out of a tar or a folder: one layer, a config, a manifest; or of an image and one layer more. Nothing in them depends on when or where it was
 * made, so that the same files always make the same image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/install.h"
#include "image/internal.h"
#include "image/load-internal.h"
#include "image/load.h"
#include "image/pack.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

/* The two blobs, in the stage. */
struct import {
	const struct load *load;
	int layer;
	char *layer_path, *config_text;
	const struct image *base;	/* NULL: none */
	char layer_digest[DIGEST_TEXT], config_digest[DIGEST_TEXT];
};

static int blob_file(const struct stage *stage, const char *name, int *ret_fd, char **ret_path)
{
	cleanup_fd int fd = fd_lift(openat(stage->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	int r;

	if (fd < 0)
		return fail(errno, "make a file in '%s'", stage->store->path);
	r = str_format(ret_path, "%s/%s", stage->path, name);
	if (r >= 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int import_get(void *arg, struct stage *stage, const struct descriptor *d, int *ret_fd, char **ret_path)
{
	struct import *im = arg;
	int r;

	if (!str_eq(d->digest, im->config_digest)) {
		*ret_fd = steal_fd(&im->layer);
		*ret_path = steal_ptr(&im->layer_path);
		return 0;
	}
	r = blob_file(stage, "config", ret_fd, ret_path);
	if (r < 0)
		return r;
	r = fd_write_all(*ret_fd, im->config_text, strlen(im->config_text));
	if (r < 0) {
		(void)close(*ret_fd);
		return fail(-r, "write to '%s'", stage->store->path);
	}
	return 0;
}

static int layer_collect(struct import *im, const struct stage *stage, int fd)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(errno, "look at what to import");
	r = blob_file(stage, "layer", &im->layer, &im->layer_path);
	if (r < 0)
		return r;
	if (im->base && !S_ISDIR(st.st_mode))
		return fail_plain(ENOTDIR, "the changes must be a folder, the upper of an overlay");
	if (S_ISDIR(st.st_mode)) {
		const struct pack pack = { .dirs = &fd, .count = 1, .changes = im->base };

		return pack_write(&pack, im->layer);
	}
	return stream_copy(fd, im->layer, im->load->limits.bytes);
}

static int config_make(struct import *im, const char *diff, json_t *config)
{
	struct platform p = { .os = NULL };
	cleanup_json json_t *v = NULL;
	int r = platform_parse(NULL, &p);

	if (r < 0)
		return r;
	v = json_pack("{ss ss sO s{ss s[s]} s[{ss}]}", "architecture", p.architecture, "os", p.os, "config", config,
		      "rootfs", "type", "layers", "diff_ids", diff, "history", "created_by", "nacelle-image import");
	im->config_text = v ? json_text(v) : NULL;
	platform_done(&p);
	return im->config_text ? digest_of(im->config_text, strlen(im->config_text), im->config_digest) :
				 fail(ENOMEM, "image config");
}

/* "NAME=value" over what has the same name. */
static int env_lay_over(json_t *env, json_t *over)
{
	json_t *item, *old;
	size_t i, k;

	json_array_foreach(over, i, item) {
		const char *text = json_string_value(item);
		size_t n = text ? strcspn(text, "=") + 1 : 0;
		bool replaced = false;

		json_array_foreach(env, k, old) {
			const char *other = json_string_value(old);

			if (!replaced && text && other && strncmp(text, other, n) == 0)
				replaced = json_array_set(env, k, item) == 0;
		}
		if (!replaced && json_array_append(env, item) < 0)
			return fail(ENOMEM, "image config");
	}
	return 0;
}

static int changes_lay_over(json_t *config, json_t *changes)
{
	json_t *over = json_object_get(changes, "Env");
	cleanup_json json_t *env = json_incref(json_object_get(config, "Env"));
	int r = json_lay_over(config, changes);

	if (r < 0 || !over || !json_is_array(env))
		return r;
	r = env_lay_over(env, over);
	return r == 0 && json_object_set(config, "Env", env) < 0 ? fail(ENOMEM, "image config") : r;
}

/* The member of @object, made by @make where it is missing or of no use. */
static json_t *part(json_t *object, const char *key, json_t *(*make)(void))
{
	json_t *v = json_object_get(object, key), *fresh = make();

	if (v && fresh && json_typeof(v) == json_typeof(fresh)) {
		json_decref(fresh);
		return v;
	}
	return json_object_set_new(object, key, fresh) < 0 ? NULL : fresh;
}

static int config_of_base(struct import *im, const char *diff, json_t *changes)
{
	cleanup_json json_t *v = NULL;
	json_t *config, *history, *diffs;
	int r = image_config(im->load->store, im->base, &v);

	if (r < 0)
		return r;
	config = part(v, "config", json_object);
	history = part(v, "history", json_array);
	diffs = part(part(v, "rootfs", json_object), "diff_ids", json_array);
	if (!config || !history || !diffs || json_array_append_new(diffs, json_string(diff)) < 0 ||
	    json_array_append_new(history, json_pack("{ss}", "created_by", "nacelle commit")) < 0)
		return fail(ENOMEM, "image config");
	r = changes_lay_over(config, changes);
	im->config_text = r == 0 ? json_text(v) : NULL;
	if (r < 0)
		return r;
	return im->config_text ? digest_of(im->config_text, strlen(im->config_text), im->config_digest) :
				 fail(ENOMEM, "image config");
}

static int manifest_of_base(struct import *im, int64_t size, char **ret_text)
{
	const char *media = im->base->media_type && str_starts(im->base->media_type, "application/vnd.docker.") ?
			    MEDIA_DOCKER_LAYER : MEDIA_OCI_LAYER;
	cleanup_free char *path = NULL;
	cleanup_json json_t *v = NULL;
	json_t *config, *layers;
	int r = blob_path(im->base->manifest, &path);

	if (r >= 0)
		r = json_read_at(im->load->store->dir, path, "manifest", &v);
	if (r < 0)
		return r;
	(void)json_object_del(v, "annotations");
	config = part(v, "config", json_object);
	layers = part(v, "layers", json_array);
	if (!config || !layers || json_object_set_new(config, "digest", json_string(im->config_digest)) < 0 ||
	    json_object_set_new(config, "size", json_integer((json_int_t)strlen(im->config_text))) < 0 ||
	    json_array_append_new(layers, json_pack("{ss ss sI}", "mediaType", media, "digest", im->layer_digest, "size",
						    (json_int_t)size)) < 0)
		return fail(ENOMEM, "manifest");
	*ret_text = json_text(v);
	return *ret_text ? 0 : fail(ENOMEM, "manifest");
}

static int manifest_make(struct import *im, int packing, int64_t size, char **ret_text)
{
	const char *const media[] = {
		[PACKING_NONE] = MEDIA_OCI_LAYER,
		[PACKING_GZIP] = MEDIA_OCI_LAYER "+gzip",
		[PACKING_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	};
	cleanup_json json_t *v =
		json_pack("{si ss s{ss ss sI} s[{ss ss sI}]}", "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST,
			  "config", "mediaType", MEDIA_OCI_CONFIG, "digest", im->config_digest, "size",
			  (json_int_t)strlen(im->config_text), "layers", "mediaType", media[packing], "digest",
			  im->layer_digest, "size", (json_int_t)size);

	*ret_text = v ? json_text(v) : NULL;
	return *ret_text ? 0 : fail(ENOMEM, "manifest");
}

/* What the tar is without its packing. */
static int diff_find(const struct import *im, int packing, char ret[DIGEST_TEXT])
{
	const struct unpack_job job = { .blob = im->layer, .target = -1, .limits = im->load->limits };
	struct unpack_result result;
	int r;

	if (packing == PACKING_NONE) {
		memcpy(ret, im->layer_digest, DIGEST_TEXT);
		return 0;
	}
	r = unpack_layer(&job, &result);
	if (r >= 0)
		memcpy(ret, result.diff, DIGEST_TEXT);
	return r;
}

static int import_run(struct import *im, struct stage *stage, int fd, json_t *config, char ret[DIGEST_TEXT])
{
	const struct blob_source source = { .get = import_get, .arg = im };
	cleanup_free char *manifest = NULL;
	char diff[DIGEST_TEXT];
	int64_t size;
	int r = layer_collect(im, stage, fd), packing;

	if (r >= 0)
		r = digest_fd(im->layer, NULL, INT64_MAX, im->layer_digest, &size);
	if (r >= 0)
		r = packing = packing_of(im->layer);
	if (r >= 0)
		r = diff_find(im, packing, diff);
	if (r >= 0)
		r = im->base ? config_of_base(im, diff, config) : config_make(im, diff, config);
	if (r >= 0)
		r = im->base ? manifest_of_base(im, size, &manifest) : manifest_make(im, packing, size, &manifest);
	if (r < 0)
		return r;
	const struct install job = {
		.store = im->load->store,
		.source = &source,
		.manifest = manifest,
		.manifest_size = strlen(manifest),
		.names = im->load->name,
		.name_count = im->load->name ? 1 : 0,
		.limits = im->load->limits,
	};
	return image_install(&job, stage, ret);
}

static int make(const struct load *load, const struct image *base, int fd, json_t *config, char ret[DIGEST_TEXT])
{
	struct import im = { .load = load, .base = base, .layer = -1 };
	cleanup_json json_t *none = config ? NULL : json_object();
	cleanup_stage struct stage *stage = NULL;
	int r = stage_new(load->store, &stage);

	if (r >= 0)
		r = import_run(&im, stage, fd, config ? config : none, ret);
	if (im.layer >= 0)
		(void)close(im.layer);
	free(im.layer_path);
	free(im.config_text);
	return r;
}

int image_import(const struct load *load, int fd, json_t *config, char ret[DIGEST_TEXT])
{
	return make(load, NULL, fd, config, ret);
}

int image_commit(const struct load *load, const struct image *base, int fd, json_t *changes, char ret[DIGEST_TEXT])
{
	return make(load, base, fd, changes, ret);
}
