/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `docker save` writes: manifest.json lists images as a config's file, names, and files of layers. It has no
 * digests, so an OCI manifest is made: from the same archive always the same one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/digest.h"
#include "image/install.h"
#include "image/internal.h"
#include "image/load-internal.h"
#include "image/unpack.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

struct docker_image {
	char *config;
	struct str_list names, layers;
};

static const struct json_field image_fields[] = {
	{ "Config", json_get_string, offsetof(struct docker_image, config), JSON_REQUIRED | JSON_NOT_EMPTY, NULL, "" },
	{ "RepoTags", json_get_strings, offsetof(struct docker_image, names), JSON_OPTIONAL, NULL, "" },
	{ "Layers", json_get_strings, offsetof(struct docker_image, layers), JSON_REQUIRED, NULL, "" },
	{ 0 },
};

/* Files of the archive by digest, as they are found out. */
struct docker_blobs {
	const struct load *load;
	int dir;
	struct str_list digests, paths;
};

static int docker_get(void *arg, struct stage *stage, const struct descriptor *d, int *ret_fd, char **ret_path)
{
	const struct docker_blobs *b = arg;

	for (size_t i = 0; i < b->digests.count; i++) {
		cleanup_fd int from = -1;

		if (!str_eq(b->digests.items[i], d->digest))
			continue;
		from = file_open(b->dir, b->paths.items[i]);
		return from < 0 ? from : file_stage(stage, from, d, ret_fd, ret_path);
	}
	return fail_plain(ENOENT, "blob %s is not in the archive", d->digest);
}

static void docker_say(void *arg, const char *what, const char *digest, int64_t size)
{
	const struct docker_blobs *b = arg;

	if (b->load->say)
		b->load->say(b->load->arg, what, digest, size);
}

static const char *layer_media(int packing)
{
	switch (packing) {
	case PACKING_GZIP: return MEDIA_OCI_LAYER "+gzip";
	case PACKING_ZSTD: return MEDIA_OCI_LAYER "+zstd";
	default: return MEDIA_OCI_LAYER;
	}
}

/* One file as a descriptor; @media NULL: a layer, whose packing decides. */
static int file_describe(struct docker_blobs *b, const char *path, const char *media, json_t **ret)
{
	cleanup_fd int fd = file_open(b->dir, path);
	char digest[DIGEST_TEXT];
	int64_t size;
	int r = fd;

	if (r >= 0)
		r = digest_fd(fd, NULL, b->load->limits.bytes, digest, &size);
	if (r >= 0 && !media) {
		r = packing_of(fd);
		if (r >= 0)
			media = layer_media(r);
	}
	if (r >= 0)
		r = str_list_add(&b->digests, digest);
	if (r >= 0)
		r = str_list_add(&b->paths, path);
	if (r < 0)
		return r;
	*ret = json_pack("{ss ss sI}", "mediaType", media, "digest", digest, "size", (json_int_t)size);
	return *ret ? 0 : fail(ENOMEM, "manifest");
}

static int manifest_make(struct docker_blobs *b, const struct docker_image *image, char **ret_text)
{
	cleanup_json json_t *layers = json_array(), *config = NULL, *v = NULL;
	int r = image->layers.count > LAYERS_MAX ?
			fail_plain(E2BIG, "%zu layers are more than %d", image->layers.count, LAYERS_MAX) :
			file_describe(b, image->config, MEDIA_OCI_CONFIG, &config);

	for (size_t i = 0; i < image->layers.count && r >= 0; i++) {
		json_t *layer = NULL;

		r = file_describe(b, image->layers.items[i], NULL, &layer);
		if (r >= 0 && json_array_append_new(layers, layer) < 0)
			r = fail(ENOMEM, "manifest");
	}
	if (r < 0)
		return r;
	v = json_pack("{si ss sO sO}", "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST, "config", config, "layers",
		      layers);
	*ret_text = v ? json_text(v) : NULL;
	return *ret_text ? 0 : fail(ENOMEM, "manifest");
}

static int names_parse(const struct load *load, const struct docker_image *image, struct reference *refs,
		       size_t *ret_count)
{
	for (size_t i = 0; i < image->names.count; i++) {
		int r = reference_parse(image->names.items[i], load->store->registry, &refs[i]);

		if (r < 0)
			return r;
		*ret_count = i + 1;
	}
	return 0;
}

static int install_named(struct docker_blobs *b, const char *text, const struct reference *names,
			 size_t count, struct str_list *ret)
{
	const struct blob_source source = { .get = docker_get, .say = docker_say, .arg = b };
	const struct install job = {
		.store = b->load->store,
		.source = &source,
		.manifest = text,
		.manifest_size = strlen(text),
		.names = names,
		.name_count = count,
		.limits = b->load->limits,
	};
	cleanup_stage struct stage *stage = NULL;
	char digest[DIGEST_TEXT];
	int r = stage_new(b->load->store, &stage);

	if (r >= 0)
		r = image_install(&job, stage, digest);
	if (r >= 0 && count == 0)
		r = result_add(ret, digest, NULL);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = result_add(ret, digest, &names[i]);
	return r;
}

static int docker_image_load(struct docker_blobs *b, const struct docker_image *image, struct str_list *ret)
{
	struct reference *refs = calloc(image->names.count + 1, sizeof(*refs));
	cleanup_free char *text = NULL;
	size_t count = 0;
	int r = refs ? manifest_make(b, image, &text) : fail(ENOMEM, "names of images");

	if (r >= 0 && !b->load->name)
		r = names_parse(b->load, image, refs, &count);
	if (r >= 0)
		r = install_named(b, text, b->load->name ? b->load->name : refs, b->load->name ? 1 : count, ret);
	for (size_t i = 0; i < count; i++)
		reference_done(&refs[i]);
	free(refs);
	return r;
}

int docker_load(const struct load *load, int dir, struct str_list *ret)
{
	struct docker_blobs b = { .load = load, .dir = dir };
	cleanup_free char *text = NULL;
	cleanup_json json_t *v = NULL;
	json_t *element;
	size_t size, index;
	int r = file_text(dir, "manifest.json", MANIFEST_MAX, &text, &size);

	if (r >= 0)
		r = json_parse("manifest.json", text, size, &v);
	if (r < 0)
		return r;
	if (!json_is_array(v) || json_array_size(v) == 0)
		return fail_plain(EINVAL, "manifest.json: not a list of images");
	if (load->name && json_array_size(v) > 1)
		return fail_plain(EINVAL, "one name for %zu images", json_array_size(v));
	json_array_foreach(v, index, element) {
		const struct json_at at = { .up = &JSON_ROOT, .key = NULL, .index = index };
		struct docker_image image = { .config = NULL };

		if (r >= 0)
			r = json_object_read(&at, element, image_fields, 0, &image);
		if (r >= 0)
			r = docker_image_load(&b, &image, ret);
		free(image.config);
		str_list_done(&image.names);
		str_list_done(&image.layers);
	}
	str_list_done(&b.digests);
	str_list_done(&b.paths);
	return r;
}
