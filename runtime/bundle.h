/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * bundle - where a spec comes from: a bundle folder, a spec file, or stdin
 */

#include <stdbool.h>

#include <jansson.h>

struct spec;

struct bundle {
	char *folder;	/* absolute; relative root.path and sources count from here */
	char *file;	/* name for messages: "config.json", "examples/hello.json", "standard input" */
	struct spec *spec;
};

void bundle_done(struct bundle *bundle);

/*
 * bundle_path() - a path of the spec on the host: a relative one counts from the bundle's folder
 * @ret_path: malloc'ed, the caller's
 *
 * Return: 0 or a recorded -ENOMEM.
 */
int bundle_path(const char *folder, const char *path, char **ret_path);

/*
 * bundle_load_folder() - <folder>/config.json, a regular file
 * bundle_load_file() - a spec file in any folder
 * bundle_load_apart() - @file, which counts from the working directory, as the spec of the bundle @folder
 * bundle_load_stdin() - from standard input; the folder is the working directory
 * bundle_load_json() - what the caller made, called @name in messages; the folder is the working directory
 * @overrides: short-form object from flags, or NULL (borrowed)
 *
 * Expand, merge the user's configuration file (runtime/config.h), read. Messages begin with the file's name.
 * Return: 0 or a recorded failure.
 */
int bundle_load_folder(const char *folder, json_t *overrides, struct bundle *ret_bundle);
int bundle_load_file(const char *file, json_t *overrides, struct bundle *ret_bundle);
int bundle_load_apart(const char *folder, const char *file, json_t *overrides, struct bundle *ret_bundle);
int bundle_load_stdin(json_t *overrides, struct bundle *ret_bundle);
int bundle_load_json(const char *name, json_t *v, json_t *overrides, struct bundle *ret_bundle);
