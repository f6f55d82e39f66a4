/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables for the documents of the OCI image specification, which Docker's differ from in media types alone. A
 * document is judged by what stands in it: `layers` make an image, `manifests` an index, both or none is refused
 * (one digest must not mean two things to two readers).
 */
#include "image/manifest.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "image/digest.h"
#include "image/reference.h"
#include "runtime/base/error.h"
#include "runtime/base/json.h"

/* Sizes that no file reaches are lies. */
static const struct json_range sizes = { 0, INT64_MAX / 4 };

static const struct json_field platform_fields[] = {
	{ "os", json_get_string, offsetof(struct platform, os), JSON_REQUIRED, NULL, "" },
	{ "architecture", json_get_string, offsetof(struct platform, architecture), JSON_REQUIRED, NULL, "" },
	{ "variant", json_get_string, offsetof(struct platform, variant), JSON_OPTIONAL, NULL, "" },
	{ 0 },
};

static const struct json_field descriptor_fields[] = {
	{ "mediaType", json_get_string, offsetof(struct descriptor, media_type), JSON_REQUIRED, NULL, "" },
	{ "digest", json_get_string, offsetof(struct descriptor, digest), JSON_REQUIRED, NULL, "" },
	{ "size", json_get_int, offsetof(struct descriptor, size), JSON_REQUIRED, &sizes, "" },
	{ "platform", json_get_object, offsetof(struct descriptor, platform), JSON_OPTIONAL, platform_fields, "" },
	{ "annotations", json_get_map, offsetof(struct descriptor, annotations), JSON_OPTIONAL, NULL, "" },
	{ 0 },
};

static const struct json_items descriptors = { sizeof(struct descriptor), descriptor_fields, NULL, 0 };

static const struct json_field manifest_fields[] = {
	{ "mediaType", json_get_string, offsetof(struct manifest, media_type), JSON_OPTIONAL, NULL, "" },
	{ "config", json_get_object, offsetof(struct manifest, config), JSON_OPTIONAL, descriptor_fields, "" },
	{ "layers", json_get_array, offsetof(struct manifest, layers), JSON_OPTIONAL, &descriptors, "" },
	{ "manifests", json_get_array, offsetof(struct manifest, manifests), JSON_OPTIONAL, &descriptors, "" },
	{ 0 },
};

void platform_done(struct platform *p)
{
	free(p->os);
	free(p->architecture);
	free(p->variant);
	*p = (struct platform){ .os = NULL };
}

static void descriptor_done(struct descriptor *d)
{
	free(d->media_type);
	free(d->digest);
	platform_done(&d->platform);
	str_list_done(&d->annotations);
}

void manifest_free(struct manifest *m)
{
	descriptor_done(&m->config);
	for (size_t i = 0; i < m->layers.count; i++)
		descriptor_done(&m->layers.items[i]);
	for (size_t i = 0; i < m->manifests.count; i++)
		descriptor_done(&m->manifests.items[i]);
	free(m->layers.items);
	free(m->manifests.items);
	free(m->media_type);
	free(m);
}

static int descriptor_check(const struct descriptor *d, int64_t limit, const char *what, size_t at)
{
	char shown[STR_QUOTE_SIZE];

	if (!digest_is_valid(d->digest))
		return fail_plain(EINVAL, "%s %zu: digest %s is none", what, at, str_quote(shown, d->digest));
	if (d->size > limit)
		return fail_plain(EFBIG, "%s %zu: %lld bytes are more than %lld", what, at, (long long)d->size,
				  (long long)limit);
	return 0;
}

static int image_check(const struct manifest *m)
{
	char shown[STR_QUOTE_SIZE];
	int r;

	if (!m->config.digest)
		return fail_plain(EINVAL, "config: missing");
	if (!str_eq(m->config.media_type, MEDIA_OCI_CONFIG) && !str_eq(m->config.media_type, MEDIA_DOCKER_CONFIG))
		return fail_plain(EINVAL, "config: %s is not a container image's",
				  str_quote(shown, m->config.media_type));
	r = descriptor_check(&m->config, CONFIG_MAX, "config", 0);
	if (r < 0)
		return r;
	if (m->layers.count == 0)
		return fail_plain(EINVAL, "layers: there is none");
	if (m->layers.count > LAYERS_MAX)
		return fail_plain(E2BIG, "layers: %zu are more than %d", m->layers.count, LAYERS_MAX);
	for (size_t i = 0; i < m->layers.count; i++) {
		r = descriptor_check(&m->layers.items[i], INT64_MAX / 4, "layer", i);
		if (r >= 0)
			r = media_packing(m->layers.items[i].media_type);
		if (r < 0)
			return fail_in(r, "layers[%zu]", i);
	}
	return 0;
}

static bool media_is_image(const char *type)
{
	return str_eq(type, MEDIA_OCI_MANIFEST) || str_eq(type, MEDIA_DOCKER_MANIFEST);
}

static bool media_is_index(const char *type)
{
	return str_eq(type, MEDIA_OCI_INDEX) || str_eq(type, MEDIA_DOCKER_LIST);
}

/* What the document is, by its content; its names for itself must agree. */
static int kind_decide(struct manifest *m, const json_t *v, const char *media_type)
{
	bool layers = json_object_get(v, "layers") || json_object_get(v, "config"),
	     manifests = json_object_get(v, "manifests"), fs = json_object_get(v, "fsLayers");
	json_t *schema = json_object_get(v, "schemaVersion");
	char shown[STR_QUOTE_SIZE];

	if (fs || json_integer_value(schema) == 1)
		return fail_plain(ENOTSUP, "Docker's schema 1 is not supported: the image must be pushed anew");
	if (json_integer_value(schema) != 2)
		return fail_plain(EINVAL, "schemaVersion: must be 2");
	if (layers == manifests)
		return fail_plain(EINVAL, layers ? "is an image and an index at once" : "is neither an image nor an index");
	m->kind = layers ? MANIFEST_IMAGE : MANIFEST_INDEX;
	if (m->media_type && media_type && !str_eq(m->media_type, media_type))
		return fail_plain(EINVAL, "mediaType: %s is not what it was announced as",
				  str_quote(shown, m->media_type));
	if (!m->media_type) {
		int r = str_copy(&m->media_type, media_type ? media_type :
				 layers ? MEDIA_OCI_MANIFEST : MEDIA_OCI_INDEX);

		if (r < 0)
			return r;
	}
	if (layers ? !media_is_image(m->media_type) : !media_is_index(m->media_type))
		return fail_plain(EINVAL, "mediaType: %s is not what it contains", str_quote(shown, m->media_type));
	return 0;
}

static int index_check(const struct manifest *m)
{
	for (size_t i = 0; i < m->manifests.count; i++) {
		int r = descriptor_check(&m->manifests.items[i], MANIFEST_MAX, "manifest", i);

		if (r < 0)
			return r;
	}
	return 0;
}

int manifest_parse(const char *text, size_t size, const char *media_type, struct manifest **ret)
{
	cleanup_manifest struct manifest *m = calloc(1, sizeof(*m));
	cleanup_json json_t *v = NULL;
	int r;

	if (!m)
		return fail(ENOMEM, "manifest");
	if (size > MANIFEST_MAX)
		return fail_plain(EFBIG, "manifest: more than %d bytes", MANIFEST_MAX);
	r = json_parse("manifest", text, size, &v);
	if (r < 0)
		return r;
	r = json_object_read(&JSON_ROOT, v, manifest_fields, 0, m);
	if (r >= 0)
		r = kind_decide(m, v, media_type);
	if (r >= 0)
		r = m->kind == MANIFEST_IMAGE ? image_check(m) : index_check(m);
	if (r < 0)
		return fail_in(r, "manifest");
	*ret = steal_ptr(&m);
	return 0;
}

int media_packing(const char *media_type)
{
	const char *tail = str_starts(media_type, MEDIA_OCI_LAYER);
	char shown[STR_QUOTE_SIZE];

	if (!tail)
		tail = str_starts(media_type, MEDIA_DOCKER_LAYER);
	if (tail && !*tail)
		return PACKING_NONE;
	if (tail && (str_eq(tail, "+gzip") || str_eq(tail, ".gzip")))
		return PACKING_GZIP;
	if (tail && (str_eq(tail, "+zstd") || str_eq(tail, ".zstd")))
		return PACKING_ZSTD;
	return fail_plain(ENOTSUP, "mediaType: %s is not a layer that can be unpacked", str_quote(shown, media_type));
}

/* uname's names and those of the image world. */
static const char *const machines[][3] = {
	{ "x86_64", "amd64", NULL },	{ "aarch64", "arm64", "v8" },	  { "armv7l", "arm", "v7" },
	{ "armv6l", "arm", "v6" },	{ "i686", "386", NULL },	  { "ppc64le", "ppc64le", NULL },
	{ "s390x", "s390x", NULL },	{ "riscv64", "riscv64", NULL },	  { "loongarch64", "loong64", NULL },
};

static int platform_own(struct platform *ret)
{
	struct utsname names;
	int r = str_copy(&ret->os, "linux");

	if (uname(&names) < 0)
		return fail(errno, "name of this machine");
	for (size_t i = 0; i < ARRAY_SIZE(machines) && r >= 0; i++) {
		if (!str_eq(names.machine, machines[i][0]))
			continue;
		r = str_copy(&ret->architecture, machines[i][1]);
		return r < 0 ? r : str_copy(&ret->variant, machines[i][2]);
	}
	return r < 0 ? r : str_copy(&ret->architecture, names.machine);
}

int platform_parse(const char *text, struct platform *ret)
{
	struct platform p = { .os = NULL };
	cleanup_free char *copy = NULL;
	char *part[3] = { NULL }, *rest;
	int r = 0;

	if (!text) {
		r = platform_own(&p);
	} else {
		r = str_copy(&copy, text);
		rest = copy;
		for (size_t i = 0; i < ARRAY_SIZE(part) && rest; i++)
			part[i] = strsep(&rest, "/");
		if (r >= 0 && (rest || !part[1] || !*part[0] || !*part[1]))
			return fail_plain(EINVAL, "platform '%s': not of the form OS/ARCHITECTURE[/VARIANT]", text);
		if (r >= 0)
			r = str_copy(&p.os, part[0]);
		if (r >= 0)
			r = str_copy(&p.architecture, part[1]);
		if (r >= 0)
			r = str_copy(&p.variant, part[2]);
	}
	if (r < 0) {
		platform_done(&p);
		return r;
	}
	*ret = p;
	return 0;
}

/* 0: does not fit; more is better. An entry without a variant fits any. */
static int platform_fit(const struct descriptor *d, const struct platform *want)
{
	const struct platform *p = &d->platform;

	if (!media_is_image(d->media_type) || !p->os || !p->architecture || !str_eq(p->os, want->os) ||
	    !str_eq(p->architecture, want->architecture))
		return 0;
	if (!p->variant || !*p->variant)
		return want->variant ? 1 : 2;
	if (want->variant && str_eq(p->variant, want->variant))
		return 3;
	/* amd64 v1 is what every such machine can run */
	return str_eq(p->architecture, "amd64") && str_eq(p->variant, "v1") ? 1 : 0;
}

static int platform_missing(const struct manifest *index, const struct platform *want)
{
	char shown[STR_QUOTE_SIZE];
	cleanup_free char *all = NULL;
	int r = 0;

	for (size_t i = 0; i < index->manifests.count && i < 20 && r >= 0; i++) {
		const struct platform *p = &index->manifests.items[i].platform;
		char *was = all;

		all = NULL;
		r = str_format(&all, "%s%s%s/%s", was ? was : "", was ? " " : "", p->os ? p->os : "?",
			       p->architecture ? p->architecture : "?");
		free(was);
	}
	if (r < 0)
		return r;
	return fail_plain(ENOENT, "no image for %s/%s among: %s", want->os, want->architecture,
			  str_quote(shown, all ? all : ""));
}

int manifest_choose(const struct manifest *index, const struct platform *want, const struct descriptor **ret)
{
	const struct descriptor *best = NULL;
	int best_fit = 0;

	for (size_t i = 0; i < index->manifests.count; i++) {
		int fit = platform_fit(&index->manifests.items[i], want);

		if (fit > best_fit) {
			best_fit = fit;
			best = &index->manifests.items[i];
		}
	}
	/* A layout's index of one image often says nothing about its platform. */
	if (!best && index->manifests.count == 1 && !index->manifests.items[0].platform.os)
		best = &index->manifests.items[0];
	if (!best)
		return platform_missing(index, want);
	*ret = best;
	return 0;
}

struct rootfs_part {
	char *type, *os;
	struct str_list diffs;
};

int config_diffs(const char *text, size_t size, size_t want, struct str_list *ret)
{
	static const struct json_field rootfs_fields[] = {
		{ "type", json_get_string, offsetof(struct rootfs_part, type), JSON_REQUIRED, NULL, "" },
		{ "diff_ids", json_get_strings, offsetof(struct rootfs_part, diffs), JSON_REQUIRED, NULL, "" },
		{ 0 },
	};
	static const struct json_field fields[] = {
		{ "rootfs", json_get_object, 0, JSON_REQUIRED, rootfs_fields, "" },
		{ "os", json_get_string, offsetof(struct rootfs_part, os), 0, NULL, "" },
		{ 0 },
	};
	struct rootfs_part rootfs = { .type = NULL };
	cleanup_json json_t *v = NULL;
	int r = json_parse("image config", text, size, &v);

	if (r >= 0) {
		r = json_object_read(&JSON_ROOT, v, fields, 0, &rootfs);
		if (r < 0)
			r = fail_in(r, "image config");
	}
	/* Docker's own, older ones do not say. */
	if (r >= 0 && rootfs.os && *rootfs.os && !str_eq(rootfs.os, "linux"))
		r = fail_plain(EINVAL, "image config: os: '%.40s' cannot run here, only 'linux'", rootfs.os);
	if (r >= 0 && !str_eq(rootfs.type, "layers"))
		r = fail_plain(EINVAL, "image config: rootfs.type: must be 'layers'");
	if (r >= 0 && rootfs.diffs.count != want)
		r = fail_plain(EINVAL, "image config: rootfs.diff_ids: %zu for %zu layers", rootfs.diffs.count, want);
	for (size_t i = 0; i < rootfs.diffs.count && r >= 0; i++) {
		if (!digest_is_valid(rootfs.diffs.items[i]) || !str_starts(rootfs.diffs.items[i], "sha256:"))
			r = fail_plain(EINVAL, "image config: rootfs.diff_ids[%zu]: not a sha256 digest", i);
	}
	free(rootfs.type);
	free(rootfs.os);
	if (r < 0) {
		str_list_done(&rootfs.diffs);
		return r;
	}
	*ret = rootfs.diffs;
	return 0;
}

int chain_next(const char *below, const char *diff, char **ret_hex)
{
	cleanup_free char *both = NULL;
	char digest[DIGEST_TEXT];
	int r;

	if (!below)
		return str_copy(ret_hex, strchr(diff, ':') + 1);
	r = str_format(&both, "sha256:%s %s", below, diff);
	if (r >= 0)
		r = digest_of(both, strlen(both), digest);
	return r < 0 ? r : str_copy(ret_hex, strchr(digest, ':') + 1);
}
