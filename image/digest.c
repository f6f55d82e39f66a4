/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcrypto's EVP interface, which takes the processor's own instructions where it has them.
 */
#include "image/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "runtime/base/error.h"
#include "runtime/base/str.h"

enum { CHUNK = 256 * 1024 };

struct digest {
	EVP_MD_CTX *ctx;
	const char *name;
};

int digest_new(const char *like, struct digest **ret)
{
	const bool wide = like && str_starts(like, "sha512:");
	cleanup_digest struct digest *d = calloc(1, sizeof(*d));

	if (!d)
		return fail(ENOMEM, "digest");
	d->name = wide ? "sha512" : "sha256";
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx || EVP_DigestInit_ex(d->ctx, wide ? EVP_sha512() : EVP_sha256(), NULL) != 1)
		return fail_plain(ENOMEM, "libcrypto cannot make a %s digest", d->name);
	*ret = steal_ptr(&d);
	return 0;
}

int digest_add(struct digest *d, const void *data, size_t size)
{
	if (EVP_DigestUpdate(d->ctx, data, size) != 1)
		return fail_plain(EIO, "libcrypto cannot compute a digest");
	return 0;
}

int digest_end(struct digest *d, char ret[DIGEST_TEXT])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int size;
	int at;

	if (EVP_DigestFinal_ex(d->ctx, raw, &size) != 1)
		return fail_plain(EIO, "libcrypto cannot compute a digest");
	at = snprintf(ret, DIGEST_TEXT, "%s:", d->name);
	for (unsigned int i = 0; i < size; i++)
		at += snprintf(ret + at, (size_t)(DIGEST_TEXT - at), "%02x", raw[i]);
	return 0;
}

void digest_free(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

int digest_of(const void *data, size_t size, char ret[DIGEST_TEXT])
{
	cleanup_digest struct digest *d = NULL;
	int r = digest_new(NULL, &d);

	if (r >= 0)
		r = digest_add(d, data, size);
	return r < 0 ? r : digest_end(d, ret);
}

int digest_fd(int fd, const char *like, int64_t limit, char ret[DIGEST_TEXT], int64_t *ret_size)
{
	cleanup_free char *chunk = malloc(CHUNK);
	cleanup_digest struct digest *d = NULL;
	int64_t at = 0;
	int r = digest_new(like, &d);

	if (r < 0)
		return r;
	if (!chunk)
		return fail(ENOMEM, "digest");
	for (;;) {
		ssize_t n = pread(fd, chunk, CHUNK, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(errno, "read");
		if (n == 0)
			break;
		at += n;
		if (at > limit)
			return fail_plain(EFBIG, "longer than %lld bytes", (long long)limit);
		r = digest_add(d, chunk, (size_t)n);
		if (r < 0)
			return r;
	}
	*ret_size = at;
	return digest_end(d, ret);
}
