/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * untar - what libarchive does for us; runs in a sandbox only
 */

#include "image/manifest.h"
#include "image/writer.h"

/*
 * untar_layer() - read a plain tar from @fd to its end, and give its entries to the writer
 *
 * Return: 0 or a recorded failure.
 */
int untar_layer(int fd, struct writer *w);

/* unpack_stream() - undo gzip or zstd from @from to @to. Return: 0 or a recorded failure. */
int unpack_stream(int from, int to, enum packing packing);

/* unpack_any() - the same for what may be packed or not. Nobody reads @to any more: that is the end. Return: 0 or a recorded failure. */
int unpack_any(int from, int to);
