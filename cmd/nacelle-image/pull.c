/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pull and push. Standard output gets the digest alone; what is being done goes to stderr, as one line that changes on a
 * terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/nacelle-image/verb.h"
#include "image/policy.h"
#include "image/pull.h"
#include "runtime/base/json.h"

static bool is_live(const struct settings *settings)
{
	const char *term = getenv("TERM");

	return !settings->quiet && isatty(STDERR_FILENO) && term && !str_eq(term, "dumb");
}

static void progress_show(void *arg, int64_t done, int64_t all)
{
	char one[SIZE_TEXT], two[SIZE_TEXT];
	int bar = all > 0 ? (int)(done * 30 / all) : 30;

	(void)arg;
	(void)fprintf(stderr, "\r\033[K[%.*s%*s] %s of %s%s", bar, "==============================", 30 - bar, "",
		      size_text(one, done), size_text(two, all), done >= all ? "\r\033[K" : "");
	(void)fflush(stderr);
}

static void say_live(void *arg, const char *what, const char *digest, int64_t size)
{
	(void)fprintf(stderr, "\r\033[K");
	say_line(arg, what, digest, size);
}

static void passed_by(void *arg, const char *mirror, const char *why)
{
	const struct settings *settings = arg;
	char shown[STR_QUOTE_SIZE], reason[1024];

	if (!settings->quiet)
		(void)fprintf(stderr, "%smirror %s: %s\n", is_live(settings) ? "\r\033[K" : "", str_quote(shown, mirror),
			      str_printable(reason, sizeof(reason), why));
}

static int mirrors_read(const struct settings *settings, const char *registry, struct str_list *ret)
{
	json_t *mirrors = json_object_get(json_object_get(settings->config, "mirrors"), registry);

	return mirrors ? json_get_strings(&JSON_ROOT, mirrors, ret, &(struct json_field){ .flags = JSON_NOT_EMPTY }) : 0;
}

static struct registry_options registry_options(const struct settings *settings)
{
	return (struct registry_options){
		.plain = settings->plain_http,
		.insecure = settings->insecure,
		.creds = settings->creds,
		.authfile = settings->authfile,
	};
}

int verb_pull(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference ref = { .registry = NULL }, unused = { .registry = NULL };
	const struct registry_options registry = registry_options(settings);
	struct platform platform = { .os = NULL };
	cleanup_store struct store *store = NULL;
	struct str_list mirrors = { .items = NULL };
	cleanup_free char *name = NULL;
	char digest[DIGEST_TEXT];
	struct load load;
	int r = store_need(settings, &store);

	(void)count;
	if (r >= 0)
		r = reference_parse(operands[0], store->registry, &ref);
	/* The digest says it all: the tag may mean something else by now. */
	if (r >= 0 && ref.digest)
		free(steal_ptr(&ref.tag));
	if (r >= 0)
		r = reference_text(&ref, &name);
	if (r >= 0)
		r = policy_check(settings->policy, "docker", &ref);
	if (r >= 0)
		r = load_prepare(settings, store, &unused, &platform, &load);
	if (r < 0)
		return r;
	if (is_live(settings))
		load.say = say_live;
	else if (!settings->quiet)
		(void)fprintf(stderr, "pulling %s\n", name);
	const struct pull pull = {
		.load = &load,
		.ref = &ref,
		.registry = &registry,
		.mirrors = &mirrors,
		.progress = is_live(settings) ? progress_show : NULL,
		.passed_by = passed_by,
	};

	r = mirrors_read(settings, ref.registry, &mirrors);
	if (r == 0)
		r = image_pull(&pull, digest);
	str_list_done(&mirrors);
	platform_done(&platform);
	if (r < 0)
		return fail_in(r, "pull '%s'", name);
	(void)printf("%s\n", digest);
	return 0;
}

int verb_push(const struct settings *settings, size_t count, char **operands)
{
	cleanup_reference struct reference ref = { .registry = NULL }, unused = { .registry = NULL };
	const struct registry_options registry = registry_options(settings);
	struct platform platform = { .os = NULL };
	cleanup_store struct store *store = NULL;
	cleanup_image struct image *image = NULL;
	cleanup_free char *name = NULL;
	struct load load;
	int r = store_look(settings, &store);

	if (r >= 0)
		r = image_need(store, operands[0], &image, &name);
	if (r >= 0 && count < 2 && !name)
		r = usage_fail("push", "'%s' is an id: say as what it is to be pushed", operands[0]);
	if (r >= 0)
		r = reference_parse(count > 1 ? operands[1] : name, store->registry, &ref);
	if (r >= 0)
		r = load_prepare(settings, store, &unused, &platform, &load);
	if (r >= 0)
		r = image_push(&load, image, &ref, &registry);
	platform_done(&platform);
	if (r < 0)
		return fail_in(r, "push '%s'", count > 1 ? operands[1] : operands[0]);
	(void)printf("%s\n", image->manifest);
	return 0;
}
