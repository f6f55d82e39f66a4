/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image out of a tar or a folder: one layer, a config, a manifest. Nothing in them depends on when or where it was
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
	if (S_ISDIR(st.st_mode)) {
		const struct pack pack = { .dirs = &fd, .count = 1 };

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
		r = config_make(im, diff, config);
	if (r >= 0)
		r = manifest_make(im, packing, size, &manifest);
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

int image_import(const struct load *load, int fd, json_t *config, char ret[DIGEST_TEXT])
{
	struct import im = { .load = load, .layer = -1 };
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
