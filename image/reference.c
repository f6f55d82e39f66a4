/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name is taken apart from its end: digest, tag, then the registry, which is a first component that has a dot
 * or a colon or is `localhost`. Every part is judged by its own small grammar (that of the distribution
 * specification), so that a name can be put into a path, a URL or a message as it is.
 */
#include "image/reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/error.h"
#include "runtime/base/str.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

bool digest_is_hex(const char *text)
{
	return *text && text[strspn(text, DIGIT "abcdef")] == '\0';
}

bool digest_is_valid(const char *text)
{
	const char *hex;

	if ((hex = str_starts(text, "sha256:")))
		return strlen(hex) == 64 && digest_is_hex(hex);
	if ((hex = str_starts(text, "sha512:")))
		return strlen(hex) == 128 && digest_is_hex(hex);
	return false;
}

static bool tag_is_valid(const char *tag)
{
	size_t len = strspn(tag, LOWER UPPER DIGIT "_.-");

	return len > 0 && len <= TAG_MAX && !tag[len] && *tag != '.' && *tag != '-';
}

/* Separators inside a component: one dot, one or two underscores, or any number of dashes. */
static bool component_is_valid(const char *c, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t word = 0, gap = 0;

		while (i + word < len && strchr(LOWER DIGIT, c[i + word]))
			word++;
		i += word;
		if (word == 0)
			return false;
		if (i == len)
			return true;
		while (i + gap < len && c[i + gap] == c[i])
			gap++;
		if (!(c[i] == '-' || (c[i] == '_' && gap <= 2) || (c[i] == '.' && gap == 1)))
			return false;
		i += gap;
	}
	return false;
}

static bool path_is_valid(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!component_is_valid(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static bool registry_is_valid(const char *registry)
{
	const char *end;
	uint64_t port;

	if (*registry == '[') {
		size_t len = strspn(registry + 1, DIGIT "abcdefABCDEF:.");

		if (len == 0 || registry[1 + len] != ']')
			return false;
		end = registry + len + 2;
	} else {
		end = registry + strspn(registry, LOWER UPPER DIGIT ".-");
		if (end == registry || *registry == '.' || *registry == '-' || strstr(registry, "..") ||
		    end[-1] == '.' || end[-1] == '-')
			return false;
	}
	if (!*end)
		return true;
	return *end == ':' && str_to_u64(end + 1, 65535, &port) == 0 && port > 0;
}

static int registry_split(char *rest, const char *registry, struct reference *ref)
{
	char *slash = strchr(rest, '/');
	int r;

	if (slash) {
		*slash = '\0';
		if (strpbrk(rest, ".:") || str_eq(rest, "localhost") || *rest == '[') {
			r = str_copy(&ref->registry, rest);
			return r < 0 ? r : str_copy(&ref->path, slash + 1);
		}
		*slash = '/';
	}
	ref->short_name = true;
	r = str_copy(&ref->registry, registry);
	if (r >= 0 && !slash && str_eq(registry, REFERENCE_DEFAULT_REGISTRY))
		return str_format(&ref->path, "library/%s", rest);
	return r < 0 ? r : str_copy(&ref->path, rest);
}

static int parts_check(const struct reference *ref, const char *shown)
{
	if (!registry_is_valid(ref->registry))
		return fail_plain(EINVAL, "image name %s: its registry is not HOST or HOST:PORT", shown);
	if (!path_is_valid(ref->path)) {
		if (strpbrk(ref->path, UPPER))
			return fail_plain(EINVAL, "image name %s: must be lower case", shown);
		return fail_plain(EINVAL,
				  "image name %s: not of the form [REGISTRY/]NAME[:TAG][@DIGEST]", shown);
	}
	if (ref->tag && !tag_is_valid(ref->tag))
		return fail_plain(EINVAL, "image name %s: its tag is not 1 to 128 letters, digits, '_', '.' "
				  "or '-', beginning with a letter, a digit or '_'", shown);
	if (ref->digest && !digest_is_valid(ref->digest))
		return fail_plain(EINVAL, "image name %s: its digest is not 'sha256:' and 64 hexadecimal "
				  "digits", shown);
	if (strlen(ref->registry) + 1 + strlen(ref->path) > REFERENCE_MAX)
		return fail_plain(EINVAL, "image name %s: longer than %d characters", shown, REFERENCE_MAX);
	return 0;
}

int reference_parse(const char *text, const char *registry, struct reference *ret)
{
	cleanup_reference struct reference ref = { .registry = NULL };
	cleanup_free char *rest = NULL;
	char shown[STR_QUOTE_SIZE], *at, *colon, *slash;
	int r = str_copy(&rest, text);

	if (r < 0)
		return r;
	str_quote(shown, text);
	at = strchr(rest, '@');
	if (at) {
		*at = '\0';
		r = str_copy(&ref.digest, at + 1);
		if (r < 0)
			return r;
	}
	colon = strrchr(rest, ':');
	slash = strrchr(rest, '/');
	if (colon && (!slash || colon > slash)) {
		*colon = '\0';
		r = str_copy(&ref.tag, colon + 1);
	} else if (!ref.digest) {
		r = str_copy(&ref.tag, "latest");
	}
	if (r >= 0)
		r = registry_split(rest, registry ? registry : REFERENCE_DEFAULT_REGISTRY, &ref);
	if (r >= 0)
		r = parts_check(&ref, shown);
	if (r < 0)
		return r;
	*ret = ref;
	ref = (struct reference){ .registry = NULL };
	return 0;
}

void reference_done(struct reference *ref)
{
	free(ref->registry);
	free(ref->path);
	free(ref->tag);
	free(ref->digest);
	*ref = (struct reference){ .registry = NULL };
}

int reference_repository(const struct reference *ref, char **ret_text)
{
	return str_format(ret_text, "%s/%s", ref->registry, ref->path);
}

int reference_text(const struct reference *ref, char **ret_text)
{
	return str_format(ret_text, "%s/%s%s%s%s%s", ref->registry, ref->path, ref->tag ? ":" : "",
			  ref->tag ? ref->tag : "", ref->digest ? "@" : "", ref->digest ? ref->digest : "");
}
