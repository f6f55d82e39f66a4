/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the store's own files share.
 */

#include <stddef.h>

#include "image/tree.h"
#include "runtime/base/str.h"

struct reference;
struct store;

/* names_sort() - by their bytes */
void names_sort(struct str_list *names);

/* blob_path() - "blobs/sha256/HEX" for a valid digest. Return: 0 or a recorded failure. */
int blob_path(const char *digest, char **ret_path);

/* ref_path() - "refs/REPOSITORY" and the file's name in it: the digest, else the tag. Return: 0 or a recorded failure. */
int ref_path(const struct reference *ref, char **ret_folder, char **ret_path);

/*
 * image_record() - image_path() of an image that is stored
 *
 * Return: 0, IMAGE_NOT_FOUND (nothing recorded), or a recorded failure.
 */
int image_record(const struct store *store, const char *digest, char **ret_path);
/* image_path() - "images/HEX" for a manifest's digest. Return: 0 or a recorded failure. */
int image_path(const char *digest, char **ret_path);

/* place_split() - "PATH[:TAG]". @ret_tag: left as it is when there is none. Return: 0 or a recorded failure. */
int place_split(const char *place, char **ret_path, char **ret_tag);
