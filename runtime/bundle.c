/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a folder, a file or standard input to a struct spec: load strictly, expand with the user
 * configuration's defaults and the flags, read. The folder is kept as an absolute path without symlinks,
 * because the state outlives our working directory.
 */
#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/fd.h"
#include "runtime/base/json.h"
#include "runtime/base/str.h"
#include "runtime/config.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

enum { NAME_SHOWN = 1024 };

int bundle_path(const char *folder, const char *path, char **ret_path)
{
	return path[0] == '/' ? str_copy(ret_path, path) : str_format(ret_path, "%s/%s", folder, path);
}

void bundle_done(struct bundle *bundle)
{
	free(bundle->folder);
	free(bundle->file);
	(void)spec_free(bundle->spec);
	*bundle = (struct bundle){ .folder = NULL };
}

/* The whole of a bundle from what was loaded. @folder: for relative paths of the short form, or NULL. */
static int bundle_read(struct bundle *bundle, json_t *v, json_t *overrides, const char *folder)
{
	cleanup_json json_t *config = NULL, *expanded = NULL;
	char shown[NAME_SHOWN];
	int r;

	r = config_load(&config);
	if (r < 0)
		return r;
	r = spec_expand(v, overrides, json_object_get(config, "defaults"), folder, &expanded);
	if (r == 0)
		r = spec_read(expanded, &bundle->spec);
	return r < 0 ? fail_in(r, "%s", str_printable(shown, sizeof(shown), bundle->file)) : 0;
}

static int folder_resolve(const char *folder, char **ret_folder)
{
	char *path = realpath(folder, NULL), shown[NAME_SHOWN];
	int err = errno;

	if (!path)
		return fail(err, "bundle '%s'", str_printable(shown, sizeof(shown), folder));
	*ret_folder = path;
	return 0;
}

/* @dir/@file, which messages call @bundle->file. */
static int bundle_load(struct bundle *bundle, int dir, const char *file, json_t *overrides)
{
	cleanup_json json_t *v = NULL;
	cleanup_free char *text = NULL;
	int r;

	r = json_read_text_at(dir, file, bundle->file, &text, &v);
	if (r == 0)
		r = bundle_read(bundle, v, overrides, bundle->folder);
	if (r == 0 && bundle->spec->json == v)
		bundle->spec->text = steal_ptr(&text);
	return r;
}

int bundle_load_folder(const char *folder, json_t *overrides, struct bundle *ret_bundle)
{
	struct bundle bundle = { .folder = NULL };
	cleanup_fd int dir = -1;
	size_t n = strlen(folder);
	int r;

	while (n > 1 && folder[n - 1] == '/')
		n--;
	r = folder_resolve(folder, &bundle.folder);
	if (r == 0 && str_eq(folder, "."))
		r = str_copy(&bundle.file, "config.json");
	else if (r == 0)
		r = str_format(&bundle.file, "%.*s%sconfig.json", n > INT_MAX ? INT_MAX : (int)n,
			       folder, n == 1 && *folder == '/' ? "" : "/");
	if (r == 0) {
		dir = open(bundle.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = dir < 0 ? fail(errno, "bundle '%s'", folder)
			    : bundle_load(&bundle, dir, "config.json", overrides);
	}
	if (r < 0) {
		bundle_done(&bundle);
		return r;
	}
	*ret_bundle = bundle;
	return 0;
}

int bundle_load_apart(const char *folder, const char *file, json_t *overrides, struct bundle *ret_bundle)
{
	struct bundle bundle = { .folder = NULL };
	int r = str_copy(&bundle.file, file);

	if (r == 0)
		r = folder_resolve(folder, &bundle.folder);
	if (r == 0)
		r = bundle_load(&bundle, AT_FDCWD, file, overrides);
	if (r < 0) {
		bundle_done(&bundle);
		return r;
	}
	*ret_bundle = bundle;
	return 0;
}

int bundle_load_file(const char *file, json_t *overrides, struct bundle *ret_bundle)
{
	cleanup_free char *parent = NULL;
	const char *slash = strrchr(file, '/');
	int r;

	r = slash ? str_format(&parent, "%.*s", (int)(slash - file) + 1, file)
		  : str_copy(&parent, ".");
	return r < 0 ? r : bundle_load_apart(parent, file, overrides, ret_bundle);
}

int bundle_load_json(const char *name, json_t *v, json_t *overrides, struct bundle *ret_bundle)
{
	struct bundle bundle = { .folder = NULL };
	int r = str_copy(&bundle.file, name);

	if (r == 0)
		r = folder_resolve(".", &bundle.folder);
	if (r == 0)
		r = bundle_read(&bundle, v, overrides, NULL);
	if (r < 0) {
		bundle_done(&bundle);
		return r;
	}
	*ret_bundle = bundle;
	return 0;
}

int bundle_load_stdin(json_t *overrides, struct bundle *ret_bundle)
{
	static const char name[] = "standard input";
	cleanup_json json_t *v = NULL;
	int r = json_read_fd(name, STDIN_FILENO, &v);

	return r < 0 ? r : bundle_load_json(name, v, overrides, ret_bundle);
}
