/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `spec`: the default spec, or what a spec in the short form stands for. As with crun and runc the default is written to the
 * bundle's config.json, which must not be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle/command.h"
#include "cmd/nacelle/output.h"
#include "runtime/base/fd.h"
#include "runtime/bundle.h"
#include "runtime/spec-short.h"
#include "runtime/spec.h"

struct spec_options {
	const char *bundle, *file, *expand;
	bool rootless;
};

const struct option_row spec_options[] = {
	{ "bundle", 'b', OPTION_STRING, offsetof(struct spec_options, bundle), "DIR", "write DIR/config.json (the working directory's)" },
	{ "file", 'f', OPTION_STRING, offsetof(struct spec_options, file), "FILE", "write FILE instead; -: standard output" },
	{ "expand", 0, OPTION_STRING, offsetof(struct spec_options, expand), "FILE", "print the expansion of FILE; -: standard input" },
	{ "rootless", 0, OPTION_FLAG, offsetof(struct spec_options, rootless), NULL, "with a user namespace, for whoever is not root" },
	{ .name = NULL },
};

static int expand(const char *file)
{
	struct bundle bundle = { .spec = NULL };
	json_t *v = NULL;
	int r = str_eq(file, "-") ? bundle_load_stdin(NULL, &bundle) : bundle_load_file(file, NULL, &bundle);

	if (r == 0)
		r = spec_write_out(bundle.spec->json, &v);
	if (r == 0)
		r = output_json(v);
	bundle_done(&bundle);
	return r;
}

static int write_new(const struct spec_options *o, json_t *v)
{
	cleanup_free char *path = NULL, *text = v ? json_dumps(v, JSON_INDENT(4)) : NULL;
	cleanup_fd int fd = -1;
	int r;

	json_decref(v);
	if (!text)
		return fail(ENOMEM, "make the spec");
	/* another name counts from the bundle as well, as with crun, which goes there first */
	if (o->file && (*o->file == '/' || !o->bundle))
		r = str_copy(&path, o->file);
	else if (o->bundle)
		r = str_format(&path, "%s/%s", o->bundle, o->file ? o->file : "config.json");
	else
		r = str_copy(&path, "config.json");
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return fail_plain(EEXIST, "'%s' is there already and is not overwritten", path);
	if (fd < 0)
		return fail(errno, "make '%s'", path);
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0)
		r = fd_write_all(fd, "\n", 1);
	if (r < 0) {
		(void)unlink(path);
		return fail(-r, "write '%s'", path);
	}
	return 0;
}

int cmd_spec(const struct globals *globals, int argc, char **argv)
{
	struct spec_options o = { .bundle = NULL };
	struct operands operands;
	int r = options_parse(globals->command, argc, argv, 0, 0, &o, &operands);

	if (r != 0)
		return r < 0 ? r : 0;
	if (o.expand && (o.bundle || o.file || o.rootless))
		return usage_fail(globals->command, "--expand goes with none of --bundle, --file and --rootless");
	if (o.expand)
		return expand(o.expand);
	if (o.file && str_eq(o.file, "-"))
		return output_json(spec_default(o.rootless));
	return write_new(&o, spec_default(o.rootless));
}
