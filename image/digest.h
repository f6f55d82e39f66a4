/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * digest - sha256 and sha512 of bytes, as "sha256:HEX"
 */

#include <stddef.h>
#include <stdint.h>

#include "image/reference.h"
#include "runtime/base/cleanup.h"

struct digest;

/* digest_new() - begin. @like: a digest whose algorithm to take; NULL for sha256. Return: 0 with @ret the caller's, or a recorded failure. */
int digest_new(const char *like, struct digest **ret);
int digest_add(struct digest *d, const void *data, size_t size);
/* digest_end() - the digest of all that was added; @d can only be freed then */
int digest_end(struct digest *d, char ret[DIGEST_TEXT]);
void digest_free(struct digest *d);
CLEANUP_DEFINE(struct digest *, digest_free)
#define cleanup_digest __attribute__((cleanup(digest_free_p)))

/* digest_of() - of bytes in memory, sha256. Return: 0 or a recorded failure. */
int digest_of(const void *data, size_t size, char ret[DIGEST_TEXT]);

/*
 * digest_fd() - of a file from its beginning
 * @like: as above
 * @limit: more bytes than this is a failure
 *
 * The file's offset is not moved. Return: 0 or a recorded failure.
 */
int digest_fd(int fd, const char *like, int64_t limit, char ret[DIGEST_TEXT], int64_t *ret_size);
