/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manifests, indexes and configs: what is understood, and what lies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/digest.h"
#include "image/manifest.h"
#include "runtime/base/error.h"
#include "tests/unit/tap.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG    "\"digest\":\"sha256:" HEX "\""
#define CONFIG "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\"," DIG ",\"size\":10}"
#define LAYER  "{\"mediaType\":\"" MEDIA_OCI_LAYER "+gzip\"," DIG ",\"size\":100}"
#define PLAIN  "{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "]}"

static int parse(const char *text, const char *type, struct manifest **ret)
{
	return manifest_parse(text, strlen(text), type, ret);
}

static void test_an_image(void)
{
	cleanup_manifest struct manifest *m = NULL;

	CHECK_INT(parse(PLAIN, NULL, &m), 0);
	CHECK_INT(m->kind, MANIFEST_IMAGE);
	CHECK_INT((long long)m->layers.count, 1);
	CHECK_STR(m->media_type, MEDIA_OCI_MANIFEST);
	CHECK_INT(media_packing(m->layers.items[0].media_type), PACKING_GZIP);
}

static void test_layer_types(void)
{
	CHECK_INT(media_packing(MEDIA_OCI_LAYER), PACKING_NONE);
	CHECK_INT(media_packing(MEDIA_OCI_LAYER "+zstd"), PACKING_ZSTD);
	CHECK_INT(media_packing(MEDIA_DOCKER_LAYER ".gzip"), PACKING_GZIP);
	CHECK(media_packing("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") < 0);
	CHECK(media_packing("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip") < 0);
	CHECK(media_packing(MEDIA_OCI_LAYER "+gzip+encrypted") < 0);
	CHECK(media_packing("") < 0);
}

static void test_manifests_that_lie(void)
{
	static const char *const texts[] = {
		"", "{}", "[]", "null", "\"x\"", "{\"schemaVersion\":2}", "{\"schemaVersion\":1," CONFIG ",\"layers\":[" LAYER "]}",
		/* both, or neither */
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "],\"manifests\":[]}",
		"{\"schemaVersion\":2,\"manifests\":[]," CONFIG "}",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONFIG ",\"layers\":[" LAYER "]}",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"manifests\":[]}",
		"{\"schemaVersion\":2,\"mediaType\":\"text/plain\"," CONFIG ",\"layers\":[" LAYER "]}",
		"{\"schemaVersion\":2,\"fsLayers\":[]," CONFIG ",\"layers\":[" LAYER "]}",
		/* digests */
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"sha256:../../etc/passwd\",\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"../../x\",\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"sha256:" HEX "0\",\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"md5:" HEX "\",\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":7,\"size\":1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"size\":1}]}",
		/* sizes */
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\"," DIG ",\"size\":-1}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\"," DIG ",\"size\":9223372036854775807}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\"," DIG ",\"size\":\"1\"}]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\"," DIG "}]}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\"," DIG ",\"size\":99999999},\"layers\":[" LAYER "]}",
		/* parts that are missing or are something else */
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "{\"schemaVersion\":2," CONFIG ",\"layers\":{}}",
		"{\"schemaVersion\":2,\"layers\":[" LAYER "]}", "{\"schemaVersion\":2," CONFIG ",\"layers\":[7]}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.example\"," DIG ",\"size\":1},\"layers\":[" LAYER "]}",
		"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"mediaType\":\"application/x-executable\"," DIG ",\"size\":1}]}",
		/* not JSON as we take it */
		PLAIN "x", "{\"schemaVersion\":2,\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "]}", "\xef\xbb\xbf" PLAIN,
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"x\"," DIG ",\"size\":99999999}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct manifest *m = NULL;

		tap_check(parse(texts[i], NULL, &m) < 0, __FILE__, __LINE__, "refused: %.120s", texts[i]);
	}
}

static void test_announced_as_something_else(void)
{
	struct manifest *m = NULL;

	CHECK(parse(PLAIN, MEDIA_OCI_INDEX, &m) < 0);
	CHECK(parse("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"," CONFIG ",\"layers\":[" LAYER "]}",
		    MEDIA_OCI_MANIFEST, &m) < 0);
	CHECK_INT(parse(PLAIN, MEDIA_DOCKER_MANIFEST, &m), 0);
	manifest_free(m);
}

static void test_too_many_layers(void)
{
	char *text = malloc(1 << 20), *end = text;
	struct manifest *m = NULL;

	end += sprintf(end, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
	for (int i = 0; i <= LAYERS_MAX; i++)
		end += sprintf(end, "%s" LAYER, i ? "," : "");
	(void)sprintf(end, "]}");
	CHECK(parse(text, NULL, &m) < 0);
	CHECK_HAS(fail_text(), "501 are more than 500");
	free(text);
}

#define ENTRY(os, arch, variant, hex)                                                              \
	"{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:" hex "\",\"size\":10,\"platform\":{\"os\":\"" os      \
	"\",\"architecture\":\"" arch "\"" variant "}}"
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void test_choice_by_platform(void)
{
	static const char text[] = "{\"schemaVersion\":2,\"manifests\":[" ENTRY("linux", "arm", ",\"variant\":\"v7\"", A) ","
				   ENTRY("linux", "amd64", "", B) "," ENTRY("linux", "arm", ",\"variant\":\"v6\"", C) "]}";
	static const char *const table[][2] = {
		{ "linux/amd64", B }, { "linux/arm/v7", A }, { "linux/arm/v6", C },
	};
	cleanup_manifest struct manifest *m = NULL;
	const struct descriptor *d;
	struct platform p;

	CHECK_INT(parse(text, NULL, &m), 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CHECK_INT(platform_parse(table[i][0], &p), 0);
		CHECK_INT(manifest_choose(m, &p, &d), 0);
		CHECK_STR(d->digest + strlen("sha256:"), table[i][1]);
		platform_done(&p);
	}
	CHECK_INT(platform_parse("linux/s390x", &p), 0);
	CHECK(manifest_choose(m, &p, &d) < 0);
	CHECK_HAS(fail_text(), "linux/arm linux/amd64");
	platform_done(&p);
	CHECK(platform_parse("linux", &p) < 0);
	CHECK(platform_parse("linux/", &p) < 0);
	CHECK(platform_parse("a/b/c/d", &p) < 0);
}

static void test_diff_ids(void)
{
	static const char *const wrong[] = {
		"{}", "{\"rootfs\":{\"type\":\"layers\"}}", "{\"rootfs\":{\"type\":\"x\",\"diff_ids\":[\"sha256:" HEX "\"]}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"../x\"]}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\",\"sha256:" HEX "\"]}}",
		"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[7]}}", "{\"rootfs\":7}",
	};
	static const char right[] = "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]}}";
	struct str_list diffs = { .items = NULL };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		tap_check(config_diffs(wrong[i], strlen(wrong[i]), 1, &diffs) < 0, __FILE__, __LINE__, "%s", wrong[i]);
	CHECK_INT(config_diffs(right, strlen(right), 1, &diffs), 0);
	CHECK_STR(diffs.items[0], "sha256:" HEX);
	str_list_done(&diffs);
}

/* The value of the image specification: the digest of the two ids with a blank between them. */
static void test_chain_ids(void)
{
	cleanup_free char *one = NULL, *two = NULL;
	char digest[DIGEST_TEXT];
	static const char both[] = "sha256:" A " sha256:" B;

	CHECK_INT(chain_next(NULL, "sha256:" A, &one), 0);
	CHECK_STR(one, A);
	CHECK_INT(chain_next(one, "sha256:" B, &two), 0);
	CHECK_INT(digest_of(both, strlen(both), digest), 0);
	CHECK_STR(two, digest + strlen("sha256:"));
}

static void test_digests(void)
{
	char digest[DIGEST_TEXT];

	CHECK_INT(digest_of("", 0, digest), 0);
	CHECK_STR(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK(digest_is_valid(digest));
	digest[10] = 'G';
	CHECK(!digest_is_valid(digest));
}

int main(void)
{
	return tap_run((struct tap_test[]){
		TEST(test_an_image),
		TEST(test_layer_types),
		TEST(test_manifests_that_lie),
		TEST(test_announced_as_something_else),
		TEST(test_too_many_layers),
		TEST(test_choice_by_platform),
		TEST(test_diff_ids),
		TEST(test_chain_ids),
		TEST(test_digests),
		{ 0 },
	});
}
