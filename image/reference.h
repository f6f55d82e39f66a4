/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * reference - names of images: [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST], and digests as text
 *
 * As docker and podman read them: without a registry the default one is meant, there `library/` is put before a
 * path of one component on docker.io; without tag and digest the tag is `latest`.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/cleanup.h"

#define REFERENCE_DEFAULT_REGISTRY "docker.io"
#define REFERENCE_LOCAL_REGISTRY   "localhost"	/* what `import` and `load` put before a bare name */

enum { REFERENCE_MAX = 255, TAG_MAX = 128 };

struct reference {
	char *registry;		/* host or host:port */
	char *path;		/* components joined by '/' */
	char *tag;		/* NULL: only a digest was given */
	char *digest;		/* NULL: none */
	bool short_name;	/* no registry was written */
};

/*
 * reference_parse() - take a name apart
 * @registry: what a name without one means; NULL for docker.io
 *
 * Return: 0 with @ret filled (reference_done() frees what is in it), or a recorded failure.
 */
int reference_parse(const char *text, const char *registry, struct reference *ret);
void reference_done(struct reference *ref);

/* reference_repository() - "registry/path". @ret_text is the caller's. Return: 0 or a recorded failure. */
int reference_repository(const struct reference *ref, char **ret_text);

/* reference_text() - the whole name, nothing left out. @ret_text is the caller's. Return: 0 or a recorded failure. */
int reference_text(const struct reference *ref, char **ret_text);

static inline void reference_done_p(struct reference *ref)
{
	int saved = errno;

	reference_done(ref);
	errno = saved;
}
#define cleanup_reference __attribute__((cleanup(reference_done_p)))

enum {
	DIGEST_HEX = 64,			/* of sha256 */
	DIGEST_TEXT = sizeof("sha512:") + 128,	/* room for either kind, with the NUL */
};

/* digest_is_valid() - "sha256:" and 64, or "sha512:" and 128, lower-case hexadecimal digits, and nothing else */
bool digest_is_valid(const char *text);

/* digest_is_hex() - whether @text is one or more lower-case hexadecimal digits */
bool digest_is_hex(const char *text);
