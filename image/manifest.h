/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * manifest - what an image consists of: OCI and Docker v2 schema 2, one image or an index of several
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar"

enum {
	MANIFEST_MAX = 4 * 1024 * 1024,
	CONFIG_MAX = 8 * 1024 * 1024,
	LAYERS_MAX = 500,		/* what overlayfs stacks */
};

struct platform {
	char *os, *architecture, *variant;	/* NULL: not said */
};

struct descriptor {
	char *media_type;
	char *digest;
	int64_t size;
	struct platform platform;		/* in an index */
	struct str_list annotations;		/* "key=value" */
};

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct manifest {
	enum manifest_kind kind;
	char *media_type;
	struct descriptor config;
	struct {
		struct descriptor *items;
		size_t count;
	} layers, manifests;			/* an image's, lowest first; an index's */
};

/*
 * manifest_parse() - read a manifest or an index
 * @media_type: as the sender called it; NULL when nobody did
 *
 * One that could be read in two ways, or whose own media type is not the sender's, is refused.
 * Return: 0 with @ret the caller's (manifest_free()), or a recorded failure.
 */
int manifest_parse(const char *text, size_t size, const char *media_type, struct manifest **ret);
void manifest_free(struct manifest *m);
CLEANUP_DEFINE(struct manifest *, manifest_free)
#define cleanup_manifest __attribute__((cleanup(manifest_free_p)))

/* platform_parse() - "os/architecture[/variant]"; NULL for this machine's. @ret: platform_done(). Return: 0 or a recorded failure. */
int platform_parse(const char *text, struct platform *ret);
void platform_done(struct platform *p);

/* manifest_choose() - the entry of an index for a platform. Return: 0 with @ret inside @index, or a recorded failure that names what there is. */
int manifest_choose(const struct manifest *index, const struct platform *want, const struct descriptor **ret);

/* How a layer is packed. */
enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

/* media_packing() - what a layer's media type says. Return: enum packing, or a recorded failure for a type that is no layer of ours. */
int media_packing(const char *media_type);

/*
 * config_diffs() - digests of the unpacked layers, as a config lists them
 * @want: as many as the manifest has layers
 *
 * Return: 0 or a recorded failure.
 */
int config_diffs(const char *text, size_t size, size_t want, struct str_list *ret);

/* chain_next() - the chain id, in hexadecimal, of a layer on top of @below (NULL for the lowest). Return: 0 or a recorded failure. */
int chain_next(const char *below, const char *diff, char **ret_hex);
