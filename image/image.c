/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of images and their names, read. A record is one small JSON file that was written last, when all that it
 * names was whole; a name is a file whose one line is the digest of a manifest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/internal.h"
#include "image/reference.h"
#include "image/store.h"
#include "runtime/base/fd.h"
#include "runtime/base/json.h"

enum { ID_SHORTEST = 4 };

#define FIELD(name, get, member, flags) { name, get, offsetof(struct image, member), flags, NULL, "" }
#define LAYER(name, get, member) { name, get, offsetof(struct image_layer, member), JSON_REQUIRED, NULL, "" }

static const struct json_field layer_fields[] = {
	LAYER("chain", json_get_string, chain),
	LAYER("diff", json_get_string, diff),
	LAYER("blob", json_get_string, blob),
	LAYER("size", json_get_int, size),
	{ 0 },
};

static const struct json_items layer_items = { sizeof(struct image_layer), layer_fields, NULL, 0 };

static const struct json_field image_fields[] = {
	FIELD("manifest", json_get_string, manifest, JSON_REQUIRED),
	FIELD("mediaType", json_get_string, media_type, JSON_REQUIRED),
	FIELD("config", json_get_string, config, JSON_REQUIRED),
	{ "layers", json_get_array, offsetof(struct image, layers), JSON_REQUIRED, &layer_items, "" },
	FIELD("base", json_get_int, base, JSON_REQUIRED),
	FIELD("size", json_get_int, size, JSON_REQUIRED),
	FIELD("added", json_get_int, added, JSON_REQUIRED),
	{ 0 },
};

struct image *image_free(struct image *image)
{
	if (!image)
		return NULL;
	for (size_t i = 0; i < image->layer_count; i++) {
		free(image->layers[i].chain);
		free(image->layers[i].diff);
		free(image->layers[i].blob);
	}
	free(image->layers);
	free(image->manifest);
	free(image->config);
	free(image->media_type);
	free(image);
	return NULL;
}

static int image_check(const struct image *image)
{
	if (!digest_is_valid(image->manifest) || !digest_is_valid(image->config))
		return fail_plain(EINVAL, "a digest that is none");
	if (image->base < 0 || (uint64_t)image->base >= image->layer_count)
		return fail_plain(EINVAL, "base: out of range");
	for (size_t i = 0; i < image->layer_count; i++) {
		const struct image_layer *layer = &image->layers[i];

		if (strlen(layer->chain) != DIGEST_HEX || !digest_is_hex(layer->chain) ||
		    !digest_is_valid(layer->diff) || !digest_is_valid(layer->blob))
			return fail_plain(EINVAL, "layers[%zu]: a digest that is none", i);
	}
	return 0;
}

int image_load(const struct store *store, const char *digest, struct image **ret)
{
	cleanup_image struct image *image = calloc(1, sizeof(*image));
	cleanup_free char *path = NULL;
	cleanup_json json_t *v = NULL;
	int r;

	if (!image)
		return fail(ENOMEM, "image");
	r = image_record(store, digest, &path);
	if (r != 0)
		return r;
	r = json_read_at(store->dir, path, NULL, &v);
	if (r >= 0)
		r = json_object_read(&JSON_ROOT, v, image_fields, 0, image);
	if (r >= 0)
		r = image_check(image);
	if (r < 0)
		return fail_in(r, "record of an image in '%s'", store->path);
	*ret = steal_ptr(&image);
	return 0;
}

/* Return: 0 with @ret, IMAGE_NOT_FOUND, or a recorded failure. */
static int name_read(const struct store *store, const char *path, char **ret_digest)
{
	cleanup_free char *text = NULL;
	int r;

	if (faccessat(store->dir, path, F_OK, 0) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return IMAGE_NOT_FOUND;
	r = fd_read_file(store->dir, path, &text);
	if (r < 0)
		return r;
	text[strcspn(text, "\n")] = '\0';
	if (!digest_is_valid(text))
		return fail_plain(EINVAL, "'%s/%s': not a digest", store->path, path);
	*ret_digest = steal_ptr(&text);
	return 0;
}

static int image_find_named(const struct store *store, const struct reference *ref, struct image **ret,
			    char **ret_name)
{
	cleanup_free char *folder = NULL, *path = NULL, *digest = NULL, *name = NULL;
	cleanup_image struct image *image = NULL;
	int r = ref_path(ref, &folder, &path);

	if (r >= 0)
		r = name_read(store, path, &digest);
	if (r == IMAGE_NOT_FOUND && ref->digest)
		return image_load(store, ref->digest, ret);
	if (r != 0)
		return r;
	r = image_load(store, digest, &image);
	if (r == 0)
		r = reference_text(ref, &name);
	if (r != 0)
		return r;
	*ret = steal_ptr(&image);
	if (ret_name)
		*ret_name = steal_ptr(&name);
	return 0;
}

/* By the beginning of the config's digest, or of the manifest's. */
static int image_find_id(const struct store *store, const char *id, struct image **ret)
{
	struct str_list all = { .items = NULL };
	cleanup_image struct image *found = NULL;
	size_t len = strlen(id);
	int r = image_list(store, &all);

	for (size_t i = 0; i < all.count && r >= 0; i++) {
		cleanup_image struct image *image = NULL;

		r = image_load(store, all.items[i], &image);
		if (r != 0)
			continue;
		if (strncmp(strchr(image->config, ':') + 1, id, len) != 0 &&
		    strncmp(strchr(image->manifest, ':') + 1, id, len) != 0)
			continue;
		if (found && !str_eq(found->config, image->config)) {
			r = fail_plain(EINVAL, "id '%s' fits several images: give more of it", id);
			continue;
		}
		if (!found)
			found = steal_ptr(&image);
	}
	str_list_done(&all);
	if (r < 0)
		return r;
	if (!found)
		return IMAGE_NOT_FOUND;
	*ret = steal_ptr(&found);
	return 0;
}

int image_find(const struct store *store, const char *name, struct image **ret, char **ret_name)
{
	cleanup_reference struct reference ref = { .registry = NULL };
	const char *id = str_starts(name, "sha256:");
	int r;

	if (ret_name)
		*ret_name = NULL;
	if (id) {
		if (strlen(id) > DIGEST_HEX || !digest_is_hex(id) || strlen(id) < ID_SHORTEST)
			return fail_plain(EINVAL, "image '%.100s': not a digest", name);
		return image_find_id(store, id, ret);
	}
	r = reference_parse(name, REFERENCE_LOCAL_REGISTRY, &ref);
	if (r >= 0)
		r = image_find_named(store, &ref, ret, ret_name);
	if (r == IMAGE_NOT_FOUND && ref.short_name) {
		reference_done(&ref);
		r = reference_parse(name, store->registry, &ref);
		if (r >= 0)
			r = image_find_named(store, &ref, ret, ret_name);
	}
	if (r == IMAGE_NOT_FOUND && strlen(name) >= ID_SHORTEST && digest_is_hex(name))
		return image_find_id(store, name, ret);
	return r;
}

int image_layers(const struct store *store, const struct image *image, struct str_list *ret)
{
	struct str_list layers = { .items = NULL };

	for (size_t i = (size_t)image->base; i < image->layer_count; i++) {
		int r = str_list_addf(&layers, "%s/layers/%s/diff", store->path, image->layers[i].chain);

		if (r < 0) {
			str_list_done(&layers);
			return r;
		}
	}
	*ret = layers;
	return 0;
}

int image_erofs(const struct store *store, const struct image *image, char **ret_path)
{
	cleanup_free char *path = NULL;
	int r = str_format(&path, "erofs/%s/image", image->layers[image->layer_count - 1].chain);

	if (r < 0)
		return r;
	if (faccessat(store->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? EROFS_MISSING : fail(errno, "look at '%s/%s'", store->path, path);
	return ret_path ? str_format(ret_path, "%s/%s", store->path, path) : 0;
}

int image_config(const struct store *store, const struct image *image, json_t **ret)
{
	cleanup_free char *path = NULL;
	cleanup_json json_t *v = NULL;
	int r = blob_path(image->config, &path);

	if (r >= 0)
		r = json_read_at(store->dir, path, "image config", &v);
	if (r < 0)
		return r;
	if (!json_is_object(v))
		return fail_plain(EINVAL, "image config: not an object");
	*ret = steal_ptr(&v);
	return 0;
}

int image_list(const struct store *store, struct str_list *ret)
{
	struct str_list files = { .items = NULL }, all = { .items = NULL };
	int r = folder_read(store->dir, "images", &files);

	for (size_t i = 0; i < files.count && r >= 0; i++) {
		const char *hex = files.items[i];

		if (digest_is_hex(hex) && strlen(hex) == DIGEST_HEX)
			r = str_list_addf(&all, "sha256:%s", hex);
		else if (digest_is_hex(hex) && strlen(hex) == 2 * DIGEST_HEX)
			r = str_list_addf(&all, "sha512:%s", hex);
	}
	str_list_done(&files);
	if (r < 0) {
		str_list_done(&all);
		return r;
	}
	*ret = all;
	return 0;
}

static int name_add(const struct store *store, const char *folder, const char *file, struct image_name **names,
		    size_t *count)
{
	cleanup_free char *path = NULL, *digest = NULL, *name = NULL;
	struct image_name *grown;
	int r = str_format(&path, "refs/%s/%s", folder, file);

	if (r >= 0)
		r = name_read(store, path, &digest);
	if (r >= 0 && digest)
		r = str_format(&name, "%s%c%s", folder, strchr(file, ':') ? '@' : ':', file);
	if (r < 0 || !digest)
		return r < 0 ? r : 0;
	for (char *c = name; c < name + strlen(folder); c++) {
		if (*c == '+')
			*c = '/';
	}
	grown = realloc(*names, (*count + 1) * sizeof(*grown));
	if (!grown)
		return fail(ENOMEM, "names of images");
	*names = grown;
	grown[(*count)++] = (struct image_name){ .name = steal_ptr(&name), .manifest = steal_ptr(&digest) };
	return 0;
}

int image_names(const struct store *store, struct image_name **ret, size_t *ret_count)
{
	struct str_list folders = { .items = NULL };
	struct image_name *names = NULL;
	size_t count = 0;
	int r = folder_read(store->dir, "refs", &folders);

	for (size_t i = 0; i < folders.count && r >= 0; i++) {
		struct str_list files = { .items = NULL };
		cleanup_free char *path = NULL;

		r = str_format(&path, "refs/%s", folders.items[i]);
		if (r >= 0)
			r = folder_read(store->dir, path, &files);
		for (size_t j = 0; j < files.count && r >= 0; j++)
			r = name_add(store, folders.items[i], files.items[j], &names, &count);
		str_list_done(&files);
	}
	str_list_done(&folders);
	if (r < 0) {
		image_names_free(names, count);
		return r;
	}
	*ret = names;
	*ret_count = count;
	return 0;
}

void image_names_free(struct image_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(names[i].name);
		free(names[i].manifest);
	}
	free(names);
}
