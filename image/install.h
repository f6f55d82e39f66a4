/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * install - an image into a store, wherever its blobs come from
 */

#include <stddef.h>
#include <stdint.h>

#include "image/manifest.h"
#include "image/reference.h"
#include "image/stage.h"
#include "image/writer.h"

/* Where blobs come from. */
struct blob_source {
	/*
	 * get() - bring one blob
	 * @ret_fd: readable, the caller's; locked as partial_open() does
	 * @ret_path: of the file, relative to the store
	 *
	 * Nothing about the content needs to be true: it is verified by who asked. Return: 0 or a recorded failure.
	 */
	int (*get)(void *arg, struct stage *stage, const struct descriptor *d, int *ret_fd, char **ret_path);
	/* say() - what is being done, one line; may be NULL */
	void (*say)(void *arg, const char *what, const char *digest, int64_t size);
	void *arg;
};

struct install {
	struct store *store;
	const struct blob_source *source;
	const char *manifest;			/* its very bytes */
	size_t manifest_size;
	const char *media_type;			/* as announced; NULL */
	const struct reference *names;		/* to give it */
	size_t name_count;
	struct unpack_limits limits;
};

/*
 * image_install() - verify, unpack, register
 *
 * What the store has already is not asked for. Return: 0 with the manifest's digest in @ret, or a recorded failure;
 * then nothing is registered.
 */
int image_install(const struct install *job, struct stage *stage, char ret[DIGEST_TEXT]);

/* layer_unpack() - blob @fd into the stage's folder @name, with its record beside it; @lower as in struct unpack_job */
struct unpack_result;
int layer_unpack(const struct stage *stage, const char *name, int fd, const char *diff, const int *lower,
		 size_t lower_count, const struct unpack_limits *limits, struct unpack_result *ret, int *ret_dir);
