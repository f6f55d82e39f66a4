/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layouts and archives that mean harm: what documents and files around a layer can say that is not so.
 */
#include "tests/hostile/hostile.h"

#define ZERO "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define UP   "../../../../../outside/keep"
#define E(...) .entries = { __VA_ARGS__ }
#define EDIT(p, f, t) .edits = { { PART_##p, f, t, 0 } }
#define MANY(p, f, t, n) .edits = { { PART_##p, f, "@" f, 0 }, { PART_##p, "@", t, n } }

/* A file of the layout, in every way in which a file can be wrong. */
#define HARMS(what, f)                                                                     \
	{ .name = what " is missing", .file = f, .harm = HARM_MISSING },                   \
	{ .name = what " is empty", .file = f, .harm = HARM_EMPTY },                       \
	{ .name = what " is shorter", .file = f, .harm = HARM_SHORTER },                   \
	{ .name = what " is longer", .file = f, .harm = HARM_LONGER },                     \
	{ .name = what " is changed", .file = f, .harm = HARM_CHANGED },                   \
	{ .name = what " has a terabyte", .file = f, .harm = HARM_HUGE },                  \
	{ .name = what " is a pipe", .file = f, .harm = HARM_PIPE },                       \
	{ .name = what " is a device", .file = f, .harm = HARM_DEVICE },                   \
	{ .name = what " is a folder", .file = f, .harm = HARM_FOLDER },                   \
	{ .name = what " is a link that leads out", .file = f, .harm = HARM_LINK_OUT },    \
	{ .name = what " is an absolute link", .file = f, .harm = HARM_LINK_ABSOLUTE },    \
	{ .name = what " is a link to itself", .file = f, .harm = HARM_LINK_LOOP }

/* Digests that are none, wherever one can stand. */
#define DIGESTS(what, p, f)                                                               \
	{ .name = what ": a path for a digest", EDIT(p, f, "sha256:" UP) },               \
	{ .name = what ": a path for an algorithm", EDIT(p, f, "../../outside:keep") },   \
	{ .name = what ": no digest", EDIT(p, f, "") },                                   \
	{ .name = what ": a digest that is too short", EDIT(p, f, "sha256:00") },         \
	{ .name = what ": an algorithm of nobody's", EDIT(p, f, "md5:00000000000000000000000000000000") }, \
	{ .name = what ": a digest of something else", EDIT(p, f, ZERO) }

#define SIZES(what, p, f)                                                \
	{ .name = what ": a size below 0", EDIT(p, f, "-1") },           \
	{ .name = what ": a size of 0", EDIT(p, f, "0") },               \
	{ .name = what ": a size of 1", EDIT(p, f, "1") },               \
	{ .name = what ": a size of 62 bits", EDIT(p, f, "4611686018427387904") }, \
	{ .name = what ": a size beyond 64 bits", EDIT(p, f, "99999999999999999999") }, \
	{ .name = what ": a size as text", EDIT(p, f, "\"1\"") }

const struct hostile hostile_layouts[] = {
	HARMS("oci-layout", "oci-layout"),
	HARMS("index.json", "index.json"),
	HARMS("the manifest", "$MDIGEST"),
	HARMS("the config", "$CDIGEST"),
	HARMS("the layer", "$LDIGEST"),
	DIGESTS("manifest", INDEX, "$MDIGEST"),
	DIGESTS("config", MANIFEST, "$CDIGEST"),
	DIGESTS("layer", LAYER, "$LDIGEST"),
	DIGESTS("diff id", CONFIG, "$DIFF"),
	SIZES("manifest", INDEX, "$MSIZE"),
	SIZES("config", MANIFEST, "$CSIZE"),
	SIZES("layer", LAYER, "$LSIZE"),

	{ .name = "plain, said to be gzip", EDIT(LAYER, "$PACKING", "+gzip") },
	{ .name = "plain, said to be zstd", EDIT(LAYER, "$PACKING", "+zstd") },
	{ .name = "gzip, said to be plain", .packer = 'g', EDIT(LAYER, "$PACKING", "") },
	{ .name = "gzip, said to be zstd", .packer = 'g', EDIT(LAYER, "$PACKING", "+zstd") },
	{ .name = "a layer that is encrypted", EDIT(LAYER, "$PACKING", "+encrypted") },
	{ .name = "a layer that is a foreign one", EDIT(LAYER, "vnd.oci.image.layer.v1.tar", "vnd.docker.image.rootfs.foreign.diff.tar.gzip") },
	{ .name = "a layer that is a chart", EDIT(LAYER, "vnd.oci.image.layer.v1.tar", "vnd.cncf.helm.chart.content.v1.tar+gzip") },
	{ .name = "a config that is a chart's", EDIT(MANIFEST, "vnd.oci.image.config.v1+json", "vnd.cncf.helm.config.v1+json") },
	{ .name = "a manifest said to be an index", EDIT(INDEX, "image.manifest", "image.index") },
	{ .name = "a manifest that calls itself an index", EDIT(MANIFEST, "image.manifest", "image.index") },
	{ .name = "a manifest that is both", EDIT(MANIFEST, "\"layers\"", "\"manifests\":[],\"layers\"") },
	{ .name = "a manifest of schema 1", EDIT(MANIFEST, "\"schemaVersion\":2", "\"schemaVersion\":1") },
	{ .name = "a manifest that is neither", EDIT(MANIFEST, NULL, "{\"schemaVersion\":2}") },
	{ .name = "a manifest without layers", EDIT(MANIFEST, "$LAYERS", "") },
	{ .name = "layers that are no list", EDIT(MANIFEST, "[$LAYERS]", "{}") },
	{ .name = "the same key twice", EDIT(MANIFEST, "\"layers\"", "\"layers\":[],\"layers\"") },
	{ .name = "bytes after the manifest", EDIT(MANIFEST, "]}", "]} {}") },
	{ .name = "5000 layers", MANY(MANIFEST, "$LAYERS", "{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" ZERO "\",\"size\":1},", 5000) },
	{ .name = "one layer more than diff ids", EDIT(MANIFEST, "$LAYERS", "$LAYERS,$LAYERS") },
	{ .name = "one diff id more than layers", EDIT(CONFIG, "\"$DIFF\"", "\"$DIFF\",\"" ZERO "\"") },
	{ .name = "no diff id", EDIT(CONFIG, "\"$DIFF\"", "") },
	{ .name = "a root that is no layers", EDIT(CONFIG, "\"type\":\"layers\"", "\"type\":\"base\"") },
	{ .name = "a config that is a list", EDIT(CONFIG, NULL, "[]") },
	{ .name = "a config without a root", EDIT(CONFIG, NULL, "{\"os\":\"linux\"}") },
	{ .name = "a config for another system", EDIT(CONFIG, "\"linux\"", "\"windows\"") },
	{ .name = "a config 100000 lists deep", MANY(CONFIG, "\"$DIFF\"", "[", 100000) },
	{ .name = "a manifest 100000 lists deep", MANY(MANIFEST, "$LAYERS", "[", 100000) },
	{ .name = "an index 100000 lists deep", MANY(INDEX, "$MSIZE", "[", 100000) },
	{ .name = "a manifest of 20 MB", MANY(MANIFEST, "]}", "                                                                      ", 300000) },
	{ .name = "a config of 20 MB", MANY(CONFIG, "\"$DIFF\"", "                                                                      ", 300000) },
	{ .name = "a zero byte in a digest", EDIT(MANIFEST, "$CDIGEST", "$CDIGEST\\u0000") },
	{ .name = "an index with nothing in it", EDIT(INDEX, NULL, "{\"schemaVersion\":2,\"manifests\":[]}") },
	{ .name = "an index that is a manifest", EDIT(INDEX, NULL, "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}") },
	{ .name = "a layout of another version", EDIT(LAYOUT, "1.0.0", "2.0.0") },
	{ .name = "an oci-layout that is no JSON", EDIT(LAYOUT, NULL, "1.0.0") },
	{ .name = "a name that leads out", .outcome = CONTAINED,
	  EDIT(INDEX, "\"size\"", "\"annotations\":{\"org.opencontainers.image.ref.name\":\"../../../../outside/keep\"},\"size\"") },
	{ .name = "a name with a path in its tag", .outcome = CONTAINED,
	  EDIT(INDEX, "\"size\"", "\"annotations\":{\"org.opencontainers.image.ref.name\":\"a:../../../../outside/keep\"},\"size\"") },
	{ .name = "a command with ends of lines", .outcome = CONTAINED, EDIT(CONFIG, "\"true\"", "\"true\\n\\u001b[31m\"") },

	{ .name = "archive: a name that leads out", .form = FORM_ARCHIVE, E({ .type = '0', .name = "../x", .text = "x" }) },
	{ .name = "archive: a link, then through it", .form = FORM_ARCHIVE,
	  E({ .type = '2', .name = "x", .link = "@OUT" }, { .type = '0', .name = "x/keep", .text = "x" }) },
	{ .name = "archive: blobs is a link that leads out", .form = FORM_ARCHIVE, .outcome = CONTAINED, E({ .type = '2', .name = "blobs", .link = "@OUT" }) },
	{ .name = "archive: a hard link to the host", .form = FORM_ARCHIVE, E({ .type = '1', .name = "x", .link = "/etc/passwd" }) },
	{ .name = "archive: the index is a link out", .form = FORM_ARCHIVE, .file = "index.json", .harm = HARM_LINK_OUT },
	{ .name = "archive: the index is a device", .form = FORM_ARCHIVE, .file = "index.json", .harm = HARM_DEVICE },
	{ .name = "archive: the layer is a pipe", .form = FORM_ARCHIVE, .file = "$LDIGEST", .harm = HARM_PIPE },
	{ .name = "archive: the layer is a link out", .form = FORM_ARCHIVE, .file = "$LDIGEST", .harm = HARM_LINK_ABSOLUTE },
	{ .name = "archive: the layer has a terabyte", .form = FORM_ARCHIVE, .file = "$LDIGEST", .harm = HARM_HUGE },
	{ .name = "archive: no index", .form = FORM_ARCHIVE, .file = "index.json", .harm = HARM_MISSING },
	{ .name = "archive: the layer is missing", .form = FORM_ARCHIVE, .file = "$LDIGEST", .harm = HARM_MISSING },
	{ .name = "archive: the layer is changed", .form = FORM_ARCHIVE, .file = "$LDIGEST", .harm = HARM_CHANGED },
	{ .name = "archive: a whiteout of the index", .form = FORM_ARCHIVE, .outcome = CONTAINED, E({ .type = '0', .name = ".wh.index.json" }) },

	{ .name = "docker: a config that leads out", .form = FORM_DOCKER, EDIT(MANIFEST, "config.json", UP) },
	{ .name = "docker: an absolute config", .form = FORM_DOCKER, EDIT(MANIFEST, "config.json", "/etc/passwd") },
	{ .name = "docker: a config that is the manifest", .form = FORM_DOCKER, EDIT(MANIFEST, "config.json", "manifest.json") },
	{ .name = "docker: a layer that leads out", .form = FORM_DOCKER, EDIT(MANIFEST, "layer.tar", UP) },
	{ .name = "docker: a layer that is the config", .form = FORM_DOCKER, EDIT(MANIFEST, "layer.tar", "config.json") },
	{ .name = "docker: a layer that is a folder", .form = FORM_DOCKER, EDIT(MANIFEST, "layer.tar", ".") },
	{ .name = "docker: a layer that is not there", .form = FORM_DOCKER, EDIT(MANIFEST, "layer.tar", "nothing") },
	{ .name = "docker: more layers than diff ids", .form = FORM_DOCKER, EDIT(MANIFEST, "\"layer.tar\"", "\"layer.tar\",\"layer.tar\"") },
	{ .name = "docker: 5000 layers", .form = FORM_DOCKER, MANY(MANIFEST, "\"layer.tar\"", "\"layer.tar\",", 5000) },
	{ .name = "docker: no layer", .form = FORM_DOCKER, EDIT(MANIFEST, "\"layer.tar\"", "") },
	{ .name = "docker: another diff id", .form = FORM_DOCKER, EDIT(CONFIG, "$DIFF", ZERO) },
	{ .name = "docker: a name that leads out", .form = FORM_DOCKER, EDIT(MANIFEST, "named:latest", "../../../../outside/keep") },
	{ .name = "docker: a tag that leads out", .form = FORM_DOCKER, EDIT(MANIFEST, "named:latest", "named:../../../../outside/keep") },
	{ .name = "docker: a manifest that is no list", .form = FORM_DOCKER, EDIT(MANIFEST, NULL, "{}") },
	{ .name = "docker: a manifest of nothing", .form = FORM_DOCKER, EDIT(MANIFEST, NULL, "[]") },
	{ .name = "docker: a layer that is a link out", .form = FORM_DOCKER, .file = "layer.tar", .harm = HARM_LINK_ABSOLUTE },
	{ .name = "docker: a config that is a pipe", .form = FORM_DOCKER, .file = "config.json", .harm = HARM_PIPE },
	{ .name = "docker: a layer of a terabyte", .form = FORM_DOCKER, .file = "layer.tar", .harm = HARM_HUGE },
	{ .name = NULL },
};
