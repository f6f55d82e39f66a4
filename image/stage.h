/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * stage - how anything gets into a store: made aside, made durable, then put in its place
 *
 * A stage is a folder below staging/ with a lock on it. What is ready is written down with stage_add(); stage_commit()
 * syncs it all, renames it, syncs again, and only then puts in place the records and names that make it an image.
 * Whoever is killed before leaves a folder without a lock, which the next one removes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/store.h"
#include "runtime/base/cleanup.h"

struct reference;

struct stage_move {
	char *from, *to;	/* relative to the store */
	bool folder;
	bool late;		/* a record or a name: after all others are durable */
};

struct stage {
	struct store *store;
	char *path;		/* relative to the store */
	int dir;
	struct stage_move *moves;
	size_t move_count;
};

/* stage_new() - a stage of the caller's own; removes those that dead processes left. Return: 0 or a recorded failure. */
int stage_new(struct store *store, struct stage **ret);
/* stage_free() - remove the folder with what was not committed */
void stage_free(struct stage *stage);
CLEANUP_DEFINE(struct stage *, stage_free)
#define cleanup_stage __attribute__((cleanup(stage_free_p)))

/* stage_clean() - remove what dead processes left. Return: 0 or a recorded failure. */
int stage_clean(const struct store *store);

/* stage_add() - rename @from to @to at the commit; paths relative to the store. Return: 0 or a recorded failure. */
int stage_add(struct stage *stage, const char *from, const char *to, bool folder, bool late);

/* stage_file() - write a file that will be renamed to @to. Return: 0 or a recorded failure. */
int stage_file(struct stage *stage, const char *to, const void *data, size_t size, bool late);

/* stage_write() - a new file in a folder of a stage; the commit makes it durable. Return: 0 or a recorded failure. */
int stage_write(int folder, const char *name, const void *data, size_t size);

/* stage_name() - let a name stand for an image at the commit. Return: 0 or a recorded failure. */
int stage_name(struct stage *stage, const struct reference *ref, const char *manifest);

/* stage_record() - write an image's record, to be registered at the commit. Return: 0 or a recorded failure. */
int stage_record(struct stage *stage, const struct image *image);

/* stage_commit() - all of it, in the order above. Return: 0 or a recorded failure; what is in place then stays. */
int stage_commit(struct stage *stage);

/*
 * blob_open() - a blob of the store or of this stage, for reading
 * @stage: may be NULL
 *
 * Return: 0 with @ret_fd the caller's, BLOB_MISSING (nothing recorded), or a recorded failure.
 */
enum { BLOB_MISSING = 1 };
int blob_open(const struct store *store, const struct stage *stage, const char *digest, int *ret_fd);

/*
 * partial_open() - where the bytes of a blob are collected
 * @ret_fd: for reading and writing, holds what an earlier, interrupted run got; the caller's
 * @ret_path: relative to the store, for stage_add(); the caller's
 *
 * Locked while the fd is open. When another process is at the same blob, it is a file of the stage's own instead.
 * Return: 0 or a recorded failure.
 */
int partial_open(const struct stage *stage, const char *digest, int *ret_fd, char **ret_path);
