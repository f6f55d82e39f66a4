/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCI's layout: oci-layout, index.json, blobs/ALGORITHM/HEX. The index names manifests, by tag or by platform, and may
 * name further indexes, which are followed a few levels deep.
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
#include "runtime/base/error.h"
#include "runtime/base/json.h"

#define REF_NAME       "org.opencontainers.image.ref.name"
#define CONTAINERD_NAME "io.containerd.image.name"

enum { NESTED_MAX = 4 };

struct layout {
	const struct load *load;
	int dir;
};

static int layout_get(void *arg, struct stage *stage, const struct descriptor *d, int *ret_fd, char **ret_path)
{
	const struct layout *l = arg;
	cleanup_free char *path = NULL;
	cleanup_fd int from = -1;
	int r = blob_path(d->digest, &path);

	if (r >= 0)
		r = from = file_open(l->dir, path);
	return r < 0 ? r : file_stage(stage, from, d, ret_fd, ret_path);
}

static void layout_say(void *arg, const char *what, const char *digest, int64_t size)
{
	const struct layout *l = arg;

	if (l->load->say)
		l->load->say(l->load->arg, what, digest, size);
}

static const char *descriptor_name(const struct descriptor *d)
{
	const char *name = str_env_find(&d->annotations, CONTAINERD_NAME);

	return name ? name : str_env_find(&d->annotations, REF_NAME);
}

static int tag_missing(const struct manifest *index, const char *tag)
{
	cleanup_free char *all = NULL;
	char shown[STR_QUOTE_SIZE];
	int r = 0;

	for (size_t i = 0; i < index->manifests.count && i < 20 && r >= 0; i++) {
		const char *name = descriptor_name(&index->manifests.items[i]);
		char *was = all;

		all = NULL;
		r = str_format(&all, "%s%s%s", was ? was : "", was ? " " : "", name ? name : "(no name)");
		free(was);
	}
	if (r < 0)
		return r;
	str_quote(shown, all ? all : "");
	if (tag)
		return fail_plain(ENOENT, "no image '%s' in the layout, there are: %s", tag, shown);
	return fail_plain(EINVAL, "the layout has several images, add :TAG; there are: %s", shown);
}

static int index_pick(const struct load *load, const struct manifest *index, const char *tag,
		      const struct descriptor **ret)
{
	const struct descriptor *found = NULL;

	if (!tag && index->manifests.count == 1) {
		*ret = &index->manifests.items[0];
		return 0;
	}
	if (!tag && manifest_choose(index, load->platform, ret) >= 0)
		return 0;
	for (size_t i = 0; tag && i < index->manifests.count; i++) {
		const struct descriptor *d = &index->manifests.items[i];
		const char *name = descriptor_name(d);

		if (!name || !str_eq(name, tag))
			continue;
		if (found && !str_eq(found->digest, d->digest))
			return fail_plain(EINVAL, "the layout has two images '%s'", tag);
		found = d;
	}
	if (!found)
		return tag_missing(index, tag);
	*ret = found;
	return 0;
}

/* The bytes of a manifest that the index names, verified. */
static int manifest_read(const struct layout *l, const struct descriptor *d, char **ret_text, size_t *ret_size)
{
	cleanup_free char *path = NULL, *text = NULL;
	cleanup_fd int fd = -1;
	char digest[DIGEST_TEXT];
	int64_t size;
	int r = blob_path(d->digest, &path);

	if (r >= 0)
		r = fd = file_open(l->dir, path);
	if (r >= 0)
		r = digest_fd(fd, d->digest, MANIFEST_MAX, digest, &size);
	if (r >= 0 && (!str_eq(digest, d->digest) || size != d->size))
		r = fail_plain(EBADMSG, "manifest %s has another digest or size", d->digest);
	if (r >= 0)
		r = file_text(l->dir, path, MANIFEST_MAX, &text, ret_size);
	/* It may have changed between the two. */
	if (r >= 0 && str_starts(d->digest, "sha256:"))
		r = digest_of(text, *ret_size, digest);
	if (r >= 0 && !str_eq(digest, d->digest))
		r = fail_plain(EBADMSG, "manifest %s changes while it is read", d->digest);
	if (r >= 0)
		*ret_text = steal_ptr(&text);
	return r;
}

static int manifest_find(const struct layout *l, struct manifest *index, const char *tag, char **ret_text,
			 size_t *ret_size, char **ret_media, char **ret_name)
{
	cleanup_manifest struct manifest *nested = NULL;
	int r = 0;

	for (int depth = 0; depth < NESTED_MAX; depth++) {
		cleanup_manifest struct manifest *m = NULL;
		cleanup_free char *text = NULL;
		const struct descriptor *d;
		const char *name;
		size_t size;

		r = index_pick(l->load, nested ? nested : index, depth == 0 ? tag : NULL, &d);
		if (r < 0)
			return r;
		name = depth == 0 ? descriptor_name(d) : NULL;
		if (name && str_copy(ret_name, name) < 0)
			return -ENOMEM;
		r = manifest_read(l, d, &text, &size);
		if (r >= 0)
			r = manifest_parse(text, size, d->media_type, &m);
		if (r < 0)
			return r;
		if (m->kind == MANIFEST_IMAGE) {
			r = str_copy(ret_media, m->media_type);
			*ret_text = steal_ptr(&text);
			*ret_size = size;
			return r;
		}
		if (nested)
			manifest_free(nested);
		nested = steal_ptr(&m);
	}
	return fail_plain(ELOOP, "indexes in indexes, more than %d deep", NESTED_MAX);
}

/* A full name stands as it is; a bare tag belongs to the folder's own name. Without a fitting one the image has none. */
static void name_make(const char *given, const char *folder, struct reference *ret)
{
	cleanup_free char *text = NULL;
	const char *base = strrchr(folder, '/');
	size_t len;
	int r;

	base = base ? base + 1 : folder;
	len = strcspn(base, ".");
	if (given && strpbrk(given, ":/"))
		r = str_copy(&text, given);
	else if (given)
		r = str_format(&text, "%.*s:%s", (int)len, base, given);
	else
		r = str_format(&text, "%.*s", (int)len, base);
	if (r < 0 || reference_parse(text, REFERENCE_LOCAL_REGISTRY, ret) < 0)
		*ret = (struct reference){ .registry = NULL };
}

static int layout_check(int dir)
{
	cleanup_free char *text = NULL;
	cleanup_json json_t *v = NULL;
	const char *version;
	size_t size;
	int r = file_text(dir, "oci-layout", 4096, &text, &size);

	if (r >= 0)
		r = json_parse("oci-layout", text, size, &v);
	if (r < 0)
		return r;
	version = json_string_value(json_object_get(v, "imageLayoutVersion"));
	if (!version || !str_eq(version, "1.0.0"))
		return fail_plain(ENOTSUP, "oci-layout: imageLayoutVersion is not 1.0.0");
	return 0;
}

int layout_load(const struct load *load, struct stage *stage, int dir, const char *tag, const char *folder,
		struct str_list *ret)
{
	struct layout layout = { .load = load, .dir = dir };
	const struct blob_source source = { .get = layout_get, .say = layout_say, .arg = &layout };
	cleanup_free char *index_text = NULL, *text = NULL, *media = NULL, *given = NULL;
	cleanup_manifest struct manifest *index = NULL;
	cleanup_reference struct reference own = { .registry = NULL };
	const struct reference *name = load->name;
	char digest[DIGEST_TEXT];
	size_t index_size = 0, size = 0;
	int r = layout_check(dir);

	if (r >= 0)
		r = file_text(dir, "index.json", MANIFEST_MAX, &index_text, &index_size);
	if (r >= 0)
		r = manifest_parse(index_text, index_size, NULL, &index);
	if (r >= 0 && index->kind != MANIFEST_INDEX)
		r = fail_plain(EINVAL, "index.json: is no index");
	if (r >= 0)
		r = manifest_find(&layout, index, tag, &text, &size, &media, &given);
	if (r < 0)
		return r;
	if (!name) {
		name_make(given, folder, &own);
		name = own.registry ? &own : NULL;
	}
	const struct install job = {
		.store = load->store,
		.source = &source,
		.manifest = text,
		.manifest_size = size,
		.media_type = media,
		.names = name,
		.name_count = name ? 1 : 0,
		.limits = load->limits,
	};
	r = image_install(&job, stage, digest);
	return r < 0 ? r : result_add(ret, digest, name);
}
