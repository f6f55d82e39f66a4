/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * auth - credentials for a registry, and what it asks for
 */

#include <stddef.h>

/*
 * auth_find() - "user:password" for a registry, from the files that podman, skopeo and docker keep
 * @file: the one to look into; NULL: $REGISTRY_AUTH_FILE, then the usual ones
 * @registry: as in a name; @path: of the repository, for entries that are for a part of a registry
 *
 * Return: 0 with @ret the caller's, or AUTH_NONE, or a recorded failure.
 */
enum { AUTH_NONE = 1 };
int auth_find(const char *file, const char *registry, const char *path, char **ret);

/* What a WWW-Authenticate header says. */
struct challenge {
	int bearer;		/* 0: Basic */
	char *realm, *service, *scope;
};

/* challenge_parse() - Return: 0 with @ret (challenge_done()), or a recorded failure for a scheme that is not known. */
int challenge_parse(const char *header, struct challenge *ret);
void challenge_done(struct challenge *c);

/* base64_decode() - @ret: NUL-terminated, the caller's. Return: its length, or -EINVAL (nothing recorded). */
int base64_decode(const char *text, char **ret);
