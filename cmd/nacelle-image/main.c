/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nacelle-image: images from registries, archives and folders into the store, and out of it. A program of its own, so
 * that what it links (libarchive, libcurl, libcrypto) costs a container's start nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/config.h"

/* clang-format off */
const struct verb verbs[] = {
	{ "pull",    verb_pull,    1, 1,  "NAME",               "bring an image from a registry" },
	{ "push",    verb_push,    1, 2,  "IMAGE [NAME]",       "bring an image to a registry" },
	{ "load",    verb_load,    1, 1,  "PLACE",              "take images from oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE or -" },
	{ "save",    verb_save,    2, 2,  "IMAGE PLACE",        "write an image to such a place; - is an OCI archive on standard output" },
	{ "import",  verb_import,  1, 2,  "TAR|DIR|- [NAME]",   "make an image of one layer" },
	{ "commit",  verb_commit,  2, 3,  "IMAGE UPPER [NAME]", "make an image of another and the upper folder of an overlay over it" },
	{ "export",  verb_export,  1, 1,  "IMAGE",              "write an image's root as a tar to standard output" },
	{ "tar",     verb_tar,     1, 2,  "DIR [NAME]",         "write what is in a folder, or one name of it, as a tar to standard output" },
	{ "untar",   verb_untar,   1, 1,  "DIR",                "unpack a tar from standard input into a folder" },
	{ "images",  verb_images,  0, 0,  "",                   "list the images" },
	{ "inspect", verb_inspect, 1, 1,  "IMAGE",              "print what is known about an image, as JSON" },
	{ "history", verb_history, 1, 1,  "IMAGE",              "list the steps that made an image" },
	{ "tag",     verb_tag,     2, 2,  "IMAGE NAME",         "give an image one more name" },
	{ "rmi",     verb_rmi,     1, 64, "IMAGE...",           "remove names, and images that have no name left" },
	{ "prune",   verb_prune,   0, 0,  "",                   "remove what no image needs" },
	{ "verify",  verb_verify,  0, 64, "[IMAGE...]",         "compare what is stored with its digests" },
	{ "erofs",   verb_erofs,   1, 1,  "IMAGE",              "make the one file system (EROFS) of an image's layers, and print its path" },
	{ .name = NULL },
};
/* clang-format on */

int usage_fail(const char *verb, const char *fmt, ...)
{
	cleanup_free char *text = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return fail(ENOMEM, "usage");
	}
	return fail_plain(EINVAL, "%s (see 'nacelle-image %s%s--help')", text, verb ? verb : "", verb ? " " : "");
}

static int usage_print(const struct verb *verb)
{
	if (verb) {
		(void)printf("usage: nacelle-image %s [OPTION...] %s\n\n%s\n\n", verb->name, verb->synopsis, verb->help);
		options_print(verb->name);
		return 0;
	}
	(void)printf("usage: nacelle-image VERB [OPTION...] [ARGUMENT...]\n\nverbs:\n");
	for (const struct verb *v = verbs; v->name; v++)
		(void)printf("  %-10s%s\n", v->name, v->help);
	(void)printf("\noptions of all verbs:\n");
	options_print(NULL);
	return 0;
}

static const struct verb *verb_find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++) {
		if (str_eq(v->name, name))
			return v;
	}
	return NULL;
}

static int fail_unknown(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)] = { NULL }, *near;
	size_t n = 0;

	for (const struct verb *v = verbs; v->name; v++)
		names[n++] = v->name;
	near = str_nearest(name, names);
	if (near)
		return usage_fail(NULL, "unknown verb '%s', did you mean '%s'?", name, near);
	return usage_fail(NULL, "unknown verb '%s'", name);
}

/* A reader that goes away is an error, not a signal; layers are many fds. */
static int prepare(void)
{
	struct rlimit files;
	int r = fd_streams_open();

	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return 0;
}

/* The store and the default registry are those of `nacelle`, whose runs look for what was pulled here. */
static int configured(struct settings *s)
{
	struct config_images images;
	int r = config_load(&s->config);

	if (r < 0)
		return fail_in(r, "configuration");
	images = config_images(s->config);
	if (!s->store)
		s->store = images.store;
	if (!s->registry)
		s->registry = images.registry;
	return 0;
}

static int run(int argc, char **argv)
{
	struct settings settings = { .store = NULL };
	const struct verb *verb;
	int count, r;

	if (argc < 2)
		return usage_fail(NULL, "a verb is missing");
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h"))
		return usage_print(NULL);
	if (str_eq(argv[1], "--version")) {
		(void)printf("nacelle-image version %s\n", NACELLE_VERSION);
		return 0;
	}
	verb = verb_find(argv[1]);
	if (!verb)
		return fail_unknown(argv[1]);
	count = options_read(verb->name, argc - 1, argv + 1, &settings);
	if (count < 0)
		return count;
	if (settings.help)
		return usage_print(verb);
	if ((size_t)count < verb->min || (size_t)count > verb->max)
		return usage_fail(verb->name, "usage: nacelle-image %s %s", verb->name, verb->synopsis);
	r = configured(&settings);
	if (r == 0)
		r = verb->run(&settings, (size_t)count, argv + 2);
	str_list_done(&settings.changes);
	json_decref(settings.config);
	return r;
}

int main(int argc, char **argv)
{
	int r = prepare();

	if (r == 0)
		r = run(argc, argv);
	if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = fail(errno ? errno : EIO, "write to standard output");
	if (r < 0) {
		log_error(fail_text());
		return STATUS_OURS;
	}
	return r;
}
