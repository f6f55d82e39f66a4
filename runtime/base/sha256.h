/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * sha256 - a digest of bytes that we have in memory, without a library that every start would pay for
 */

#include <stddef.h>

enum { SHA256_TEXT_SIZE = 65 };

/* sha256_text() - SHA-256 of @data as 64 lower-case hexadecimal digits. Source: FIPS 180-4. */
void sha256_text(const void *data, size_t size, char ret[SHA256_TEXT_SIZE]);
